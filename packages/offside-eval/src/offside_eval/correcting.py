"""Correct a score by hand; what is written down and how it is read stands in `corrections`."""

from __future__ import annotations

import datetime
import math
from pathlib import Path

from offside_data.dataset.lock import held
from offside_data.errors import UsageError
from offside_data.plugins import did_you_mean, require_known
from offside_eval.corrections import Correction, score_at, uncorrected, write_corrections
from offside_eval.metrics import load_metric
from offside_eval.results import Results

_LONGEST = 2_000


def correct(
    results: str | Path,
    record_id: str,
    metric: str,
    value: float | None,
    *,
    by: str,
    reason: str,
    variant: str = "plain",
    kind: str | None = None,
    undo: bool = False,
) -> Correction:
    """Correct one score of a finished evaluation, in all its slices.

    Args:
        results: The results folder.
        record_id: The record.
        metric: Name of the metric.
        value: The right score; null where the record can't be scored.
        by: Who says so.
        reason: Why.
        variant: How the picture was shown.
        kind: What kind of answer it is, e.g. `correct`.
        undo: Put what was measured back; `value` and `kind` are of no account.

    Returns:
        What was written down.

    Raises:
        ResultsError: If the folder holds no finished evaluation.
        UsageError: If there is no such record or metric, the score can't be one, or stands there already.
        FolderInUseError: If another process changes the folder.
    """
    results = Path(results)
    by, reason = _told("by", by), _told("reason", reason)
    _require_text("kind", kind or "")
    Results.load(results)
    with held(results, results / ".progress"):
        loaded = Results.load(results)
        require_known("metric", [metric], loaded.metrics)
        before = score_at(loaded.samples, (record_id, variant, metric))
        if before is None:
            known = loaded.samples["record_id"].unique().to_list()
            there = sorted(loaded.samples.filter(loaded.samples["record_id"] == record_id)["variant"].unique())
            hint = f" It was asked as {', '.join(there)}." if there else did_you_mean(record_id, known)
            raise UsageError(f"{results}: there is no record {record_id!r}, {variant}.{hint}")
        if undo:
            measured = score_at(uncorrected(loaded.samples, loaded.corrections), (record_id, variant, metric))
            assert measured is not None
            value, kind, skipped = measured
        else:
            skipped = reason if value is None else None
            _require_score(metric, value, kind)
        if (value, kind, skipped) == before:
            raise UsageError(f"{results}: {metric} of record {record_id} is {value} already.")
        made = Correction(
            record_id=record_id,
            variant=variant,
            metric=metric,
            before=before[0],
            before_kind=before[1],
            before_skipped=before[2],
            value=value,
            kind=kind,
            skipped=skipped,
            by=by,
            reason=reason,
            at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        write_corrections(results, (*loaded.corrections, made))
    return made


def _told(what: str, text: str) -> str:
    """A text that says something.

    Raises:
        UsageError: If it doesn't.
    """
    text = " ".join(text.split())
    if not text or len(text) > _LONGEST:
        raise UsageError(f"--{what} must say something, in at most {_LONGEST:,} characters.")
    _require_text(what, text)
    return text


def _require_text(what: str, text: str) -> None:
    """Raise a `UsageError` for bytes of the command line that are no text: no file could hold them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"--{what} must be UTF-8 text, got {text!r}.") from None


def _require_score(metric: str, value: float | None, kind: str | None) -> None:
    low, high = load_metric(metric).bounds
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise UsageError(f"{metric} lies between {low:g} and {high:g}, got {value!r}.")
    if metric == "value_match" and kind is not None:
        from offside_eval.metrics.value_match import KINDS

        require_known("kind of answer", [kind], KINDS)
        if value is not None and (kind == "correct") != (value == high):
            raise UsageError(f"an answer of kind {kind!r} can't score {value:g}.")
