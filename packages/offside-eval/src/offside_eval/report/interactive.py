"""The charts for the page, as plotly figures in JSON; `report.js` draws them and fills in the theme.

Colours that depend on light or dark stand as `var(--name)` and are resolved in the browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from offside_data.figures import counted
from offside_eval.compare import Figure
from offside_eval.compare.show import text
from offside_eval.report.charts import CurvePanel, Point, Scatter, Trade, TwinRow
from offside_eval.report.labels import place_labels
from offside_eval.statistics import Interval

MUTED, INK, GRID = "var(--muted)", "var(--ink)", "var(--grid)"
ChartJson = dict[str, Any]


def _bars(intervals: Sequence[Interval], color: str, width: float = 1.4) -> dict[str, Any]:
    """Error bars of plotly from intervals; none where there is no bound."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if i.high is None else max(0.0, i.high - i.value) for i in intervals],
        "arrayminus": [0 if i.low is None else max(0.0, i.value - i.low) for i in intervals],
        "color": color,
        "thickness": width,
        "width": 0,
    }


def _said(i: Interval) -> str:
    return text(Figure(i))


_LONG = 4
"""Of an axis on which only Plotly's own steps are legible."""


def _axis(title: str, **more: Any) -> dict[str, Any]:
    axis = {"title": {"text": title, "standoff": 8}, "gridcolor": GRID, "zeroline": False, "linecolor": GRID}
    low, high = more.get("range", (0, 1))
    if high - low > _LONG:  # few subjects have intervals of many units: at a quarter each the grid would be a hatching
        more.pop("dtick", None)
    return axis | {"tickcolor": GRID, "automargin": True, "fixedrange": True} | more


def _step(span: tuple[float, float]) -> float:
    """Between two lines of a grid: finer where the chart shows less."""
    return 0.25 if span[1] - span[0] > 0.8 else 0.1


def _layout(**more: Any) -> dict[str, Any]:
    layout = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 12, "family": "var(--sans)"},
        "hoverlabel": {
            "bgcolor": "var(--card)",
            "bordercolor": GRID,
            "font": {"color": INK, "family": "var(--sans)"},
        },
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "showlegend": False,
        "hovermode": "closest",
    }
    return layout | more


def scatter_chart(panel: Scatter) -> ChartJson:
    """Forgetting against keeping; a dotted cross marks retain-only's forgetting and vanilla's keeping."""
    points = panel.shown
    places = place_labels(points, panel.x_range, panel.y_range)
    traces = [_point_trace(point, place) for point, place in zip(points, places, strict=True)]
    line = {"color": MUTED, "width": 1, "dash": "dot"}
    shapes = [
        {"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1, "yref": "paper", "line": line, "layer": "below"},
        {"type": "line", "y0": 1, "y1": 1, "x0": 0, "x1": 1, "xref": "paper", "line": line, "layer": "below"},
    ]
    layout = _layout(
        xaxis=_axis("forgetting of private claims →", range=list(panel.x_range), dtick=_step(panel.x_range)),
        yaxis=_axis("keeping →", range=list(panel.y_range), dtick=_step(panel.y_range)),
        shapes=shapes,
        height=400,
    )
    return {"data": traces, "layout": layout}


def _point_trace(p: Point, place: str) -> dict[str, Any]:
    color = MUTED if p.control or p.collapsed else p.style.color
    marker = {
        "size": 12 if p.control else 11,
        "symbol": p.style.symbol + ("-open" if p.collapsed else ""),
        "color": color,
        "line": {"width": 2 if p.collapsed else 1, "color": color if p.collapsed else "var(--card)"},
    }
    safe = escape(p.label)
    label = f"<s>{safe}</s>" if p.collapsed else safe
    hover = f"<b>{safe}</b>{' (collapsed)' if p.collapsed else ' (control)' if p.control else ''}"
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": escape(p.label),
        "x": [p.x.value],
        "y": [p.y.value],
        "error_x": _bars([p.x], color),
        "error_y": _bars([p.y], color),
        "marker": marker,
        "text": [label],
        "textposition": place,
        "textfont": {"size": 11, "color": MUTED if p.control or p.collapsed else INK},
        "cliponaxis": False,
        "hovertemplate": f"{hover}<br>forgetting {_said(p.x)}<br>keeping {_said(p.y)}<br>"
        f"n = {p.x.n}, {counted(p.x.n_clusters, 'subject')}<extra></extra>",
    }


