"""All attacks on all models at one look: what each brings out beyond what it brings out of retain-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offside_eval.compare import Figure, SettingComparison
from offside_eval.compare.show import ROLE_NAMES, name, remark


@dataclass(frozen=True)
class HeatCell:
    """What one attack brought out of one model.

    Args:
        figure: In points beyond retain-only; where that wasn't attacked alike, in points.
        beyond: Whether it is beyond retain-only.
        shade: From 0 to 1: nothing, or everything.
        collapsed: Whether the model is a wreck, of which nothing can come back.
    """

    figure: Figure
    beyond: bool
    shade: float
    collapsed: bool


@dataclass(frozen=True)
class HeatMap:
    """Models by attacks.

    Args:
        columns: The attacks: those that train first, then the others, each by name.
        lines: A model each: its label, and by attack a cell, or null where there was no such attack.
    """

    columns: Sequence[str]
    lines: Sequence[tuple[str, Sequence[HeatCell | None]]]


def attack_heat(setting: SettingComparison) -> HeatMap | None:
    """The attacks of a setting, retain-only left out, beside which the others stand; null without any."""
    cells: dict[str, dict[str, HeatCell]] = {}
    trained, asked = set[str](), set[str]()
    for outcome in setting.attacks:
        if outcome.label == "retain_only":
            continue
        column = f"relearning: {outcome.attack}"
        trained.add(column)
        numbers = outcome.quantities
        figures = [numbers[key].figure() for key in ("excess", "rise")]
        cells.setdefault(ROLE_NAMES.get(outcome.label, outcome.label), {})[column] = _cell(*figures, collapsed=False)
    for recovery in setting.recoveries:
        if recovery.row.role == "retain_only" or recovery.unfit is not None:
            continue
        asked.add(recovery.attack)
        figures = [recovery.quantities[key].figure() for key in ("excess", "recovered")]
        seeds = remark(recovery.row, collapsed=False) if len(recovery.row.seeds) > 1 else ""
        own = cells.setdefault(f"{name(recovery.row)} ({seeds})" if seeds else name(recovery.row), {})
        own[recovery.attack] = _cell(*figures, collapsed=bool(recovery.row.collapsed))
    columns = [*sorted(trained), *sorted(asked)]
    lines = [(label, [own.get(column) for column in columns]) for label, own in cells.items()]
    return HeatMap(columns, lines) if lines else None


def _cell(excess: Figure, plain: Figure, *, collapsed: bool) -> HeatCell:
    beyond = excess.value is not None
    figure = excess if beyond else plain
    return HeatCell(figure, beyond, round(min(1.0, max(0.0, figure.value or 0.0)), 3), collapsed)
