"""The results folder that `offside-eval run` writes and every other command reads.

```
samples.parquet    one row a record, slice and variant: what was asked, answered, and every score
weighings.parquet  one row a question: how likely its answers are, for metrics that are added later
membership.parquet likelihoods of claims to be forgotten and of ones never seen, if membership was asked for
depth.parquet      what the model's hidden states do to vanilla, if depth was asked for and the controls were there
aggregates.json    means with intervals per slice, scope and variant
results.json       what was evaluated with what: written last, so that its presence means "finished"
timing.json        seconds (the attacks', too) and answers a second; apart, so that everything else is byte-identical
model_index.yaml   the same aggregates as `model-index` metadata for a model card
eval_results.yaml  those that are the better the higher, as the Hub's `.eval_results/*.yaml`
model_metrics.json metrics of the whole model, some of them beside controls; may be added to at any time
attacks/           what attacks got out, if any were asked for (`attack_results`)
corrections.jsonl  scores that somebody corrected: who, why, what stood there before; only where there are any
judge/             what judges said, if any were asked: see `judge.scores`
```

A metric `m` fills three columns: `m` (its value, null when not scored), `m.kind` (what sort of
answer it was) and `m.skipped` (why it wasn't scored, null when it was).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.figures import counted as in_words
from offside_data.figures import number
from offside_data.files import whole_file, write_json
from offside_data.limits import LIST
from offside_data.notebook import html_form, short
from offside_data.parsing import parse_json
from offside_data.reading import read_small
from offside_eval.aggregate import Aggregate, aggregate
from offside_eval.attack_results import AttackResults, load_attacks
from offside_eval.config import HEADLINE_METRIC
from offside_eval.corrections import (
    CORRECTIONS,
    Correction,
    corrected,
    read_corrections,
    told,
    uncorrected,
    write_corrections,
)
from offside_eval.exporters import EXPORTERS
from offside_eval.meta import EvaluationMeta, ResultsError, checked

if TYPE_CHECKING:
    import polars as pl

SAMPLES, AGGREGATES, META = "samples.parquet", "aggregates.json", "results.json"
WEIGHINGS = "weighings.parquet"
MEMBERSHIP = "membership.parquet"
DEPTH = "depth.parquet"
CURVE = "curve.json"
"""Lists the results folders beside it, which are of the points of one run."""
SAMPLE_COLUMNS: dict[str, str] = {
    "record_id": "String",
    "subject_id": "String",
    "image_id": "String",
    "config": "String",
    "split": "String",
    "scope": "String",
    "attribute": "String",
    "modality": "String",
    "veracity": "String",
    "rumor_channel": "String",
    "slice": "String",
    "variant": "String",
    "n_choices": "Int64",
    "question": "String",
    "answer": "String",
    "prediction": "String",
    "n_new_tokens": "Int64",
    "ended": "Boolean",
    "held_out": "Boolean",
    "states_old": "Float64",
    "states_correction": "Float64",
    "states_donor": "Float64",
}
"""Columns of `samples.parquet` before the metrics', with their polars types.

`slice` is `forget`, `keep:<slice name>`, `measure:<slice name>`, or `earlier:<n>`, what the model's n-th request before
this one was about. `answer` is the gold answer of
the row: on `swapped` the value now shown; `states_old` says there whether the old value was given.
`states_correction` says on private forget records whether the value was given that corrects the rumour.
`states_donor` says whether the value was given of the donor that the run had for the record (`offside_data.donors`);
null where it had none, or the donor has no record of the attribute.
`held_out` marks the records by which the run that made the model was stopped: asked like the rest, but counted in no
aggregate and no comparison.
`n_choices` is null where no choices were weighed; guessing among them is right once in `n_choices`.
"""
_NEWER_COLUMNS = ("n_choices", "held_out", "states_donor")
"""Columns that files of this schema from before there were such don't have."""


