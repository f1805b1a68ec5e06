"""What the charts show, independent of who draws them: plotly for the page, matplotlib for the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offside_eval.compare import Candidate, Comparison, ModelRow, SettingComparison, Trajectory
from offside_eval.compare.by_scope import PREFIX, in_words
from offside_eval.compare.models import CONTROLS, told_apart
from offside_eval.compare.show import name
from offside_eval.report.palette import Palette, Style
from offside_eval.statistics import Interval


@dataclass(frozen=True)
class Point:
    """One model in the forget-against-keep chart."""

    label: str
    style: Style
    x: Interval
    y: Interval
    control: bool = False
    collapsed: bool = False


@dataclass(frozen=True)
class Scatter:
    """Forgetting (x) against keeping (y) in one setting."""

    setting: str
    summary: str
    points: Sequence[Point]

    @property
    def x_range(self) -> tuple[float, float]:
        """Where the methods are, and retain-only's forgetting, which they aim at."""
        return _zoom([p.x for p in self.points if not p.control])

    @property
    def y_range(self) -> tuple[float, float]:
        """Likewise for keeping; vanilla's is aimed at."""
        return _zoom([p.y for p in self.points if not p.control])

    @property
    def shown(self) -> list[Point]:
        """The points within both ranges."""
        return [p for p in self.points if self._holds(p)]

    @property
    def outside(self) -> list[Point]:
        """Controls that stand elsewhere, to be named instead."""
        return [p for p in self.points if not self._holds(p)]

    def _holds(self, p: Point) -> bool:
        (left, right), (bottom, top) = self.x_range, self.y_range
        return left <= p.x.value <= right and bottom <= p.y.value <= top


@dataclass(frozen=True)
class Track:
    """One run's points, vanilla first: forgetting (x), and what was kept of one set (y).

    Args:
        label: The method, and the seed where there are several.
        style: Of the method.
        steps: Of each point.
        x: Forgetting there.
        y: Keeping there.
        collapsed: Whether each point counts as collapsed.
        first: Whether it is the method's first seed, which the legend names.
    """

    label: str
    style: Style
    steps: Sequence[int]
    x: Sequence[float]
    y: Sequence[float]
    collapsed: Sequence[bool]
    first: bool


@dataclass(frozen=True)
class Trade:
    """What is kept of one set over what is forgotten, in one setting.

    Args:
        key: Of the chart.
        setting: Its setting.
        title: The set.
        level: Forgetting at which methods are ranked; null if there is none.
        paths: A run each.
    """

    key: str
    setting: str
    title: str
    level: float | None
    paths: Sequence[Track]

    @property
    def x_range(self) -> tuple[float, float]:
        """From what is worse than vanilla to what is beyond retain-only."""
        values = [x for path in self.paths for x in path.x]
        return min(-0.06, min(values) - 0.05), max(1.06, max(values) + 0.05)

    @property
    def y_range(self) -> tuple[float, float]:
        """Likewise for keeping."""
        values = [y for path in self.paths for y in path.y]
        return min(-0.06, min(values) - 0.05), max(1.1, max(values) + 0.05)


@dataclass(frozen=True)
class Curve:
    """One model before and after relearning; `steps` starts with 0."""

    label: str
    style: Style
    steps: Sequence[int]
    values: Sequence[Interval]
    control: bool = False


@dataclass(frozen=True)
class CurvePanel:
    """Relearning curves of one number."""

    key: str
    title: str
    y_title: str
    curves: Sequence[Curve]


@dataclass(frozen=True)
class TwinRow:
    """What one model says to the twins of visual rumours."""

    label: str
    style: Style
    remembered: Interval | None
    read: Interval | None
    control: bool = False
    collapsed: bool = False


def _zoom(intervals: Sequence[Interval], aim: float = 1.0) -> tuple[float, float]:
    """A range that holds the values and what is aimed at; whiskers may widen it by half, no more."""
    values = [i.value for i in intervals] + [aim]
    start, end = min(values), max(values)
    room = max(0.5 * (end - start), 0.1)
    low = min([start, *(i.low for i in intervals if i.low is not None)])
    high = max([end, *(i.high for i in intervals if i.high is not None)])
    margin = 0.12 * max(end - start, 0.2)  # Half of a mark and its label.
    return max(low, start - room) - margin, min(high, end + room) + margin


def scatters(comparison: Comparison) -> list[Scatter]:
    """A chart for each setting in which an unlearned model has both numbers."""
    palette, found = Palette(comparison), []
    for setting in comparison.settings.values():
        points = []
        for row in [*setting.controls, *setting.rows]:
            x, y = _forgetting(row), row.figure("keeping").interval
            if row.role == "relearned" or x is None or y is None:
                continue
            control = row in setting.controls
            points.append(Point(name(row), palette.of(row), x, y, control, bool(row.collapsed)))
        if any(not p.control for p in points):
            found.append(Scatter(setting.name, setting.summary, points))
    return found


