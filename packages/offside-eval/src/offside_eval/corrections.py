"""Scores corrected by hand: who, why, and what stood there before. Nothing that was measured is written over.

`corrections.jsonl` of a results folder has a line a correction, oldest first; `samples.parquet` stays as it was.
Whoever loads the results gets the corrected scores and aggregates of these. What was corrected wrongly is corrected
again.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data import strict
from offside_data.files import write_text
from offside_data.limits import LIST
from offside_data.parsing import parse_json
from offside_data.reading import read_small
from offside_data.strict import Strict
from offside_eval.meta import ResultsError

if TYPE_CHECKING:
    import polars as pl

CORRECTIONS = "corrections.jsonl"
Place = tuple[str, str, str]
"""Record, variant and metric."""


@dataclass(frozen=True, kw_only=True)
class Correction(Strict):
    """One score that somebody corrected.

    Args:
        record_id: The record.
        variant: How its picture was shown.
        metric: The metric.
        before: The score until then; null if there was none.
        before_kind: Its kind of answer.
        before_skipped: Why there was none.
        value: The score from then on; null where the record can't be scored.
        kind: Its kind of answer; null if nobody said.
        skipped: Why there is none.
        by: Who corrected it: a pseudonym will do.
        reason: Why.
        at: When, in UTC.
    """

    record_id: str
    variant: str
    metric: str
    before: float | None
    before_kind: str | None
    before_skipped: str | None
    value: float | None
    kind: str | None
    skipped: str | None
    by: str
    reason: str
    at: str

    @property
    def place(self) -> Place:
        """What is corrected."""
        return self.record_id, self.variant, self.metric


def read_corrections(results: Path) -> tuple[Correction, ...]:
    """The corrections of a results folder, oldest first.

    Raises:
        ResultsError: If a line is none of ours.
    """
    file = results / CORRECTIONS
    try:
        # Not `splitlines`: a text in it may hold other characters that end lines.
        lines = read_small(file, error=ResultsError, limit=LIST).removesuffix("\n").split("\n")
    except FileNotFoundError:
        return ()
    found = []
    for number, line in enumerate(lines if lines != [""] else (), 1):
        where, remedy = f"{file}, line {number}", "Take the file back from a copy, or delete the line."
        try:
            content = parse_json(line)
        except ValueError as error:
            raise ResultsError(f"{where}: not valid JSON: {error}. {remedy}") from error
        correction = strict.read(Correction, content, where, ResultsError, remedy=remedy)
        wrong = [v for v in (correction.before, correction.value) if v is not None and not math.isfinite(v)]
        if wrong or (correction.value is None) != (correction.skipped is not None):
            raise ResultsError(f"{where}: it must have a finite value, or the reason why there is none. {remedy}")
        found.append(correction)
    return tuple(found)


def write_corrections(results: Path, corrections: Sequence[Correction]) -> None:
    """Write all corrections of a results folder, whole or not at all."""
    lines = (json.dumps(dataclasses.asdict(c), ensure_ascii=False, allow_nan=False) for c in corrections)
    write_text(results / CORRECTIONS, "".join(f"{line}\n" for line in lines), durable=True)


def corrected(samples: pl.DataFrame, corrections: Sequence[Correction], where: str | Path) -> pl.DataFrame:
    """Samples with the corrections in place.

    Args:
        samples: As they were measured.
        corrections: Oldest first.
        where: Their file, for messages.

    Raises:
        ResultsError: If one isn't about these samples: another score stands where it says what stood before.
    """
    now: dict[Place, tuple[float | None, str | None, str | None]] = {}
    for c in corrections:
        if c.place not in now:
            now[c.place] = score_at(samples, c.place) or (None, None, None)
        if now[c.place] != (c.before, c.before_kind, c.before_skipped):
            stands = now[c.place][0]
            raise ResultsError(
                f"{where}: it says that {c.metric} of record {c.record_id} ({c.variant}) was {c.before} before, but it "
                f"is {stands}: the corrections are of another evaluation. Move the file elsewhere, or take back the "
                "samples that it is of."
            )
        now[c.place] = (c.value, c.kind, c.skipped)
    return _with_scores(samples, now)


def uncorrected(samples: pl.DataFrame, corrections: Sequence[Correction]) -> pl.DataFrame:
    """Corrected samples as they were measured."""
    first: dict[Place, tuple[float | None, str | None, str | None]] = {}
    for c in corrections:
        first.setdefault(c.place, (c.before, c.before_kind, c.before_skipped))
    return _with_scores(samples, first)


def score_at(samples: pl.DataFrame, place: Place) -> tuple[float | None, str | None, str | None] | None:
    """Score, kind and reason that stand somewhere; null if there is no such place."""
    record, variant, metric = place
    columns = [metric, f"{metric}.kind", f"{metric}.skipped"]
    if not set(columns) <= set(samples.columns):
        return None
    rows = samples.filter((samples["record_id"] == record) & (samples["variant"] == variant)).select(columns)
    return None if rows.is_empty() else rows.row(0)


def _with_scores(
    samples: pl.DataFrame, scores: dict[Place, tuple[float | None, str | None, str | None]]
) -> pl.DataFrame:
    import polars as pl

    for (record, variant, metric), found in scores.items():
        here = (pl.col("record_id") == record) & (pl.col("variant") == variant)
        samples = samples.with_columns(
            pl.when(here).then(pl.lit(value, dtype=kind)).otherwise(pl.col(name)).alias(name)
            for name, value, kind in zip(
                (metric, f"{metric}.kind", f"{metric}.skipped"), found, (pl.Float64, pl.String, pl.String), strict=True
            )
        )
    return samples


def told(corrections: Sequence[Correction]) -> dict[str, Any]:
    """How many scores were corrected, of which metrics, by whom."""
    return {
        "n": len({c.place for c in corrections}),
        "metrics": sorted({c.metric for c in corrections}),
        "by": sorted({c.by for c in corrections}),
    }
