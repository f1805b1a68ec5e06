"""Finished batches on disk, so that an interrupted evaluation goes on where it was."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from offside_data.files import write_text

T = TypeVar("T")

EVERY = 0.2
"""Seconds between two looks at what another process does."""


class SavedBatches:
    """One small JSON file a batch, in a folder that belongs to one evaluation.

    Args:
        folder: Where to keep them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, stage: str, number: int, kind: type[T]) -> list[T | None] | None:
        """The outcomes of a batch, as instances of the dataclass `kind`; null if it isn't finished."""
        try:
            rows = json.loads(self._path(stage, number).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # A power cut can leave a file without its content.
            return None
        return [None if row is None else from_plain(kind, row) for row in rows]

    def wait(self, stage: str, number: int, kind: type[T]) -> list[T | None]:
        """The outcomes of a batch that another process asks, as soon as they are there.

        Whoever started the processes ends all of them when one fails, so that this doesn't wait for ever.
        """
        while (outcomes := self.load(stage, number, kind)) is None:
            time.sleep(EVERY)
        return outcomes

    def save(self, stage: str, number: int, outcomes: Sequence[Any]) -> None:
        """Keep the outcomes of a batch, whole or not at all."""
        rows = [None if outcome is None else to_plain(outcome) for outcome in outcomes]
        write_text(self._path(stage, number), json.dumps(rows, ensure_ascii=False, allow_nan=False))

    def _path(self, stage: str, number: int) -> Path:
        return self._folder / f"{stage}-{number:06d}.json"


def to_plain(outcome: Any) -> dict[str, Any]:
    """An instance of a dataclass of texts, numbers and tuples of numbers, as JSON has it."""
    return {name: _write(value) for name, value in dataclasses.asdict(outcome).items()}


def from_plain(kind: type[T], row: Mapping[str, Any]) -> T:
    """What `to_plain` was given."""
    return kind(**{name: _read(value) for name, value in row.items()})


def _write(value: Any) -> Any:
    """Tuples of floats as lists, numbers that JSON lacks (a broken model's) as null."""
    if isinstance(value, (tuple, list)):
        return [v if math.isfinite(v) else None for v in value]
    return value


def _read(value: Any) -> Any:
    return tuple(math.nan if v is None else v for v in value) if isinstance(value, list) else value
