"""Finished batches on disk, so that an interrupted evaluation goes on where it was."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from offside_data.files import write_text

T = TypeVar("T")


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
        return [None if row is None else kind(**{name: _read(v) for name, v in row.items()}) for row in rows]

    def save(self, stage: str, number: int, outcomes: Sequence[Any]) -> None:
        """Keep the outcomes of a batch, whole or not at all."""
        rows = [
            None if outcome is None else {name: _write(v) for name, v in dataclasses.asdict(outcome).items()}
            for outcome in outcomes
        ]
        write_text(self._path(stage, number), json.dumps(rows, ensure_ascii=False, allow_nan=False))

    def _path(self, stage: str, number: int) -> Path:
        return self._folder / f"{stage}-{number:06d}.json"


def _write(value: Any) -> Any:
    """Tuples of floats as lists, numbers that JSON lacks (a broken model's) as null."""
    if isinstance(value, (tuple, list)):
        return [v if math.isfinite(v) else None for v in value]
    return value


def _read(value: Any) -> Any:
    return tuple(math.nan if v is None else v for v in value) if isinstance(value, list) else value
