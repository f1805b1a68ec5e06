"""Published findings, looked for in a comparison: one finding = one file in this folder.

A finding's file says what the publication says (`STATEMENT`, `PAPER`), what is measured (`EFFECT`), the
smallest effect that counts (`THRESHOLD`), what must hold before it is judged (`PRECONDITIONS`), how it is
decided (`RULE`), its place in the table (`ORDER`), and computes the effect: `look(comparison) -> Evidence`.
The verdict follows from the preconditions, the effect's interval and Holm's correction for the number of
findings looked for; nothing is tuned to make one appear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from offside_data.figures import number
from offside_data.paper import Paper
from offside_data.plugins import Registry
from offside_eval.compare import Comparison, ModelRow
from offside_eval.compare.quantities import Figure, Quantity, average
from offside_eval.compare.show import name
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
        "PRECONDITIONS": tuple,
        "RULE": str,
        "look": Callable,
    },
)

Verdict = Literal["seen", "not seen", "can't tell"]


OFFSIDE = Paper("OFFSIDE (arXiv 2510.22535)", "https://arxiv.org/abs/2510.22535")


@dataclass(frozen=True, kw_only=True)
class Precondition:
    """What must hold of a model before it can speak for or against a finding.

    Args:
        quantity: Name of the number that is looked at.
        what: The same in words.
        at_least: What it must be.
        bound: Whether the number itself must be, or its whole interval.
        seen_without: Whether "seen" can be said without it: damage done before anything was forgotten is damage.
    """

    quantity: str
    what: str
    at_least: float
    bound: Literal["value", "lower bound"] = "lower bound"
    seen_without: bool = False

    def __str__(self) -> str:
        of = "" if self.bound == "value" else f" ({self.bound})"
        return f"{self.what} at least {self.at_least:g}{of}" + (', else at most "seen"' if self.seen_without else "")

    def unmet(self, row: ModelRow) -> str | None:
        """Why a row doesn't fulfil it, with its number; null when it does."""
        figure = row.figure(self.quantity)
        interval = figure.interval
        if interval is None:
            return f"{self.what} of {name(row)} isn't known: {figure.reason}"
        measured = interval.value if self.bound == "value" else interval.low
        if measured is not None and measured >= self.at_least:
            return None
        of = "" if self.bound == "value" else f", {self.bound} {'unknown' if measured is None else number(measured)}"
        return f"{self.what} of {name(row)} is {number(interval.value)}{of}: at least {self.at_least:g} is needed"


FORGOT = Precondition(quantity="forgetting", what="forgetting", at_least=0.8)
"""What was to be forgotten is gone: before that, nothing can be said about what it takes along or comes back."""


@dataclass(frozen=True)
class Evidence:
    """What a finding's file computes.

    Args:
        effect: A larger one speaks for the finding; unscored with the reason if it can't be had.
        models: Labels of the rows that it is averaged over.
        details: Further quantities with what they are, e.g. those of the controls.
        unmet: Preconditions that don't hold, so that the effect isn't judged.
        unless_seen: Those that don't hold and without which nothing but "seen" can be said.
        left_out: Why rows are left out for which a precondition doesn't hold, although it does for others.
    """

    effect: Quantity
    models: Sequence[str] = ()
    details: Sequence[tuple[str, Quantity]] = ()
    unmet: Sequence[str] = ()
    unless_seen: Sequence[str] = ()
    left_out: Sequence[str] = ()


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
        preconditions: What must hold before it is judged.
        rule: How the verdict is decided.
        verdict: seen, not seen or can't tell.
        why: The reason for the verdict.
        p: That the effect is just the threshold, corrected for the number of findings; null without a figure.
        models: Labels of the rows that the figure is averaged over.
        left_out: Why others are left out.
        details: Further figures with what they are.
    """

    name: str
    statement: str
    paper: Paper
    effect: str
    figure: Figure
    threshold: float
    preconditions: Sequence[str]
    rule: str
    verdict: Verdict
    why: str
    p: float | None
    models: Sequence[str]
    left_out: Sequence[str]
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
            "preconditions": list(self.preconditions),
            "rule": self.rule,
            "verdict": self.verdict,
            "why": self.why,
            "p": self.p,
            "models": list(self.models),
            "left_out": list(self.left_out),
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


def decide(figure: Figure, threshold: float, p: float | None, unmet: Sequence[str] = ()) -> tuple[Verdict, str]:
    """A verdict and its reason: clearly above the threshold, clearly below, or neither.

    Args:
        figure: The effect.
        threshold: The smallest one that counts.
        p: That the effect is the threshold, corrected for the findings looked for; null if not known.
        unmet: Preconditions that don't hold: whatever the effect, it says nothing.
    """
    if unmet:
        return _untold(unmet)
    interval = figure.interval
    if interval is None:
        return "can't tell", figure.reason or "not scored"
    if interval.n_clusters < MIN_SUBJECTS:
        return "can't tell", f"too few subjects: {interval.n_clusters}, at least {MIN_SUBJECTS} are needed"
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


def _untold(unmet: Sequence[str]) -> tuple[Verdict, str]:
    return "can't tell", "precondition unmet: " + "; ".join(unmet)


def look_for(comparison: Comparison) -> list[Finding]:
    """Look for every finding, in the order of their files' `ORDER`."""
    modules = {name: FINDINGS.load(name) for name in FINDINGS.names()}
    ordered = sorted(modules.items(), key=lambda item: (item[1].ORDER, item[0]))
    found = [(name, module, module.look(comparison)) for name, module in ordered]
    p_values = corrected([e.effect for _, _, e in found], [module.THRESHOLD for _, module, _ in found])
    return [_decided(*each, p) for each, p in zip(found, p_values, strict=True)]