@dataclass(frozen=True, repr=False)
class Results:
    """One evaluation of one model.

    Args:
        samples: One row a record, slice and variant; columns as in `SAMPLE_COLUMNS`, then the metrics'.
        aggregates: Means with intervals, one a metric, slice, scope and variant.
        meta: What was evaluated with what.
        path: The folder it was read from or written to; null when it exists in memory only.
        weighed: What `weighings` gives, where it isn't on disk yet.
        tested: What `members` gives, likewise.
        patched: What `depths` gives, likewise.
        attacks: What attacks on the model got out, by their names.
        corrections: Scores that somebody corrected, oldest first; `samples` and `aggregates` hold the corrected ones.
    """

    samples: pl.DataFrame
    aggregates: list[Aggregate]
    meta: EvaluationMeta
    path: Path | None = None
    weighed: pl.DataFrame | None = None
    tested: pl.DataFrame | None = None
    patched: pl.DataFrame | None = None
    attacks: Mapping[str, AttackResults] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()

    @property
    def weighings(self) -> pl.DataFrame | None:
        """How likely answers are, one row a question (see `offside_eval.weighings`); null where none were weighed.

        Raises:
            ResultsError: If the file is damaged.
        """
        return self.weighed if self.weighed is not None else self._table(WEIGHINGS)

    @property
    def members(self) -> pl.DataFrame | None:
        """Claims to be forgotten and ones never seen (see `offside_eval.membership`); null where none were asked.

        Raises:
            ResultsError: If the file is damaged.
        """
        return self.tested if self.tested is not None else self._table(MEMBERSHIP)

    @property
    def depths(self) -> pl.DataFrame | None:
        """What its hidden states do to vanilla (see `offside_eval.depth`); null where none were patched.

        Raises:
            ResultsError: If the file is damaged.
        """
        return self.patched if self.patched is not None else self._table(DEPTH)

    def _table(self, name: str) -> pl.DataFrame | None:
        import polars as pl

        if self.path is None or not (self.path / name).is_file():
            return None
        try:
            return pl.read_parquet(self.path / name)
        except pl.exceptions.PolarsError as error:
            raise ResultsError(f"{self.path / name}: damaged: {error}. Evaluate the model again.") from error

    @property
    def role(self) -> str:
        """What the model is: base, vanilla, retain_only, unlearned, relearned or unknown."""
        return self.meta.role

    @property
    def setting(self) -> str:
        """Name of the setting it was evaluated in."""
        return self.meta.setting

    @property
    def forget_digest(self) -> str:
        """Digest of the ids of the records that were to be forgotten."""
        return self.meta.forget.digest

    @property
    def metrics(self) -> list[str]:
        """Names of the per-sample metrics."""
        return list(self.meta.metrics)

    @classmethod
    def load(cls, path: str | Path) -> Results:
        """Read a finished results folder.

        Raises:
            ResultsError: If the folder doesn't hold finished results that this version can read.
        """
        import polars as pl

        path = Path(path)
        for name in (META, AGGREGATES, SAMPLES):
            if not (path / name).is_file():
                raise ResultsError(
                    f"{path}: no finished evaluation here ({name} is missing). Give the folder that "
                    "`offside-eval run OUT …` wrote; start that command again if it was interrupted."
                )
        meta = EvaluationMeta.from_json(_parsed(path / META), path / META)
        aggregates = checked(list[Aggregate], _parsed(path / AGGREGATES), path / AGGREGATES)
        try:
            samples = pl.read_parquet(path / SAMPLES)
        except pl.exceptions.PolarsError as error:
            raise ResultsError(f"{path / SAMPLES}: damaged: {error}. Evaluate the model again.") from error
        damage = _damage(samples, meta.metrics)
        if damage:
            raise ResultsError(f"{path / SAMPLES}: {damage}. Evaluate the model again.")
        corrections = read_corrections(path)
        if corrections:
            unknown = sorted({c.metric for c in corrections} - set(meta.metrics))
            if unknown:
                raise ResultsError(f"{path / CORRECTIONS}: corrects {', '.join(unknown)}, which wasn't computed.")
            samples = corrected(samples, corrections, path / CORRECTIONS)
            aggregates = aggregate(counted(samples), list(meta.metrics), setting=meta.setting)
        return cls(samples, aggregates, meta, path, attacks=load_attacks(path), corrections=corrections)

    def save(self, path: str | Path) -> Results:
        """Write the folder's files, each whole or not at all, `results.json` last.

        Returns:
            The same results with `path` set.
        """
        path, samples, aggregates = Path(path), self.samples, self.aggregates
        if self.corrections:  # What was measured is what is kept.
            samples = uncorrected(samples, self.corrections)
            aggregates = aggregate(counted(samples), self.metrics, setting=self.setting)
        with whole_file(path / SAMPLES) as partial:
            samples.write_parquet(partial, compression="zstd")
        write_json(path / AGGREGATES, [dataclasses.asdict(entry) for entry in aggregates])
        for name, table in ((WEIGHINGS, self.weighed), (MEMBERSHIP, self.tested), (DEPTH, self.patched)):
            if table is not None:
                with whole_file(path / name) as partial:
                    table.write_parquet(partial, compression="zstd")
        if self.corrections:
            write_corrections(path, self.corrections)
        write_json(path / META, self.meta.to_json())
        tables = (self.weighed, self.tested, self.patched)
        return Results(self.samples, self.aggregates, self.meta, path, *tables, corrections=self.corrections)

    def to_polars(self) -> pl.DataFrame:
        """One row a record, slice and variant, with every score: `samples`, which is a polars frame already."""
        return self.samples

    def report(self, out: str | Path, *, force: bool = False) -> Path:
        """Write the report on these results alone; `report.write_report` takes several.

        Args:
            out: The folder; whole or not at all.
            force: Replace a report that it holds.

        Returns:
            The page.

        Raises:
            OutputExistsError: If `out` already holds something and `force` is off.
        """
        written: Path = EXPORTERS.load("report").write([self], Path(out), force=force)
        return written

    def __repr__(self) -> str:
        """What was evaluated and how large it is; the headline metric by slice stands in `_repr_html_`."""
        return short(type(self).__name__, self._facts())

    def _repr_html_(self) -> str:
        """A small table for notebooks: the headline metric by slice and scope, with intervals."""
        metric = HEADLINE_METRIC if HEADLINE_METRIC in self.metrics else next(iter(self.metrics), "")
        rows = []
        for entry in self.aggregates:
            if entry.metric == metric and entry.variant == "plain":
                label = ", ".join(part for part in (entry.slice, entry.scope) if part)
                ends = "" if entry.low is None else f"[{number(entry.low)}, {number(entry.high)}]"
                rows.append([label, number(entry.value), ends, f"{entry.n_scored:,}"])
        return html_form(type(self).__name__, self._facts(), [metric, "mean", "95 %", "n"], rows)

    def _facts(self) -> list[tuple[str, str]]:
        model, data = self.meta.model, self.meta.dataset
        facts = [
            ("model", f"{model.path} ({self.role})"),
            ("setting", f"{self.setting}, suite {self.meta.suite}"),
            ("data", f"{data.name} {data.version}"),
            ("answers", f"{in_words(self.samples.height, 'row')}, {in_words(len(self.metrics), 'metric')}"),
            ("folder", str(self.path) if self.path else "in memory only"),
        ]
        n = told(self.corrections)["n"]
        return [*facts, *([("corrected", in_words(n, "score"))] if n else [])]


