"""What every method keeps, built in or a third party's: found by the registry, nothing listed here."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import yaml
from method_case import SIDES, Begun, Case

from offside_data.config import build
from offside_data.errors import RecordError, UsageError
from offside_unlearn.batches import BatchPlan, PairedBatch
from offside_unlearn.methods import MethodConfig
from offside_unlearn.options import build_configs
from offside_unlearn.task import UnlearnConfig
from offside_unlearn.trainer import TrainConfig
from offside_unlearn.tune import LoraOptions
from offside_unlearn.unlearning import METHODS

Fresh = Callable[[], tuple[Any, Any]]

# All tests of a method come together, as they share its case.
pytestmark = pytest.mark.parametrize("name", METHODS.names(), scope="module")


@pytest.fixture(scope="module")
def begun() -> Begun:
    """What methods found out in earlier tests: with it they begin as a run that goes on does, for it takes long."""
    return {}


@pytest.fixture(scope="module")
def made(name: str, loaded: tuple[Any, Any], make_plan: Callable[..., BatchPlan], begun: Begun) -> Case:
    return Case(name, (copy.deepcopy(loaded[0]), loaded[1]), make_plan, begun, steps=12)


def relative_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Length of the difference of two gradients, as a share of the second one's."""
    far = torch.stack([(one[name] - gradient).norm() for name, gradient in other.items()]).norm()
    return float(far / torch.stack([gradient.norm() for gradient in other.values()]).norm())


@pytest.fixture
def case(made: Case) -> Iterator[Case]:
    """The method's one case, which each test finds as it was made."""
    yield made
    made.restore()


def test_it_introduces_itself(name: str) -> None:
    module = METHODS.load(name)
    assert (module.__doc__ or "").strip()
    assert module.PAPER.title
    assert module.PAPER.url.startswith("https://")
    assert module.Config.__doc__
    assert module.Method.__doc__


def test_its_config_survives_yaml_and_coerces_strings(name: str) -> None:
    config = METHODS.load(name).Config()
    assert isinstance(config, MethodConfig)
    values = dataclasses.asdict(config)
    assert build(type(config), yaml.safe_load(yaml.safe_dump(values)) or {}) == config
    assert build(type(config), {key: str(value) for key, value in values.items()}) == config


def test_unknown_options_are_errors(name: str) -> None:
    with pytest.raises(UsageError, match="lambda_q"):
        build_configs({"lambda_q": "1"}, METHODS.load(name).Config, UnlearnConfig, LoraOptions)


def test_its_options_clash_with_none_of_the_training(name: str) -> None:
    own = METHODS.load(name).Config
    for training in (UnlearnConfig, TrainConfig):
        assert build_configs({}, own, training, LoraOptions) == (own(), training(), LoraOptions())


def test_each_value_of_its_search_space_is_one_of_an_option(name: str) -> None:
    module = METHODS.load(name)
    for option, dimension in module.Config.search.items():
        assert dimension.source, option
        for value in dimension.extremes:
            build_configs({option: value}, module.Config, UnlearnConfig)


def test_its_loss_is_a_finite_number_with_named_terms(case: Case) -> None:
    output = case.output(next(case.plan.batches()))
    assert output.loss.shape == ()
    assert torch.isfinite(output.loss)
    assert output.loss.requires_grad
    assert output.terms
    assert all(term.shape == () and torch.isfinite(term) for term in output.terms.values())


def test_it_reads_only_what_it_says_it_needs(case: Case) -> None:
    batch = next(case.plan.batches())
    assert torch.isfinite(case.output(PairedBatch({side: batch.side(side) for side in case.read})).loss)


