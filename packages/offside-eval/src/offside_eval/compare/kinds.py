"""Of which kinds the answers to the forgotten claims are: a refusal is no wrong value, a denial no empty answer.

Of the wrong values, those of the donors whose answers a run taught in place of the forgotten ones are a kind of their
own.
"""

from __future__ import annotations

from collections.abc import Sequence

from offside_data.figures import counted
from offside_eval.aggregate import DONOR_VALUE
from offside_eval.compare.comparison import SettingComparison
from offside_eval.compare.measures import forgotten
from offside_eval.compare.model_row import ModelRow
from offside_eval.compare.models import KEY
from offside_eval.compare.show import name
from offside_eval.metrics.value_match import KINDS as KINDS_OF_ANSWERS

_WRONG = "wrong_value"
_AT = KINDS_OF_ANSWERS.index(_WRONG)
KINDS = (*KINDS_OF_ANSWERS[:_AT], DONOR_VALUE, *KINDS_OF_ANSWERS[_AT:])


def kinds_of(row: ModelRow, setting: SettingComparison, metric: str) -> dict[str, int]:
    """How many answers of a model are of each kind, on the private claims that the setting asks to be forgotten."""
    import polars as pl

    column = f"{metric}.kind"
    asked = next((r.results for r in (*setting.rows, *setting.controls) if r.results is not None), None)
    if asked is None or column not in row.model.pool.columns:
        return {}
    records = asked.samples.filter(forgotten()).select(KEY).unique()
    answers = row.model.pool.join(records, on=list(KEY), how="semi")
    if "states_donor" in answers.columns:
        lent = (pl.col("states_donor") == 1) & (pl.col(column) == _WRONG)
        answers = answers.with_columns(pl.when(lent).then(pl.lit(DONOR_VALUE)).otherwise(column).alias(column))
    counted = dict(answers[column].drop_nulls().value_counts().iter_rows())
    known = [kind for kind in KINDS if kind in counted]
    return {kind: counted[kind] for kind in (*known, *sorted(set(counted) - set(known)))}


def kind_rows(
    rows: Sequence[ModelRow], setting: SettingComparison, metric: str
) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """A column for each kind that occurs, and each model's share of answers in it; nothing where there are no kinds.

    Answers are not read between two points: where a row is, they are those of the one beyond, after so many steps.
    """
    counted = [(row, kinds_of(row, setting, metric)) for row in rows]
    columns = [kind for kind in KINDS if any(kind in kinds for _, kinds in counted)]
    columns += sorted({kind for _, kinds in counted for kind in kinds} - set(columns))
    told = [
        (whose(row), [f"{kinds.get(kind, 0) / sum(kinds.values()):.0%}" for kind in columns])
        for row, kinds in counted
        if kinds
    ]
    return columns, told


def whose(row: ModelRow) -> str:
    """The model whose answers stand for a row; of several seeds the first one's."""
    if not row.on_curve or row.model.steps is None:
        return name(row)
    seed = f", seed {row.seeds[0]}" if len(row.seeds) > 1 else ""
    return f"{name(row)}{seed} after {counted(row.model.steps, 'step')}"