def _damage(samples: pl.DataFrame, metrics: Sequence[str]) -> str | None:
    """What is wrong with a table of samples; null if nothing is."""
    import polars as pl

    of_metrics = [column for m in metrics for column in (m, f"{m}.kind", f"{m}.skipped")]
    lacks = [c for c in (*SAMPLE_COLUMNS, *of_metrics) if c not in samples.columns and c not in _NEWER_COLUMNS]
    if lacks:
        return f"lacks the columns {', '.join(lacks)}"
    for metric in metrics:
        if samples.schema[metric] != pl.Float64:
            return f"{metric} holds {samples.schema[metric]}, not Float64"
        if not samples[metric].drop_nulls().is_finite().all():
            return f"{metric} holds values that aren't finite"
    return None


def counted(samples: pl.DataFrame) -> pl.DataFrame:
    """The rows that may be counted: those that the run wasn't stopped by."""
    return samples.filter(~samples["held_out"].fill_null(False)) if "held_out" in samples.columns else samples


def _parsed(file: Path) -> Any:
    text = read_small(file, error=ResultsError, limit=LIST)
    try:
        return parse_json(text)
    except ValueError as error:
        raise ResultsError(f"{file}: not valid JSON: {error}. Evaluate the model again.") from error


def places_of(path: str | Path) -> list[Path]:
    """The results folders that a path stands for: itself, or those of all points of a curve.

    Raises:
        ResultsError: If it holds a list of points that can't be read.
    """
    path = Path(path)
    if not (path / CURVE).is_file():
        return [path]
    content = _parsed(path / CURVE)
    try:
        names = [Path(str(point["results"])).name for point in content["points"]]
    except (KeyError, TypeError) as error:
        raise ResultsError(f"{path / CURVE}: not a list of points. Evaluate the curve again.") from error
    if not names:
        raise ResultsError(f"{path / CURVE}: lists no points. Evaluate the curve again.")
    return [path / name for name in names]


def samples_frame(rows: list[dict[str, Any]], metrics: list[str]) -> pl.DataFrame:
    """Rows as a data frame with exactly the columns of the format, missing cells null."""
    import polars as pl

    schema = {name: getattr(pl, kind)() for name, kind in SAMPLE_COLUMNS.items()}
    for metric in metrics:
        schema |= {metric: pl.Float64(), f"{metric}.kind": pl.String(), f"{metric}.skipped": pl.String()}
    cells = [{name: row.get(name) for name in schema} for row in rows]
    return pl.DataFrame(cells, schema=schema, orient="row")
