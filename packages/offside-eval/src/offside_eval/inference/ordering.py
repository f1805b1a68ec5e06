"""Which questions go into one batch: similar lengths together, and the questions about one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from offside_eval.inference.asking import Item

_PROMPT_STEP = 1.25
_ANSWER_STEP = 1.5


def in_batches(items: Sequence[Item], size: int, *, by_picture: bool = False) -> list[list[Item]]:
    """Cut items into batches of `size`; the same items give the same batches in whatever order they come.

    Prompts whose lengths differ by up to a quarter share a bucket, gold answers by up to a half:
    little is spent on padding and on rows that ended before their batch. Within a bucket the
    questions about one picture stand together, so that it passes the vision tower once for them.

    Args:
        items: The questions.
        size: Of a batch; the last one may be smaller.
        by_picture: Keep the questions about one picture together before all else: for passes in which they are one row.
    """
    longest: dict[str | None, int] = {}
    for item in items if by_picture else ():
        key = item.prompt.image_key
        longest[key] = max(longest.get(key, 0), len(item.prompt.input_ids))

    def place(item: Item) -> tuple[object, ...]:
        length, picture = len(item.prompt.input_ids), item.prompt.image_key
        answer = _bucket(len(item.answers[0]), _ANSWER_STEP)
        if by_picture and picture is not None:
            return True, _bucket(longest[picture], _PROMPT_STEP), picture, answer, length, item.key
        if by_picture:
            return False, _bucket(length, _PROMPT_STEP), "", answer, length, item.key
        return _bucket(length, _PROMPT_STEP), answer, picture or "", length, item.key

    ordered = sorted(items, key=place)
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]


def _bucket(length: int, step: float) -> int:
    return int(math.log(max(1, length), step))