def _decided(name: str, module: ModuleType, evidence: Evidence, p: float | None) -> Finding:
    figure = evidence.effect.figure()
    verdict, why = decide(figure, module.THRESHOLD, p, evidence.unmet)
    if evidence.unless_seen and verdict != "seen":
        verdict, why = _untold(evidence.unless_seen)
    return Finding(
        name=name,
        statement=module.STATEMENT,
        paper=module.PAPER,
        effect=module.EFFECT,
        figure=figure,
        threshold=module.THRESHOLD,
        preconditions=[str(precondition) for precondition in module.PRECONDITIONS],
        rule=module.RULE,
        verdict=verdict,
        why=why,
        p=p,
        models=list(evidence.models),
        left_out=list(evidence.left_out),
        details=[(what, quantity.figure()) for what, quantity in evidence.details],
    )


def where_met(
    comparison: Comparison, rows: Iterable[ModelRow], preconditions: Sequence[Precondition]
) -> list[ModelRow]:
    """Each row at the least forgetting of its trajectory where the preconditions hold; the farthest if they never do.

    Tables read methods at the forgetting that all of them reached, where the bound of a precondition on forgetting
    itself may lie too low: a verdict asks for models that have forgotten, and a trajectory holds them.
    """
    found = []
    for row in rows:
        candidate = comparison.settings[row.setting].candidate(row)
        met = None if candidate is None else candidate.first_where(lambda r: not any(p.unmet(r) for p in preconditions))
        found.append(met or row)
    return found


def shown(row: ModelRow) -> str:
    """A row's label, with the forgetting at which it is read."""
    return name(row) if row.level is None else f"{name(row)} (at forgetting {number(row.level)})"


def weigh(
    rows: Sequence[ModelRow], preconditions: Sequence[Precondition], effect: Callable[[ModelRow], Quantity]
) -> Evidence:
    """The effect averaged over the rows of which the preconditions hold.

    If they hold of none, the average over all is there to be looked at, and `unmet` says why it isn't judged.

    Args:
        rows: At least one.
        preconditions: What must hold of a row.
        effect: Its effect.
    """
    unmet = [[(p, said) for p in preconditions if (said := p.unmet(row))] for row in rows]
    held = [row for row, said in zip(rows, unmet, strict=True) if not said]
    words = [(p.seen_without, said) for each in unmet for p, said in each]
    chosen = held or rows
    average_effect = average([effect(row) for row in chosen])
    labels = [shown(row) for row in chosen]
    if held:
        return Evidence(average_effect, labels, left_out=[said for _, said in words])
    without, needed = ([said for seen_without, said in words if seen_without is kind] for kind in (True, False))
    return Evidence(average_effect, labels, unmet=needed, unless_seen=without)


def standing(rows: Iterable[ModelRow]) -> list[ModelRow]:
    """Rows that didn't collapse: what the others forgot is damage."""
    return [row for row in rows if not row.collapsed]


def why_none(rows: Sequence[ModelRow], what: str) -> str:
    """Why `standing` left no row: there were none, or all collapsed, of several seeds at least one."""
    if not rows:
        return f"no {what} is among the results"
    seeds = ", with some seed at least" if any(len(row.seeds) > 1 for row in rows) else ""
    return f"every {what} collapsed{seeds}, so that its forgetting is damage"
