"""Which questions go into one batch: similar lengths together, and the questions about one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from offside_eval.inference.asking import Item

_PROMPT_STEP = 1.25
_ANSWER_STEP = 1.5


def in_batches(items: Sequence[Item], size: int) -> list[list[Item]]:
    """Cut items into batches of `size`; the same items give the same batches in whatever order they come.

    Prompts whose lengths differ by up to a quarter share a bucket, gold answers by up to a half:
    little is spent on padding and on rows that ended before their batch. Within a bucket the
    questions about one picture stand together, so that it passes the vision tower once for them.
    """

    def place(item: Item) -> tuple[int, int, str, int, str]:
        return (
            _bucket(len(item.prompt.input_ids), _PROMPT_STEP),
            _bucket(len(item.answers[0]), _ANSWER_STEP),
            item.prompt.image_key or "",
            len(item.prompt.input_ids),
            item.key,
        )

    ordered = sorted(items, key=place)
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]


def _bucket(length: int, step: float) -> int:
    return int(math.log(max(1, length), step))