def test_only_what_is_trained_gets_a_gradient_and_all_of_it_does(case: Case) -> None:
    before = {n: p.detach().clone() for n, p in case.model.named_parameters()}
    trained = [p for p in case.model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    case.output(next(case.plan.batches())).loss.backward()
    optimizer.step()
    moved = {n for n, p in case.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n, p in case.model.named_parameters() if p.requires_grad}
    assert case.full or all("lora_" in n for n in moved)


def test_the_frozen_reference_stays(case: Case) -> None:
    if not (case.needs.record_reference or case.needs.token_reference or case.needs.top_reference):
        pytest.skip("uses no reference")
    batch = next(case.plan.batches())

    def read() -> list[torch.Tensor]:
        numbers = [case.reference.token_logprobs(batch.side(side)) for side in sorted(case.needs.token_reference)]
        # Sides of the frozen model alone are about the records to be forgotten.
        tops = [
            case.reference.top_logprobs(batch.sides.get(side, batch.forget), of=side)
            for side in sorted(case.needs.top_reference)
        ]
        return [
            *numbers,
            *(top.logprobs for top in tops),
            *(case.reference.record_logprobs(batch.side(s), of=s) for s in sorted(case.needs.record_reference)),
        ]

    before = read()
    case.output(batch).loss.backward()
    with torch.no_grad():
        for parameter in case.model.parameters():
            if parameter.grad is not None:
                parameter.sub_(parameter.grad)
    assert all(torch.equal(one, other) for one, other in zip(before, read(), strict=True))


def test_the_same_seed_gives_the_same_numbers(
    name: str, case: Case, fresh: Fresh, make_plan: Callable[..., BatchPlan]
) -> None:
    torch.manual_seed(1)
    first = case.output(next(case.plan.batches()))
    again = Case(name, fresh(), make_plan)  # Of what the other may have from an earlier test, it finds all anew.
    again.model.load_state_dict(copy.deepcopy(case.model.state_dict()))
    torch.manual_seed(1)
    second = again.output(next(again.plan.batches()))
    assert torch.equal(second.loss, first.loss)
    assert second.terms == first.terms


def test_accumulated_micro_batches_equal_one_batch(case: Case) -> None:
    gradients, terms = [], []
    with torch.random.fork_rng():
        torch.manual_seed(7)
        for n, p in case.model.named_parameters():
            if "lora_B" in n:
                p.data.normal_(std=0.02)
    for batch_size, accumulation in ((4, 1), (1, 4)):
        plan = case.other_plan(batch_size=batch_size, accumulation=accumulation)
        gradient, means = case.accumulated(list(itertools.islice(plan.batches(), accumulation)))
        gradients.append(gradient)
        terms.append(means)
    torch.testing.assert_close(terms[1], terms[0], rtol=1e-4, atol=1e-5)
    whole, accumulated = gradients
    assert whole.keys() == accumulated.keys()
    assert relative_difference(accumulated, whole) < 1e-5
    # Nor is it small only where others are large. Below that float32 itself is left: what cancels keeps few digits.
    length = max(float(gradient.norm()) for gradient in whole.values())
    for parameter, gradient in whole.items():
        assert float((accumulated[parameter] - gradient).norm()) < 1e-5 * (float(gradient.norm()) + 0.1 * length), (
            parameter
        )


@pytest.mark.parametrize("side", SIDES)
def test_another_picture_gives_another_loss(case: Case, side: str) -> None:
    if side not in case.read:
        pytest.skip(f"reads no {side} batch")
    # A method's own records may be of one picture, or of none, in some batches.
    batch = next(b for b in case.plan.batches() if int(b.side(side).inputs["image_index"].max()) > 0)
    before, after = case.terms(batch), case.terms(case.with_another_picture(batch, side))
    assert not all(torch.isclose(after[term], value, rtol=1e-6) for term, value in before.items())


@pytest.mark.parametrize("side", SIDES)
def test_a_batch_without_answers_is_an_error(case: Case, side: str) -> None:
    if side not in case.read:
        pytest.skip(f"reads no {side} batch")
    batch = next(case.plan.batches())
    with pytest.raises(RecordError, match="no answer token"):
        case.output(case.without_answers(batch, side))


def test_it_works_on_text_alone(name: str, fresh: Fresh, make_plan: Callable[..., BatchPlan]) -> None:
    case = Case(name, fresh(), make_plan, config="text")
    batch = next(case.plan.batches())
    if "forget" not in case.plan.own:  # A method may take in the other form of the claims of its own accord.
        assert "pixel_values" not in batch.forget.inputs
    assert torch.isfinite(case.output(batch).loss)
