"""The results folder that `offside-eval run` writes and every other command reads.

```
samples.parquet    one row a record, slice and variant: what was asked, answered, and every score
aggregates.json    means with intervals per slice, scope and variant
results.json       what was evaluated with what: written last, so that its presence means "finished"
timing.json        seconds and answers a second; apart, so that everything else is byte-identical
model_index.yaml   the same aggregates as `model-index` metadata for a model card
eval_results.yaml  those that are the better the higher, as the Hub's `.eval_results/*.yaml`
attacks/           what attacks got out, if any were asked for (`attack_results`)
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

from offside_data.files import whole_file, write_json
from offside_data.parsing import parse_json
from offside_eval.aggregate import Aggregate
from offside_eval.attack_results import AttackResults, load_attacks
from offside_eval.meta import EvaluationMeta, ResultsError, checked

if TYPE_CHECKING:
    import polars as pl

SAMPLES, AGGREGATES, META, TIMING = "samples.parquet", "aggregates.json", "results.json", "timing.json"
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

`slice` is `forget`, `keep:<slice name>` or `measure:<slice name>`. `answer` is the gold answer of
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


@dataclass(frozen=True)
class Results:
    """One evaluation of one model.

    Args:
        samples: One row a record, slice and variant; columns as in `SAMPLE_COLUMNS`, then the metrics'.
        aggregates: Means with intervals, one a metric, slice, scope and variant.
        meta: What was evaluated with what.
        path: The folder it was read from or written to; null when it exists in memory only.
        attacks: What attacks on the model got out, by their names.
    """

    samples: pl.DataFrame
    aggregates: list[Aggregate]
    meta: EvaluationMeta
    path: Path | None = None
    attacks: Mapping[str, AttackResults] = field(default_factory=dict)

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
        return cls(samples, aggregates, meta, path, load_attacks(path))

    def save(self, path: str | Path) -> Results:
        """Write the folder's files, each whole or not at all, `results.json` last.

        Returns:
            The same results with `path` set.
        """
        path = Path(path)
        with whole_file(path / SAMPLES) as partial:
            self.samples.write_parquet(partial, compression="zstd")
        write_json(path / AGGREGATES, [dataclasses.asdict(entry) for entry in self.aggregates])
        write_json(path / META, self.meta.to_json())
        return Results(self.samples, self.aggregates, self.meta, path)


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
    try:
        return parse_json(file.read_text(encoding="utf-8"))
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
