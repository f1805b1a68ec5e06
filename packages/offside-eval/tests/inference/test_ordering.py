from __future__ import annotations

import itertools

from offside_eval.inference.asking import Item
from offside_eval.inference.ordering import in_batches


def test_batches_are_the_same_in_any_order_and_keep_everything(items: list[Item]) -> None:
    batches = in_batches(items, 7)
    assert batches == in_batches(items[::-1], 7)
    assert sorted(i.key for b in batches for i in b) == sorted(i.key for i in items)
    assert {len(b) for b in batches[:-1]} == {7}


def test_similar_lengths_stand_together_and_then_the_pictures(items: list[Item]) -> None:
    ordered = [item for (item,) in in_batches(items, 1)]
    lengths = [len(i.prompt.input_ids) for i in ordered]
    assert all(b > a / 1.25 - 1 for a, b in itertools.pairwise(lengths))
    alike = [i for i in ordered if len(i.prompt.input_ids) == lengths[-1] and len(i.answers[0]) == 8]
    keys = [i.prompt.image_key or "" for i in alike]
    assert keys == sorted(keys)


def test_questions_about_one_picture_stand_together_where_they_are_one_row(items: list[Item]) -> None:
    batches = in_batches(items, 7, by_picture=True)
    assert batches == in_batches(items[::-1], 7, by_picture=True)
    ordered = [item for batch in batches for item in batch]
    assert sorted(i.key for i in ordered) == sorted(i.key for i in items)
    keys = [key for key, _ in itertools.groupby(i.prompt.image_key for i in ordered)]
    assert len(keys) == len(set(keys)) > 2
