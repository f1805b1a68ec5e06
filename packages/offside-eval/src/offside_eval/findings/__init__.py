"""Published findings, looked for in a comparison: one finding = one file in this folder.

A finding's file says what the publication says (`STATEMENT`, `PAPER`), what is measured (`EFFECT`),
the smallest effect that counts (`THRESHOLD`), how it is decided (`RULE`), its place in the table
(`ORDER`), and computes the effect: `look(comparison) -> Evidence`. The verdict follows from the
effect's interval alone; nothing is tuned to make a finding appear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from offside_data.paper import Paper
from offside_data.plugins import Registry
from offside_eval.compare import Comparison, ModelRow
from offside_eval.compare.quantities import Figure, Quantity
from offside_eval.statistics import CONFIDENCE, MIN_SUBJECTS, holm

FINDINGS = Registry(
    "offside_eval.findings",
    "finding",
    needs={
        "ORDER": int,
        "PAPER": Paper,
        "STATEMENT": str,
        "EFFECT": str,
        "THRESHOLD": float,
        "RULE": str,
        "look": Callable,
    },
)

Verdict = Literal["seen", "not seen", "can't tell"]


OFFSIDE = Paper("OFFSIDE (arXiv 2510.22535)", "https://arxiv.org/abs/2510.22535")


@dataclass(frozen=True)
class Evidence:
    """What a finding's file computes.

    Args:
        effect: A larger one speaks for the finding; unscored with the reason if it can't be had.
        models: Labels of the rows that it is averaged over.
        details: Further quantities with what they are, e.g. those of the controls.
    """

    effect: Quantity
    models: Sequence[str] = ()
    details: Sequence[tuple[str, Quantity]] = ()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a comparison says about one published finding.

    Args:
        name: Name of its file.
        statement: What the publication says.
        paper: Where.
        effect: What the figure measures, in words.
        figure: The effect with its interval, or why there is none.
        threshold: The smallest effect that counts.
        rule: How the verdict is decided.
        verdict: seen, not seen or can't tell.
        why: The reason for the verdict.
        models: Labels of the rows that the figure is averaged over.
        details: Further figures with what they are.
    """

    name: str
    statement: str
    paper: Paper
    effect: str
    figure: Figure
    threshold: float
    rule: str
    verdict: Verdict
    why: str
    models: Sequence[str]
    details: Sequence[tuple[str, Figure]]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "statement": self.statement,
            "paper": {"title": self.paper.title, "url": self.paper.url},
            "effect": self.effect,
            "figure": self.figure.to_dict(),
            "threshold": self.threshold,
            "rule": self.rule,
            "verdict": self.verdict,
            "why": self.why,
            "models": list(self.models),
            "details": [{"what": what, **figure.to_dict()} for what, figure in self.details],
        }


def corrected(effects: Sequence[Quantity], thresholds: Sequence[float]) -> list[float | None]:
    """P-values that each effect is just its threshold, Holm-corrected for how many effects there are.

    Null where an effect has no interval; only those that have one count.
    """
    estimates = [effect.estimate for effect in effects]
    found = [e.p_value(threshold) if e else None for e, threshold in zip(estimates, thresholds, strict=True)]
    adjusted = iter(holm([p for p in found if p is not None]))
    return [None if p is None else next(adjusted) for p in found]


def decide(figure: Figure, threshold: float, p: float | None) -> tuple[Verdict, str]:
    """A verdict and its reason: clearly above the threshold, clearly below, or neither.

    Args:
        figure: The effect.
        threshold: The smallest one that counts.
        p: That the effect is the threshold, corrected for the findings looked for; null if not known.
    """
    interval = figure.interval
    if interval is None:
        return "can't tell", figure.reason or "not scored"
    if interval.n_clusters < MIN_SUBJECTS:
        return "can't tell", f"{interval.n_clusters} subjects are too few, {MIN_SUBJECTS} are needed"
    if interval.low is None or interval.high is None or p is None:
        return "can't tell", interval.reason or "there is no interval"
    above, below = interval.low > threshold, interval.high < threshold
    if not above and not below:
        return "can't tell", f"the interval reaches across {threshold:g}"
    side = "above" if above else "below"
    if p > 1 - CONFIDENCE:
        return "can't tell", (
            f"the whole interval lies {side} {threshold:g}, but by chance one of so many findings may (p = {p:.2f})"
        )
    return "seen" if above else "not seen", f"the whole interval lies {side} {threshold:g}"


def look_for(comparison: Comparison) -> list[Finding]:
    """Look for every finding, in the order of their files' `ORDER`."""
    modules = {name: FINDINGS.load(name) for name in FINDINGS.names()}
    ordered = sorted(modules.items(), key=lambda item: (item[1].ORDER, item[0]))
    found = [(name, module, module.look(comparison)) for name, module in ordered]
    p_values = corrected([e.effect for _, _, e in found], [module.THRESHOLD for _, module, _ in found])
    return [_decided(*each, p) for each, p in zip(found, p_values, strict=True)]


def _decided(name: str, module: ModuleType, evidence: Evidence, p: float | None) -> Finding:
    figure = evidence.effect.figure()
    verdict, why = decide(figure, module.THRESHOLD, p)
    return Finding(
        name=name,
        statement=module.STATEMENT,
        paper=module.PAPER,
        effect=module.EFFECT,
        figure=figure,
        threshold=module.THRESHOLD,
        rule=module.RULE,
        verdict=verdict,
        why=why,
        models=list(evidence.models),
        details=[(what, quantity.figure()) for what, quantity in evidence.details],
    )


def that_forgot(rows: Iterable[ModelRow], drop: str = "drop") -> list[ModelRow]:
    """Rows that say something about forgetting: not collapsed, and the drop's interval lies above 0.

    Args:
        rows: Rows of unlearned models.
        drop: Which drop has to be there, by name of its quantity.
    """
    chosen = []
    for row in rows:
        interval = row.figure(drop).interval
        if not row.collapsed and interval is not None and (interval.low or 0.0) > 0:
            chosen.append(row)
    return chosen


def why_none(rows: Sequence[ModelRow], what: str) -> str:
    """Why `that_forgot` left no row: there were none, all collapsed, or none forgot."""
    if not rows:
        return f"no {what} is among the results"
    if all(row.collapsed for row in rows):
        return f"every {what} collapsed, so that its forgetting is damage"
    return f"no {what} measurably forgot anything without collapsing"
