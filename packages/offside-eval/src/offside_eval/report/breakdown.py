"""What is still known of the private claims that were to be forgotten, by attribute and by subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from offside_eval.compare import SettingComparison
from offside_eval.compare.show import name

if TYPE_CHECKING:
    import polars as pl

By = Literal["attribute", "subject_id"]


@dataclass(frozen=True)
class Share:
    """Share of the claims of one column that a model still answers, and of how many scored ones."""

    value: float
    n: int


@dataclass(frozen=True)
class BreakdownLine:
    """One model's cells, null where nothing of the column was scored."""

    model: str
    control: bool
    collapsed: bool
    cells: Sequence[Share | None]


@dataclass(frozen=True)
class Breakdown:
    """One setting's claims by attribute or by subject.

    Args:
        by: What the columns are.
        columns: Their names, sorted.
        lines: A model each, in the order of the setting's table.
    """

    by: By
    columns: Sequence[str]
    lines: Sequence[BreakdownLine]


def breakdown(setting: SettingComparison, metric: str, by: By) -> Breakdown | None:
    """Split a setting's forgotten private claims up; null where there is but one column or nothing was scored."""
    import polars as pl

    claims = claims_of(setting)
    lines, columns = [], set[str]()
    shares: list[tuple[str, bool, bool, dict[str, Share]]] = []
    for row, control in setting.all_rows:
        pool = row.model.pool
        if claims is None or metric not in pool.columns:
            continue
        own = pool.filter(pl.col("variant") == "plain", pl.col(metric).is_not_null()).join(claims, on="record_id")
        grouped = own.group_by(by).agg(pl.col(metric).mean().alias("value"), pl.len().alias("n"))
        cells = {r[by]: Share(r["value"], r["n"]) for r in grouped.iter_rows(named=True) if r[by] is not None}
        columns |= set(cells)
        shares.append((name(row), control, bool(row.collapsed), cells))
    ordered = sorted(columns)
    if len(ordered) < 2:
        return None
    for label, control, collapsed, cells in shares:
        lines.append(BreakdownLine(label, control, collapsed, [cells.get(column) for column in ordered]))
    return Breakdown(by, ordered, lines)


def claims_of(setting: SettingComparison) -> pl.DataFrame | None:
    """Ids of the private claims that a setting's models were to forget, in both forms; null without any evaluation."""
    import polars as pl

    frames = [
        row.results.samples.filter(pl.col("slice") == "forget", pl.col("scope") == "private").select("record_id")
        for row, _ in setting.all_rows
        if row.results is not None and row.results.setting == setting.name
    ]
    return pl.concat(frames).unique() if frames else None