def trade_chart(panel: Trade) -> ChartJson:
    """Keeping over forgetting, a line a run with its points; hollow = collapsed, the ranking level dotted."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": escape(path.label),
            "x": list(path.x),
            "y": list(path.y),
            "line": {"color": path.style.color, "width": 2 if path.first else 1.2},
            "marker": {
                "symbol": [path.style.symbol + ("-open" if hollow else "") for hollow in path.collapsed],
                "size": 8,
                "color": path.style.color,
            },
            "text": [
                counted(steps, "step") + (" (collapsed)" if collapsed else "")
                for steps, collapsed in zip(path.steps, path.collapsed, strict=True)
            ],
            "hovertemplate": f"<b>{escape(path.label)}</b>, %{{text}}<br>forgetting %{{x:.2f}}<br>"
            "kept %{y:.2f}<extra></extra>",
            "cliponaxis": False,
        }
        for path in panel.paths
    ]  # fmt: skip
    line = {"color": MUTED, "width": 1, "dash": "dot"}
    shapes = [{"type": "line", "y0": 1, "y1": 1, "x0": 0, "x1": 1, "xref": "paper", "line": line, "layer": "below"}]
    if panel.level is not None:
        across = {"x0": panel.level, "x1": panel.level, "y0": 0, "y1": 1, "yref": "paper"}
        shapes.append({"type": "line", **across, "line": line, "layer": "below"})
    layout = _layout(
        xaxis=_axis("forgetting of private claims →", range=list(panel.x_range), dtick=0.25),
        yaxis=_axis("kept →", range=list(panel.y_range), dtick=0.25),
        shapes=shapes,
        height=300,
    )
    return {"data": traces, "layout": layout}


def curve_chart(panel: CurvePanel) -> ChartJson:
    """Lines over relearning steps, the control dashed."""
    traces = []
    for curve in panel.curves:
        color = MUTED if curve.control else curve.style.color
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": escape(curve.label),
                "x": list(curve.steps),
                "y": [v.value for v in curve.values],
                "error_y": _bars(curve.values, color, 1.2),
                "line": {"color": color, "width": 2.2, "dash": "dash" if curve.control else "solid"},
                "marker": {"symbol": curve.style.symbol, "size": 8, "color": color},
                "text": [_said(v) for v in curve.values],
                "hovertemplate": f"<b>{escape(curve.label)}</b><br>%{{x}} steps: %{{text}}<extra></extra>",
                "cliponaxis": False,
            }
        )
    layout = _layout(
        xaxis=_axis("relearning steps", rangemode="tozero"),
        yaxis=_axis(panel.y_title, range=[-0.04, 1.06], dtick=0.25),
        height=300,
    )
    return {"data": traces, "layout": layout}


def twin_chart(rows: Sequence[TwinRow]) -> ChartJson:
    """A line a model: filled = remembered, hollow = read."""
    labels = [escape(r.label) + (" (control)" if r.control else "") for r in rows]
    traces = []
    parts: Mapping[str, str] = {"remembered": "circle", "read": "circle-open"}
    for part, symbol in parts.items():
        known = [(label, r, v) for label, r in zip(labels, rows, strict=True) if (v := getattr(r, part)) is not None]
        colors = [MUTED if r.control else r.style.color for _, r, _ in known]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": part,
                "x": [v.value for _, _, v in known],
                "y": [label for label, _, _ in known],
                "error_x": _bars([v for _, _, v in known], MUTED, 1.2),
                "marker": {
                    "symbol": symbol,
                    "size": 12,
                    "color": colors,
                    "line": {"width": 2, "color": colors},
                },
                "text": [_said(v) for _, _, v in known],
                "hovertemplate": f"<b>%{{y}}</b><br>{part} %{{text}}<extra></extra>",
                "cliponaxis": False,
            }
        )
    layout = _layout(
        xaxis=_axis("share of answers", range=[-0.04, 1.06], dtick=0.25),
        yaxis=_axis("", autorange="reversed", type="category"),
        height=90 + 44 * len(rows),
    )
    return {"data": traces, "layout": layout}
