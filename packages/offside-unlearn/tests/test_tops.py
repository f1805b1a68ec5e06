"""Distributions by their likeliest tokens: small, bound from below, and gone on with after a cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from offside_data.errors import RecordError
from offside_data.vlm import Collator
from offside_unlearn import losses, reference, tops
from offside_unlearn.batches import BatchPlan, Needs, leave_out_first
from offside_unlearn.losses import TopLogprobs
from offside_unlearn.reference import Preparation, ReferenceModel
from offside_unlearn.tune import LoraOptions, add_adapter, unfreeze

IGNORED = -100
VOCABULARY = 7
LABELS = torch.tensor([[IGNORED, 1, 6, 0], [IGNORED, IGNORED, 2, 1]])
Fresh = Callable[[], tuple[Any, Any]]


def numbers(seed: int, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(2, 4, VOCABULARY, generator=torch.Generator().manual_seed(seed))


def exact(wanted: torch.Tensor, now: torch.Tensor) -> list[float]:
    """KL at each answer token, in double precision and by another way."""
    places = [(row, t - 1) for row in range(2) for t in range(1, 4) if int(LABELS[row, t]) != IGNORED]
    p, q = (torch.stack([x[at] for at in places]).double().softmax(-1) for x in (wanted, now))
    return (p * (p / q).log()).sum(-1).tolist()


@pytest.mark.parametrize("top", [None, VOCABULARY, VOCABULARY + 1])
def test_with_the_whole_vocabulary_the_divergence_is_exact(top: int | None) -> None:
    wanted, now = numbers(0), numbers(1)
    found = losses.top_kl(TopLogprobs.of(wanted, LABELS, top), now, LABELS)
    assert found.tolist() == pytest.approx(exact(wanted, now), rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, VOCABULARY - 1), st.sampled_from([0.5, 3.0, 30.0]))
def test_with_fewer_it_is_a_lower_bound_that_more_tokens_raise(seed: int, top: int, scale: float) -> None:
    wanted, now = numbers(seed, scale), numbers(seed + 1, scale)
    fewer, more = (losses.top_kl(TopLogprobs.of(wanted, LABELS, k), now, LABELS) for k in (top, top + 1))
    tolerance = 1e-4 + 1e-5 * more
    assert (fewer >= -tolerance).all()
    assert (fewer <= more + tolerance).all()
    assert (more <= torch.tensor(exact(wanted, now)) + tolerance).all()


def test_the_mass_that_is_left_counts_as_one_token_by_hand() -> None:
    """Without it, all that the model says beside the named tokens would cost nothing."""
    wanted, now = numbers(0), numbers(1)
    place = (0, 0)
    p, q = (x[place].double().softmax(-1) for x in (wanted, now))
    named = p.topk(2).indices
    pairs = [*zip(p[named].tolist(), q[named].tolist(), strict=True)]
    pairs.append((1 - sum(a for a, _ in pairs), 1 - sum(b for _, b in pairs)))
    by_hand = sum(a * torch.tensor(a / b).log().item() for a, b in pairs)
    found = losses.top_kl(TopLogprobs.of(wanted, LABELS, 2), now, LABELS)[0].item()
    assert found == pytest.approx(by_hand, rel=1e-4)


def test_gradients_stay_finite_where_nothing_is_left() -> None:
    logits = torch.full((2, 4, VOCABULARY), -200.0)
    logits[..., 0] = 200.0
    now = logits.clone().requires_grad_()
    losses.top_kl(TopLogprobs.of(logits, LABELS, 2), now, LABELS).sum().backward()
    assert now.grad is not None
    assert torch.isfinite(now.grad).all()


def test_the_answers_own_token_is_kept_however_unlikely() -> None:
    wanted = numbers(0)
    wanted[0, 0, 1] = -40.0
    top = TopLogprobs.of(wanted, LABELS, 2)
    assert top.gold[0].item() == pytest.approx(torch.log_softmax(wanted[0, 0], -1)[1].item())
    gap = losses.gold_gap(top, numbers(1), LABELS)
    expected = (torch.log_softmax(numbers(1)[0, 0], -1)[1] - top.gold[0]).square()
    assert gap[0].item() == pytest.approx(expected.item(), rel=1e-6)


def test_a_teacher_of_other_answers_is_refused() -> None:
    other = LABELS.clone()
    other[0, 1] = 3
    top = TopLogprobs.of(numbers(0), LABELS, 2)
    for loss in (losses.top_kl, losses.gold_gap):
        with pytest.raises(ValueError, match="the very answers"):
            loss(top, numbers(1), other)


def test_leaving_out_the_first_token_leaves_out_its_label_alone(
    make_plan: Callable[..., BatchPlan], fresh: Fresh
) -> None:
    example = make_plan(fresh()[1]).sources["forget"].examples[0]
    first = next(place for place, label in enumerate(example.labels) if label != IGNORED)
    later = leave_out_first(example, 1)
    assert later.input_ids == example.input_ids
    assert [i for i, (a, b) in enumerate(zip(example.labels, later.labels, strict=True)) if a != b] == [first]
    with pytest.raises(RecordError, match=rf"record {example.record_id}.*none is left"):
        leave_out_first(example, 10**4)


# -------------------------------------------------------------------------------------------------
# Stored

NEEDS = Needs(retain=True, top_reference=frozenset({"retain"}), top_k=3)


def preparation(processor: Any, folder: Path | None, **changes: Any) -> Preparation:
    values = {"batch_size": 2, "fresh_adapter": False, "changing_pictures": False, "folder": folder, **changes}
    return Preparation(collator=Collator(processor), **values)


def whole(of: ReferenceModel, plan: BatchPlan, side: str = "retain") -> TopLogprobs:
    return tops.joined([of.top_logprobs(batch.side(side), of=side) for batch in plan.batches()])


def same(a: TopLogprobs, b: TopLogprobs) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("logprobs", "indices", "rest", "gold"))


def test_what_is_stored_is_what_the_model_says(
    fresh: Fresh, make_plan: Callable[..., BatchPlan], tmp_path: Path
) -> None:
    model, processor = fresh()
    plan = make_plan(processor)
    unfreeze(model, "all")
    examples = {"retain": plan.sources["retain"].examples}
    stored = reference.of(model, NEEDS, examples, preparation(processor, tmp_path))
    live = add_adapter(fresh()[0], "all", LoraOptions())
    live = reference.of(live, NEEDS, examples, preparation(processor, tmp_path, fresh_adapter=True))
    assert (stored.how, live.how) == ("stored: likeliest tokens of the retain answers", "adapter off")
    found, said = whole(stored, plan), whole(live, plan)
    assert said.indices is None
    values, indices = said.logprobs.topk(3)
    torch.testing.assert_close(found.logprobs, values, rtol=1e-5, atol=1e-5)
    assert found.indices is not None
    assert torch.equal(found.indices.long(), indices)
    torch.testing.assert_close(found.gold, said.gold, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.rest.exp() + found.logprobs.exp().sum(-1), torch.ones(len(found.rest)))


def test_a_store_that_was_cut_goes_on_and_ends_with_the_same_bits(
    fresh: Fresh, make_plan: Callable[..., BatchPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tops, "RECORDS_A_FILE", 4)
    model, processor = fresh()
    plan = make_plan(processor)
    examples = {"retain": plan.sources["retain"].examples}
    assert len(examples["retain"]) == 12
    undisturbed = whole(reference.of(model, NEEDS, examples, preparation(processor, None)), plan)
    passes, computed = reference._passes, 0

    def counted(model: Any, given: Sequence[Any], *rest: Any) -> Iterator[Any]:
        nonlocal computed
        for part in passes(model, given, *rest):
            computed += 1
            if computed == 4:  # In the middle of the second of three files, of two passes each.
                raise KeyboardInterrupt
            yield part

    monkeypatch.setattr(reference, "_passes", counted)
    with pytest.raises(KeyboardInterrupt):
        reference.of(model, NEEDS, examples, preparation(processor, tmp_path))
    files = [path.name for path in (tmp_path / tops.FOLDER).iterdir()]
    assert files == ["retain-00000.safetensors"], "whole files only, and none of a half"
    computed = 10
    resumed = reference.of(model, NEEDS, examples, preparation(processor, tmp_path))
    assert computed == 14, "four of six passes were still to be made"
    assert same(whole(resumed, plan), undisturbed)
    computed = 20
    again = reference.of(model, NEEDS, examples, preparation(processor, tmp_path))
    assert computed == 20
    assert same(whole(again, plan), undisturbed)


def test_files_of_other_records_are_computed_anew(
    fresh: Fresh, make_plan: Callable[..., BatchPlan], tmp_path: Path
) -> None:
    model, processor = fresh()
    plan = make_plan(processor)
    examples = plan.sources["retain"].examples
    reference.of(model, NEEDS, {"retain": examples[::-1]}, preparation(processor, tmp_path))
    found = reference.of(model, NEEDS, {"retain": examples}, preparation(processor, tmp_path))
    assert same(
        whole(found, plan), whole(reference.of(model, NEEDS, {"retain": examples}, preparation(processor, None)), plan)
    )


@pytest.mark.parametrize("top", [2, 128])
def test_a_store_is_small(top: int, tmp_path: Path) -> None:
    """At a vocabulary of 150,000 an answer token takes 8 bytes a likeliest token, and the whole would take 600 kB."""
    logits = torch.randn(1, 3, 150_000)
    labels = torch.tensor([[IGNORED, 5, 149_999]])
    side = tops.StoredSide.of("retain", [_Named("a")], top=top, folder=tmp_path, batch=1)  # type: ignore[list-item]
    side.add([_Named("a")], type("Output", (), {"logits": logits, "labels": labels}))  # type: ignore[list-item, arg-type]
    (file,) = (tmp_path / tops.FOLDER).iterdir()
    assert file.stat().st_size < 2 * (8 * top + 40) + 500
    stored = side.by_record["a"]
    tensors = (stored.logprobs, stored.indices, stored.rest, stored.gold, stored.targets)
    in_memory = sum(tensor.untyped_storage().nbytes() for tensor in tensors if tensor is not None)
    assert in_memory < 2 * (8 * top + 40), "no slice holds on to the whole distribution"


class _Named:
    def __init__(self, record_id: str) -> None:
        self.record_id = record_id