def trades(comparison: Comparison) -> list[Trade]:
    """A chart a setting and set that had to survive, scope by scope, where there are trajectories.

    Sets are those asked as the forgotten records were (with pictures or without), the general questions, and those that
    suffered most where methods are ranked.
    """
    palette, found = Palette(comparison), []
    for setting in comparison.settings.values():
        rows = [row for c in setting.candidates for run in c.runs for row in run.points]
        keys = dict.fromkeys(key for row in rows for key in row.quantities if key.startswith(PREFIX))
        asked, worst = _asked_in(rows), _worst_sets(setting)
        for key in keys:
            config, split, *_ = key.removeprefix(PREFIX).split("/")
            if config not in asked and split != "utility" and key not in worst:
                continue
            paths = [
                path
                for candidate in setting.candidates
                for nth, run in enumerate(candidate.runs)
                if (path := _path(candidate, nth, run, key, palette)) is not None
            ]
            if paths:
                chart = f"trade-{setting.name}-{key.removeprefix(PREFIX).replace('/', '-')}"
                found.append(Trade(chart, setting.name, in_words(key), setting.level, paths))
    return found


def _asked_in(rows: Sequence[ModelRow]) -> set[str]:
    """The configs of what was to be forgotten."""
    return {
        config
        for row in rows
        if row.results is not None
        for config in row.results.samples.filter(row.results.samples["slice"] == "forget")["config"].unique()
    }


def _worst_sets(setting: SettingComparison) -> set[str]:
    """The sets that the rows of trajectories are ranked by."""
    return {f"{PREFIX}{row.quantity('keeping').of}" for row in setting.rows if row.on_curve}


def _path(candidate: Candidate, nth: int, run: Trajectory, key: str, palette: Palette) -> Track | None:
    points = [
        (row, x, y)
        for row in run.points
        if (x := row.quantity("forgetting").value) is not None and (y := row.quantity(key).value) is not None
    ]
    if len(points) < 2:
        return None
    label = candidate.label if len(candidate.runs) == 1 else f"{candidate.label}, seed {run.seed}"
    return Track(
        label,
        palette.of(points[-1][0]),
        [0 if row is run.points[0] and row.is_control else row.model.steps or 0 for row, _, _ in points],
        [x for _, x, _ in points],
        [y for _, _, y in points],
        [bool(row.collapsed) for row, _, _ in points],
        nth == 0,
    )


def _forgetting(row: ModelRow) -> Interval | None:
    """Forgetting on the scale that the controls define: vanilla is 0, retain-only 1."""
    defined = {"vanilla": 0.0, "retain_only": 1.0}
    if row.role in defined:
        known = row.figure("knows").interval
        return known and Interval(defined[row.role], None, None, known.n, known.n_clusters)
    return row.figure("forgetting").interval


def curves(comparison: Comparison) -> list[CurvePanel]:
    """Relearning curves, with the models before relearning at step 0 and retain-only as control."""
    families = _named(_families(comparison), comparison)
    panels = (
        ("knows", "The old rumour", "forgotten claims answered again"),
        ("correction_learnt", "The correction, on its own picture", "corrections answered"),
        ("corrected", "The correction, on the forget picture", "answered with the correction"),
    )
    found = []
    for key, title, y_title in panels:
        lines = [c for name, style, group in families if (c := _curve(key, group, name, style))]
        if any(not c.control for c in lines):
            found.append(CurvePanel(key, title, y_title, lines))
    return found


def _families(comparison: Comparison) -> list[list[ModelRow]]:
    """Relearned rows of one parent together, by steps."""
    families: dict[str, list[ModelRow]] = {}
    for setting in comparison.settings.values():
        for row in [*setting.rows, *setting.controls]:
            parent = comparison.models.parents.get(row.model.digest)
            if row.role == "relearned" and parent is not None and row.model.steps:
                families.setdefault(f"{setting.name}/{parent.digest}", []).append(row)
    return [sorted(rows, key=lambda r: r.model.steps or 0) for rows in families.values()]


def _named(families: Sequence[list[ModelRow]], comparison: Comparison) -> list[tuple[str, Style, list[ModelRow]]]:
    """Each family with its name and style; those of one method (from two settings) are told apart by their folder."""
    palette, parents = Palette(comparison), comparison.models.parents
    by_name: dict[str, list[list[ModelRow]]] = {}
    for rows in families:
        by_name.setdefault(palette.name(rows[0]), []).append(rows)
    found, spare = [], 0
    for label, alike in by_name.items():
        ends = told_apart([parents[rows[0].model.digest] for rows in alike]) if len(alike) > 1 else [""]
        for nth, (rows, end) in enumerate(zip(alike, ends, strict=True)):
            shown = label.replace("_", "-") if _is_control(rows[0]) else label
            style = palette.spare(spare) if nth else palette.of(rows[0])
            spare += bool(nth)
            found.append((f"{shown} ({end})" if len(alike) > 1 else shown, style, rows))
    return found


def _is_control(row: ModelRow) -> bool:
    return row.parent in CONTROLS


def _curve(key: str, rows: Sequence[ModelRow], label: str, style: Style) -> Curve | None:
    points = [(0, rows[0].figure(f"before/{key}").interval)] + [
        (r.model.steps or 0, r.figure(key).interval) for r in rows
    ]
    scored = [(steps, value) for steps, value in points if value is not None]
    if len(scored) < 2:
        return None
    steps, values = zip(*scored, strict=True)
    return Curve(label, style, steps, values, _is_control(rows[0]))


def twins(comparison: Comparison) -> list[TwinRow]:
    """Remembered and read, of all models and controls of the setting made for visual rumours."""
    palette = Palette(comparison)
    return [
        TwinRow(
            name(row),
            palette.of(row),
            row.figure("remembered").interval,
            row.figure("read").interval,
            control,
            bool(row.collapsed),
        )
        for row, control in comparison.shown_twins()
    ]
