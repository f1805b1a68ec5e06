"""What a method is told about its request, and the sides of its own that it may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from offside_unlearn.batches import encode_rows, leave_out_first

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset
    from offside_data.request import Request
    from offside_data.vlm import Encoded, Encoder


@dataclass(frozen=True)
class RequestRecords:
    """One request, as a method sees it that asks for sides of its own.

    Args:
        dataset: All of the data.
        request: What is asked for, before any limit.
        forget: The records to be forgotten: a `datasets.Dataset`.
        retain: The records that training keeps, by slice, as many as a limit leaves.
        seed: Of the run.
        folder: Where a method may write a table (`*.parquet`) that goes with the run.
    """

    dataset: OffsideDataset
    request: Request
    forget: Any
    retain: Mapping[str, Any]
    seed: int
    folder: Path


@dataclass(frozen=True)
class SideRecords:
    """One side that a method asks for.

    Args:
        rows: Its records: a `datasets.Dataset` in place of the side `forget`, else any mappings, also in place of the
            side `retain`. What stands for one record on several sides has one `record_id` on all of them.
        answers: By record id, in place of their own.
        follows: Whose order its batches have: that of the side `forget` or `retain`, row by row. Null: it stands in
            no batch, and only the frozen model reads it, once, before training.
        without_first: By record id, how many answer tokens at the start count for nothing.
    """

    rows: Any
    answers: Mapping[str, str] | None = None
    follows: Literal["forget", "retain"] | None = "forget"
    without_first: Mapping[str, int] = field(default_factory=dict)

    def encoded(self, encoder: Encoder, what: str) -> list[Encoded]:
        """Encode them.

        Args:
            encoder: Of the model.
            what: What they are called in messages.

        Raises:
            UsageError: If there are none.
            RecordError: If one can't be encoded, or has no answer token that counts.
        """
        examples = encode_rows(encoder, self.rows, what, answers=self.answers)
        return [leave_out_first(example, self.without_first.get(example.record_id, 0)) for example in examples]
