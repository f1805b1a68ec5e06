"""The same charts as PNG and SVG files, for papers and slides."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_eval.report.charts import CurvePanel, Scatter, Trade, TwinRow
from offside_eval.report.labels import PLACES, place_labels
from offside_eval.report.palette import CONTROL_COLOR
from offside_eval.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS: Mapping[str, str] = {
    "circle": "o",
    "square": "s",
    "triangle-up": "^",
    "diamond": "D",
    "pentagon": "p",
    "cross": "P",
    "triangle-down": "v",
    "hexagon": "h",
    "star-diamond": "d",
}
STYLE: Any = {
    "font.size": 9,
    "text.parse_math": False,  # a `$` in a name is a dollar
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "axes.axisbelow": True,
    "svg.hashsalt": "offside",  # the same report gives the same bytes
    "svg.fonttype": "none",
}


def _errors(intervals: Sequence[Interval]) -> list[list[float]]:
    down = [0.0 if i.low is None else max(0.0, i.value - i.low) for i in intervals]
    up = [0.0 if i.high is None else max(0.0, i.high - i.value) for i in intervals]
    return [down, up]


def _save(path: Path, size: tuple[float, float], draw: Callable[[Axes], None]) -> list[Path]:
    """Draw on one axes and write `path`.png and `path`.svg."""
    return _saved(path, _drawn(size, lambda figure: draw(figure.subplots())))


def _drawn(size: tuple[float, float], draw: Callable[[Figure], None]) -> Figure:
    """A figure with something drawn on it."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from offside_eval.report.drawing import NotebookFigure

    with matplotlib.rc_context(STYLE):
        figure = NotebookFigure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
    return figure


def _saved(path: Path, figure: Figure) -> list[Path]:
    """Write a figure as `path`.png and `path`.svg."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure.savefig(path.with_suffix(".png"), dpi=160, metadata={"Software": None})
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    return [path.with_suffix(".png"), path.with_suffix(".svg")]


def save_scatter(path: Path, panel: Scatter) -> list[Path]:
    """Write `scatter_figure`."""
    return _saved(path, scatter_figure(panel))


def scatter_figure(panel: Scatter) -> Figure:
    """Forgetting against keeping; hollow = collapsed, grey = control."""

    def draw(axes: Axes) -> None:
        axes.axhline(1, color="#999999", linewidth=0.8, linestyle=":")
        axes.axvline(1, color="#999999", linewidth=0.8, linestyle=":")
        points = panel.shown
        places = place_labels(points, panel.x_range, panel.y_range)
        for p, place in zip(points, places, strict=True):
            color = CONTROL_COLOR if p.control or p.collapsed else p.style.color
            axes.errorbar(
                [p.x.value],
                [p.y.value],
                xerr=_errors([p.x]),
                yerr=_errors([p.y]),
                fmt=MARKERS[p.style.symbol],
                color=color,
                markerfacecolor="white" if p.collapsed else color,
                markersize=7,
                elinewidth=1,
            )
            label = f"{p.label} (collapsed)" if p.collapsed else p.label
            right, up = PLACES[place]
            axes.annotate(
                label,
                (p.x.value, p.y.value),
                (7 * right, 7 * up),
                textcoords="offset points",
                fontsize=7.5,
                color=color,
                horizontalalignment=("right", "center", "left")[right + 1],
                verticalalignment=("top", "center", "bottom")[up + 1],
            )
        axes.set_xlim(panel.x_range)
        axes.set_ylim(panel.y_range)
        axes.set_xlabel("forgetting of private claims (0 = vanilla, 1 = retain-only)")
        axes.set_ylabel("keeping")
        axes.set_title(panel.setting, loc="left", fontweight="bold")

    return _drawn((5.2, 3.8), lambda figure: draw(figure.subplots()))


def save_trade(path: Path, panels: Sequence[Trade]) -> list[Path]:
    """Write `trade_figure`."""
    return _saved(path, trade_figure(panels))


def trade_figure(panels: Sequence[Trade]) -> Figure:
    """What is kept of each set over what is forgotten, side by side; hollow = collapsed, the ranking level dotted."""

    def draw_one(axes: Axes, panel: Trade) -> None:
        axes.axhline(1, color="#999999", linewidth=0.8, linestyle=":")
        if panel.level is not None:
            axes.axvline(panel.level, color="#999999", linewidth=0.8, linestyle=":")
        for p in panel.paths:
            axes.plot(p.x, p.y, color=p.style.color, linewidth=1.8 if p.first else 1)
            for x, y, collapsed in zip(p.x, p.y, p.collapsed, strict=True):
                fill = "white" if collapsed else p.style.color
                axes.plot([x], [y], MARKERS[p.style.symbol], color=p.style.color, markerfacecolor=fill, markersize=5)
        axes.set_xlim(panel.x_range)
        axes.set_ylim(panel.y_range)
        axes.set_xlabel("forgetting of private claims")
        axes.set_title(textwrap.fill(panel.title, 36), loc="left", fontsize=8)

    def draw(figure: Figure) -> None:
        every = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(every, panels, strict=True):
            draw_one(axes, panel)
        every[0].set_ylabel("kept of what vanilla knows")
        figure.suptitle(panels[0].setting, x=0.01, ha="left", fontweight="bold", fontsize=10)
        names = {p.label.partition(", seed")[0]: p.style for panel in panels for p in panel.paths}
        handles = [every[0].plot([], [], MARKERS[s.symbol] + "-", color=s.color, label=n)[0] for n, s in names.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)

    return _drawn((2.9 * len(panels), 3.4), draw)


def save_curves(path: Path, panel: CurvePanel) -> list[Path]:
    """Relearning curves; the control is dashed."""

    def draw(axes: Axes) -> None:
        for c in panel.curves:
            axes.errorbar(
                c.steps,
                [v.value for v in c.values],
                yerr=_errors(c.values),
                marker=MARKERS[c.style.symbol],
                color=CONTROL_COLOR if c.control else c.style.color,
                linestyle="--" if c.control else "-",
                elinewidth=1,
                label=f"{c.label} (control)" if c.control else c.label,
            )
        axes.set_xlabel("relearning steps")
        axes.set_ylabel(panel.y_title)
        axes.set_ylim(-0.04, 1.06)
        axes.set_title(panel.title, loc="left", fontweight="bold")
        axes.legend(frameon=False, fontsize=8)

    return _save(path, (5.2, 3.4), draw)


def save_twins(path: Path, rows: Sequence[TwinRow]) -> list[Path]:
    """Remembered (filled) and read (hollow), a line a model."""

    def draw(axes: Axes) -> None:
        for place, row in enumerate(rows):
            color = CONTROL_COLOR if row.control else row.style.color
            for interval, fill in ((row.remembered, color), (row.read, "white")):
                if interval is not None:
                    axes.errorbar(
                        [interval.value],
                        [place],
                        xerr=_errors([interval]),
                        fmt="o",
                        color=color,
                        markerfacecolor=fill,
                        elinewidth=1,
                        markersize=7,
                    )
        axes.set_yticks(range(len(rows)), [r.label + (" (control)" if r.control else "") for r in rows])
        axes.invert_yaxis()
        axes.set_xlim(-0.04, 1.06)
        axes.set_xlabel("filled: remembered (old value, text removed) · hollow: read (new value, text swapped)")
        axes.set_title("Visual rumours", loc="left", fontweight="bold")

    return _save(path, (6.2, 1.2 + 0.4 * len(rows)), draw)
