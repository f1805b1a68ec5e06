from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import Collator, forward
from offside_unlearn import reference as references
from offside_unlearn.batches import BatchPlan
from offside_unlearn.options import RunOptions
from offside_unlearn.reference import Preparation
from offside_unlearn.task import UnlearnTask
from offside_unlearn.tune import unfreeze
from offside_unlearn.unlearning import plan_run
from offside_unlearn.wrappers.undo import Config, Distillation, Wrapper

Fresh = Callable[[], tuple[Any, Any]]
Plans = Callable[..., BatchPlan]


def test_a_distillation_follows_all_else(task: UnlearnTask) -> None:
    last = dataclasses.replace(task, sharpness=0.1)
    *before, distillation = Wrapper(Config()).wrap([task, last])
    assert before == [task, last]
    assert isinstance(distillation.method, Distillation)
    assert distillation.steps() == 12, "as many as all before, unless told"
    assert distillation.config.lr == task.config.lr
    given = Wrapper(Config(distil_steps=5, distil_lr=1e-2)).wrap([task])[-1]
    assert (given.steps(), given.config.lr) == (5, 1e-2)


def test_a_rate_that_no_training_takes_is_the_users_mistake(league: OffsideDataset) -> None:
    with pytest.raises(UsageError, match=r"npo\+undo: lr must be at most"):
        plan_run("npo+undo", league, "complete", {"distil_lr": 1e40}, RunOptions(full=True))


def test_weights_are_shrunk_and_noised_as_fresh_ones_are(fresh: Fresh, make_plan: Plans) -> None:
    model, processor = fresh()
    unfreeze(model, "language")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    Distillation(Config(noise_share=0.4, noise_scale=0.5)).begin(model, make_plan(processor), 0)
    noised = 0
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert torch.equal(parameter, before[name]), name
            continue
        noise = (parameter.detach().double() - 0.6 * before[name].double()) / (0.4 * 0.5)
        if parameter.dim() == 1:
            assert noise.abs().max() < 1e-6, name
            continue
        bound = math.sqrt(6 / sum(parameter.shape))  # Uniform Xavier of a matrix.
        assert noise.abs().max() <= bound * (1 + 1e-4), name
        assert noise.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.15), name
        noised += 1
    assert noised


def test_it_is_held_to_what_the_unlearned_model_says_of_what_stays(fresh: Fresh, make_plan: Plans) -> None:
    model, processor = fresh()
    unfreeze(model, "language")
    plan = make_plan(processor)
    method = Distillation(Config(noise_share=0.5))
    examples = {side: source.examples for side, source in plan.sources.items()}
    preparation = Preparation(
        collator=Collator(processor), batch_size=4, fresh_adapter=False, changing_pictures=False, folder=None
    )
    reference = references.of(model, method.needs(), examples, preparation)
    side = (batch := next(plan.batches())).retain
    with torch.no_grad():
        teacher = forward(model, side.inputs).logits.double().log_softmax(-1)
    assert method.loss(model, batch, reference).loss.item() == pytest.approx(0, abs=1e-6)
    method.begin(model, plan, 0)
    output = method.loss(model, batch, reference)
    with torch.no_grad():
        student = forward(model, side.inputs).logits.double().log_softmax(-1)
    divergence = (teacher.exp() * (teacher - student)).sum(-1)[:, :-1]
    mask = side.inputs["labels"][:, 1:] != -100
    assert output.loss.item() == pytest.approx((divergence * mask).sum().item() / mask.sum().item(), rel=1e-4)
    assert output.loss.item() > 0.01, "the noise has an effect"
    assert output.kept is not None
    assert output.forget.item() == 0


def test_an_adapter_is_refused(task: UnlearnTask) -> None:
    lora = dataclasses.replace(task, options=dataclasses.replace(task.options, full=False))
    with pytest.raises(UsageError, match="Use --full"):
        Wrapper(Config()).wrap([lora])


@pytest.mark.parametrize(
    "wrong", [{"noise_share": 0}, {"noise_share": 1.1}, {"noise_scale": -1}, {"distil_steps": 0}, {"distil_lr": 0.0}]
)
def test_impossible_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
