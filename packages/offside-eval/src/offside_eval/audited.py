"""What the meta-evaluation found of each metric: the figures that the package ships, and how they are told.

`audited.json` is what `tools/meta/audit.py` wrote of tiny models that learnt the forget set and ones that never did.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

from offside_data.figures import NONE, number

FILE = "audited.json"
PAGE = "docs/metrics/meta.md"
FAITHFUL = 0.95
"""From this much faithfulness on a metric may lead a report."""
NOT_ASKED = "the evaluation has no such score"
"""Why a metric has no number where it wasn't among those that were asked for."""
_DIGITS = 4
Figures = Mapping[str, Any]


@functools.cache
def shipped() -> Figures:
    """The document that the package ships."""
    found: Figures = json.loads((resources.files("offside_eval") / FILE).read_text(encoding="utf-8"))
    return found


def figures(metrics: Sequence[Figures], *, plan: Figures) -> dict[str, Any]:
    """The document of a finished meta-evaluation: numbers to four decimals, less than machines differ in.

    Args:
        metrics: As `offside-eval meta` writes them.
        plan: What was made.
    """
    content: dict[str, Any] = _rounded({"plan": plan, "metrics": list(metrics)})
    return content


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else value


def share_text(share: Figures | None) -> str:
    """`0.97 [0.80, 1.00]`; a dash where there is no number."""
    if share is None or share["value"] is None:
        return NONE
    return f"{number(share['value'])} [{number(share['low'])}, {number(share['high'])}]"


def table(metrics: Sequence[Figures]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: faithfulness, of faint memories too, and by change the AUC afterwards and who stays."""
    changes = list(dict.fromkeys(change for m in metrics for change in m["stability"]))
    rows = []
    for m in metrics:
        after = [
            f"{number(m['after'][c]['value'])} / {number(m['stability'][c]['value'])}" if c in m["after"] else NONE
            for c in changes
        ]
        rows.append([m["metric"], share_text(m["faithfulness"]), share_text(m["faint"]), *after, _remark(m)])
    return ["metric", "faithfulness", "faint", *changes, "remark"], rows


def _remark(m: Figures) -> str:
    """Why there is no number; of changes one remark for all that have the same, and none where nobody asked."""
    if m["faithfulness"]["reason"]:
        return str(m["faithfulness"]["reason"])
    reasons: dict[str, list[str]] = {}
    for change, share in m["after"].items():
        if share["reason"] and not share["reason"].endswith(NOT_ASKED):
            reasons.setdefault(share["reason"], []).append(change)
    return "; ".join(f"{', '.join(changes)}: {reason}" for reason, changes in reasons.items())


def pages(document: Figures) -> Iterator[str]:
    """The tables as Markdown: metrics of records, of models, and what has no number."""
    metrics = document["metrics"]
    rated = [m for m in metrics if m["faithfulness"]["value"] is not None]
    for of, title in (("records", "metric of records"), ("model", "metric of a model")):
        columns, rows = table([m for m in rated if m["of"] == of])
        yield ""
        yield from _markdown([title, *columns[1:]], rows)
    yield ""
    rest = [[m["metric"], m["faithfulness"]["reason"]] for m in metrics if m["faithfulness"]["value"] is None]
    yield from _markdown(["without a number", "because"], rest)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "| " + " | ".join("---" for _ in columns) + " |"
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def grounds(names: Sequence[str]) -> str:
    """Why these scores can lead a report, in sentences, from the figures that the package ships.

    Args:
        names: Metrics of records, with or without a variant.
    """
    found = {m["metric"]: m for m in shipped()["metrics"]}
    told = []
    for name in names:
        m = found.get(name)
        if m is None or m["faithfulness"]["value"] is None:
            told.append(f"{name} was not rated")
            continue
        weak = "" if m["faithfulness"]["value"] >= FAITHFUL else f", less than the {FAITHFUL:g} asked"
        faint = f", those that saw it a few times in {number(m['faint']['value'])}" if m["faint"] else ""
        told.append(f"{name} in {share_text(m['faithfulness'])} of pairs{weak}{faint}")
    n = next(m for m in shipped()["metrics"] if m["learnt"])
    return (
        f"How far these scores can be believed: among {len(n['learnt'])} small models that learnt what is to be "
        f"forgotten and {len(n['never'])} that never saw it they tell the former, {'; '.join(told)} ({PAGE})."
    )
