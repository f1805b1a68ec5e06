"""A judge's scores beside the results they are about: `judge/NAME.parquet`, and in `judge/NAME.json` what they come to.

The results' own files stay as they are. `NAME.json` is written last and says of which bytes it is, so that scores of
other answers, or half-written ones, are never taken for these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data import strict
from offside_data.files import sha256_file, whole_file, write_json
from offside_data.limits import LIST
from offside_data.parsing import parse_json
from offside_data.reading import read_small
from offside_data.strict import Strict
from offside_eval.aggregate import clusters
from offside_eval.judge.rubric import HIGHEST
from offside_eval.meta import ResultsError
from offside_eval.statistics import mean_estimate

if TYPE_CHECKING:
    import polars as pl

FOLDER = "judge"
PREFIX = "judge:"
"""Begins the name by which a judge's score is a metric, from 0 to 1: `compare --metric judge:NAME`."""
SCHEMA = 1
COLUMNS: dict[str, str] = {
    "record_id": "String",
    "variant": "String",
    "score": "Float64",
    "skipped": "String",
    "said": "String",
    "question_key": "String",
}
"""Columns of `judge/NAME.parquet`, one row a record and variant.

`score` is from 0 to 10, null where `skipped` says why. `said` is the judge's reason, or what it said instead of a
verdict. `question_key` is the digest of what the judge was asked; null where it wasn't.
"""
IDENTITY = ("judge_model", "rubric_digest", "temperature", "max_tokens", "json_mode", "pictures")
"""Keys of `JudgeMeta` that make it the same judge asked the same way; where it runs may change."""
_GROUP = ["slice", "variant"]


@dataclass(frozen=True, kw_only=True)
class JudgedSlice(Strict):
    """What a judge says of one group of records.

    Args:
        slice: Name of the slice.
        variant: How pictures were shown.
        scope: `shared` or `private`; null for the whole slice.
        value: The mean score, from 0 to 10; null if none was scored.
        low: Lower bound of its interval over subjects, null where there is none.
        high: Upper bound.
        n_scored: Records behind the mean.
        n_unscored: Records that the judge couldn't score, or wasn't asked about.
        n_subjects: Subjects behind the mean.
        reasons: Unscored records by reason.
    """

    slice: str
    variant: str
    scope: str | None
    value: float | None
    low: float | None
    high: float | None
    n_scored: int
    n_unscored: int
    n_subjects: int
    reasons: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class JudgeMeta(Strict):
    """What `judge/NAME.json` says: who judged, how, what came of it.

    Args:
        name: The judge's name.
        judge_model: The model, as the endpoint knows it.
        served: What the endpoints said they are, if they did.
        endpoints: Who was asked.
        rubric: Its name.
        rubric_digest: Of all of it.
        temperature: Of its answers.
        max_tokens: Where they were cut.
        json_mode: Whether JSON mode was asked for.
        pictures: Whether it saw the pictures.
        slices: The slices asked about; empty for all.
        limit: At most so many records.
        seed: Of their choice.
        complete: Whether all that was to be asked was.
        samples: SHA-256 of the `samples.parquet` that was judged.
        table: SHA-256 of `NAME.parquet`.
        n_scored: Records scored.
        n_unscored: Records that weren't.
        reasons: These by reason.
        aggregates: By slice, scope and variant.
    """

    name: str
    judge_model: str
    served: tuple[str, ...]
    endpoints: tuple[str, ...]
    rubric: str
    rubric_digest: str
    temperature: float
    max_tokens: int
    json_mode: bool
    pictures: bool
    slices: tuple[str, ...]
    limit: int | None
    seed: int
    complete: bool
    samples: str
    table: str
    n_scored: int
    n_unscored: int
    reasons: Mapping[str, int]
    aggregates: tuple[JudgedSlice, ...]


@dataclass(frozen=True, eq=False)
class Judged:
    """What one judge said of one evaluation.

    Args:
        meta: Who judged, how, what came of it.
        table: One row a record and variant; columns as in `COLUMNS`.
    """

    meta: JudgeMeta
    table: pl.DataFrame

    @property
    def metric(self) -> str:
        """The name by which it is a metric, from 0 to 1."""
        return PREFIX + self.meta.name


def files_of(results: Path, name: str) -> tuple[Path, Path, Path]:
    """Where a judge's answers, its table and what it comes to are kept."""
    folder = results / FOLDER
    return folder / f"{name}.answers.jsonl", folder / f"{name}.parquet", folder / f"{name}.json"


