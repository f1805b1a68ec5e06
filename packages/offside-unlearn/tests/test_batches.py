"""The order of records and the make-up of batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import Encoded, Encoder
from offside_unlearn.batches import BatchPlan, Interleaved, Stream, count_steps, encode_rows


def example(number: int, picture: str | None = None, length: int = 5) -> Encoded:
    return Encoded(f"r{number}", list(range(length)), [-100] * 2 + [1] * (length - 2), 2, image_key=picture)


def of_pictures(*sizes: int) -> list[Encoded]:
    """Pictures with so many questions each, and lengths that vary."""
    pictures = [f"p{i}" for i, size in enumerate(sizes) for _ in range(size)]
    return [example(n, picture, 5 + n % 7) for n, picture in enumerate(pictures)]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=8),
    seed=st.integers(0, 5),
    per_picture=st.integers(0, 5),
    stretch=st.integers(1, 12),
    start=st.integers(0, 60),
    count=st.integers(1, 25),
)
def test_a_stream_shows_every_record_once_a_pass_wherever_one_starts_reading(
    sizes: list[int], seed: int, per_picture: int, stretch: int, start: int, count: int
) -> None:
    examples = of_pictures(*sizes)
    total = len(examples)

    def stream() -> Stream:
        return Stream(examples, seed=seed, name="x", per_picture=per_picture, stretch=stretch)

    whole = stream().take(0, 5 * total + 100)
    for epoch in range(5):
        assert sorted(whole[epoch * total : (epoch + 1) * total]) == list(range(total))
    assert stream().take(start, count) == whole[start : start + count]


@given(
    size=st.integers(1, 40),
    batch=st.integers(1, 20),
    start=st.integers(0, 60),
    per_picture=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_no_step_holds_a_record_twice_unless_the_set_is_too_small_for_it(
    size: int, batch: int, start: int, per_picture: int, seed: int
) -> None:
    examples = [Encoded(f"r{i}", [0], [0], 0, {}, None, f"p{i // 3}") for i in range(size)]
    stream = Stream(examples, seed=seed, name="x", per_picture=per_picture, batch=batch)
    for step in (start, start + 1):  # read from anywhere, as a resumed training does
        taken = stream.take(step * batch, batch)
        assert len(set(taken)) == min(size, batch) or batch > size
    epoch = start * batch // size
    assert sorted(stream.order(epoch)) == list(range(size))
    fresh = Stream(examples, seed=seed, name="x", per_picture=per_picture, batch=batch)
    assert fresh.take(start * batch, 3 * batch) == [
        i for k in range(3) for i in stream.take((start + k) * batch, batch)
    ]


def test_each_pass_is_shuffled_afresh_and_each_name_by_itself() -> None:
    examples = of_pictures(1, 1, 1, 1, 1, 1, 1, 1)
    stream = Stream(examples, seed=0, name="forget")
    assert stream.order(0) != stream.order(1)
    assert stream.order(0) != Stream(examples, seed=0, name="retain").order(0)
    assert stream.order(0) != Stream(examples, seed=1, name="forget").order(0)


def test_questions_of_a_picture_stand_together_so_many_at_a_time() -> None:
    examples = of_pictures(*[8] * 12)

    def pictures_a_batch(per_picture: int) -> float:
        order = Stream(examples, seed=0, name="x", per_picture=per_picture).order(0)
        batches = [order[i : i + 8] for i in range(0, len(order), 8)]
        return sum(len({examples[i].image_key for i in batch}) for batch in batches) / len(batches)

    assert pictures_a_batch(0) == 1
    assert pictures_a_batch(4) <= 2
    assert pictures_a_batch(1) > 5


def test_records_without_a_picture_are_not_taken_for_one_picture() -> None:
    examples = [example(n) for n in range(20)]
    order = Stream(examples, seed=0, name="x", per_picture=0).order(0)
    assert order != sorted(order)


def test_records_of_similar_length_come_together() -> None:
    examples = [example(n, None, 10 + 40 * (n % 2)) for n in range(80)]

    def padding(stretch: int) -> int:
        order = Stream(examples, seed=0, name="x", stretch=stretch).order(0)
        batches = [[len(examples[i].input_ids) for i in order[b : b + 8]] for b in range(0, 80, 8)]
        return sum(8 * max(batch) - sum(batch) for batch in batches)

    assert padding(40) < padding(1) / 3


def test_a_step_sees_the_same_records_however_it_is_divided(
    fresh: Callable[[], tuple[Any, Any]], make_plan: Callable[..., BatchPlan]
) -> None:
    _, processor = fresh()

    def steps(batch_size: int, accumulation: int) -> list[dict[str, list[str]]]:
        plan = make_plan(processor, batch_size=batch_size, accumulation=accumulation, steps=5)
        batches = list(plan.batches())
        assert len(batches) == len(plan) == 5 * accumulation
        return [
            {
                name: [r for b in batches[s * accumulation : (s + 1) * accumulation] for r in b.side(name).record_ids]
                for name in plan.sources
            }
            for s in range(5)
        ]

    assert steps(4, 1) == steps(1, 4) == steps(2, 2)


def test_forget_and_retain_never_fall_out_of_step(
    fresh: Callable[[], tuple[Any, Any]], make_plan: Callable[..., BatchPlan], league: OffsideDataset
) -> None:
    _, processor = fresh()
    plan = make_plan(processor, batch_size=4, steps=9)  # 36 records: 6 passes over forget, 3 over retain.
    seen: dict[str, list[str]] = {"forget": [], "retain": [], "refusal": []}
    for batch in plan.batches():
        for name, records in seen.items():
            assert len(batch.side(name).record_ids) == 4
            records.extend(batch.side(name).record_ids)
    assert seen["refusal"] == seen["forget"]
    for name, passes in (("forget", 6), ("retain", 3)):
        expected = sorted(list(league.records("multimodal", name)["record_id"]) * passes)
        assert sorted(seen[name]) == expected


def test_divisors_add_up_to_the_step(fresh: Callable[[], tuple[Any, Any]], make_plan: Callable[..., BatchPlan]) -> None:
    _, processor = fresh()
    whole = next(make_plan(processor, batch_size=4).batches())
    parts = list(itertools.islice(make_plan(processor, batch_size=1, accumulation=4).batches(), 4))
    tokens = sum(int((part.forget.inputs["labels"] != -100).sum()) for part in parts)
    assert whole.forget.tokens == tokens
    assert [part.forget.tokens for part in parts] == [tokens / 4] * 4
    assert [part.forget.records for part in parts] == [1] * 4


def test_each_epoch_changes_the_pictures_anew(
    fresh: Callable[[], tuple[Any, Any]], make_plan: Callable[..., BatchPlan]
) -> None:
    _, processor = fresh()
    plan = make_plan(processor, batch_size=6, steps=3)
    assert [plan[i].epoch for i in range(3)] == [0, 1, 2]
    next(plan.batches())
    assert plan.collator.epoch == 0


def test_batches_move_to_a_device(fresh: Callable[[], tuple[Any, Any]], make_plan: Callable[..., BatchPlan]) -> None:
    _, processor = fresh()
    batch = next(make_plan(processor).batches()).to(torch.device("meta"))
    assert batch.forget.inputs["pixel_values"].device.type == "meta"
    assert batch.retain.inputs["labels"].device.type == "meta"


def test_a_batch_that_nobody_asked_for_says_so(
    fresh: Callable[[], tuple[Any, Any]], make_plan: Callable[..., BatchPlan]
) -> None:
    _, processor = fresh()
    batch = next(make_plan(processor).batches())
    with pytest.raises(KeyError, match="needs"):
        batch.side("train")


@pytest.mark.parametrize(
    ("records", "batch_size", "epochs", "max_steps", "steps"),
    [(10, 4, 1, None, 3), (8, 4, 2, None, 4), (8, 4, 0.5, None, 1), (3, 8, 0.1, None, 1), (10, 4, 1, 7, 7)],
)
def test_count_steps(records: int, batch_size: int, epochs: float, max_steps: int | None, steps: int) -> None:
    assert count_steps(records, batch_size=batch_size, epochs=epochs, max_steps=max_steps) == steps


def test_no_records_is_an_error(fresh: Callable[[], tuple[Any, Any]]) -> None:
    _, processor = fresh()
    with pytest.raises(UsageError, match="there are no records to be forgotten"):
        encode_rows(Encoder(processor), [], "records to be forgotten")


def test_slices_take_turns_whatever_their_sizes() -> None:
    """However a step is cut, each slice has its share of it, in its own order."""
    parts = [Stream(of_pictures(2), seed=0, name="few"), Stream(of_pictures(4, 3, 2, 1), seed=0, name="many")]
    mixed = Interleaved(parts)
    taken = mixed.take(0, 40)
    assert taken == [number for start in range(0, 40, 5) for number in mixed.take(start, 5)]
    assert taken[::2] == parts[0].take(0, 20)
    assert taken[1::2] == [2 + number for number in parts[1].take(0, 20)]
    assert mixed.size == 12
    assert mixed.take(7, 0) == []