def read_meta(file: Path) -> JudgeMeta | None:
    """What a `judge/NAME.json` says; null if there is none.

    Raises:
        ResultsError: If it can't be read.
    """
    try:
        text = read_small(file, error=ResultsError, limit=LIST)
    except FileNotFoundError:
        return None
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ResultsError(f"{file}: not valid JSON: {error}. Judge again with --force.") from error
    schema = content.pop("schema", None) if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise ResultsError(f"{file}: schema {schema!r}; this version reads {SCHEMA}. Judge again with --force.")
    return strict.read(JudgeMeta, content, file, ResultsError, remedy="Judge again with --force.")


def write_scores(results: Path, meta: Mapping[str, Any], table: pl.DataFrame) -> JudgeMeta:
    """Write the table, then what it comes to.

    Args:
        results: The results folder.
        meta: `JudgeMeta` but for the table's digest.
        table: The scores.
    """
    _, parquet, file = files_of(results, meta["name"])
    with whole_file(parquet) as partial:
        table.write_parquet(partial, compression="zstd")
    content = {"schema": SCHEMA, **meta, "table": sha256_file(parquet)}
    content["aggregates"] = [_plain(entry) for entry in meta["aggregates"]]
    write_json(file, content)
    written = read_meta(file)
    assert written is not None
    return written


def _plain(entry: JudgedSlice) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in JudgedSlice.__dataclass_fields__}


def judged(results: Path | None, names: tuple[str, ...] = ()) -> tuple[list[Judged], list[str]]:
    """What judges said of an evaluation, by name, and remarks on what can't be used.

    Args:
        results: The results folder; null for results in memory.
        names: Only these judges; empty takes all.

    Raises:
        ResultsError: If something there is damaged.
    """
    import polars as pl

    found: list[Judged] = []
    remarks: list[str] = []
    if results is None or not (results / FOLDER).is_dir():
        return found, remarks
    samples = sha256_file(results / "samples.parquet")
    for file in sorted((results / FOLDER).glob("*.json")):
        meta = None if names and file.stem not in names else read_meta(file)
        if meta is None:
            continue
        parquet = file.with_suffix(".parquet")
        again = f"Run offside-eval judge again for the judge {meta.name}; what was answered isn't asked twice."
        if meta.samples != samples:
            remarks.append(f"{file} is of other answers than those in the folder now: left out. {again}")
            continue
        if not parquet.is_file() or sha256_file(parquet) != meta.table:
            remarks.append(f"{parquet} isn't the table that {file.name} is of: left out. {again}")
            continue
        found.append(Judged(meta, pl.read_parquet(parquet)))
    return found, remarks


def with_metric(samples: pl.DataFrame, by: Judged) -> pl.DataFrame:
    """Samples with a judge's score as a metric, from 0 to 1 as intervals need it."""
    import polars as pl

    own = [pl.col("score") / HIGHEST, pl.col("skipped")]
    scores = by.table.select("record_id", "variant", own[0].alias(by.metric), own[1].alias(f"{by.metric}.skipped"))
    kind = pl.lit(None, dtype=pl.String).alias(f"{by.metric}.kind")
    return samples.join(scores, on=["record_id", "variant"], how="left", maintain_order="left").with_columns(kind)


def by_slice(samples: pl.DataFrame, table: pl.DataFrame) -> list[JudgedSlice]:
    """What a table comes to, by slice, scope and variant; groups that weren't to be judged aren't in it.

    Args:
        samples: The rows that may be counted.
        table: The scores.
    """
    joined = samples.select("record_id", "subject_id", "image_id", "scope", *_GROUP).join(
        table.select("record_id", "variant", "score", "skipped"), on=["record_id", "variant"], maintain_order="left"
    )
    entries = []
    for key, group in joined.group_by(_GROUP, maintain_order=True):
        for scope in (None, *sorted(group["scope"].drop_nulls().unique())):
            rows = group if scope is None else group.filter(group["scope"] == scope)
            scored = rows.filter(rows["score"].is_not_null())
            value = low = high = None
            if not scored.is_empty():
                interval = mean_estimate((scored["score"] / HIGHEST).to_numpy(), clusters(scored)).interval()
                value, low, high = (
                    None if end is None else end * HIGHEST for end in (interval.value, interval.low, interval.high)
                )
            entries.append(
                JudgedSlice(
                    slice=str(key[0]),
                    variant=str(key[1]),
                    scope=scope,
                    value=value,
                    low=low,
                    high=high,
                    n_scored=scored.height,
                    n_unscored=rows.height - scored.height,
                    n_subjects=len(set(clusters(scored))),
                    reasons=counted_reasons(rows["skipped"].drop_nulls().to_list()),
                )
            )
    return entries


def counted_reasons(reasons: list[str]) -> dict[str, int]:
    """How often each, the most frequent first."""
    return dict(sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0])))
