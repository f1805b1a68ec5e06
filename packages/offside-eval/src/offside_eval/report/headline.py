"""What a report says first, in sentences: who is ahead in each setting, and whether clearly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offside_data.figures import number
from offside_eval.audited import grounds
from offside_eval.compare import Comparison, ModelRow, SettingComparison
from offside_eval.compare.quantities import difference
from offside_eval.compare.show import name, seeds_collapsed
from offside_eval.compare.views import VIEWS, leading, numbers, seen, told
from offside_eval.findings import Finding


@dataclass(frozen=True)
class Leader:
    """The best balance of forgetting and keeping in one setting.

    Args:
        setting: Name of the setting.
        row: The model; null when none is left to rank.
        title: How the race stands, in a few words: a model is named only where it is clearly ahead.
        lead: How clearly it leads, as a sentence.
        collapsed: Names of the models that collapsed, with how many of their seeds did.
        compared: How many unlearned models there are.
        views: What the model stopped doing and what it still does, in words; empty with one view only.
        forgot: Name of the quantity that leads: the least forgotten view.
        keeps_most: The ranked model that keeps most; it needn't be the one with the best balance.
    """

    setting: str
    summary: str
    row: ModelRow | None
    title: str
    lead: str
    collapsed: Sequence[str]
    compared: int
    views: str = ""
    forgot: str = "forgetting"
    keeps_most: ModelRow | None = None


@dataclass(frozen=True)
class Headline:
    """What to say first.

    Args:
        leaders: By setting.
        sentences: The same and the findings, for `summary.md` and the top of the page.
        grounds: Why these scores lead: what the meta-evaluation found of them.
    """

    leaders: Sequence[Leader]
    sentences: Sequence[str]
    grounds: str = ""


def headline(comparison: Comparison, findings: Sequence[Finding]) -> Headline:
    """Sum a comparison up; collapsed models never lead."""
    leaders = [_leader(s) for s in comparison.settings.values() if any(r.ranks for r in s.rows)]
    sentences = [_sentence(leader) for leader in leaders]
    verdicts = {v: sum(f.verdict == v for f in findings) for v in ("seen", "not seen", "can't tell")}
    counts = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.items() if n)
    sentences.append(f"Of {len(findings)} published findings: {counts}.")
    return Headline(leaders, sentences, grounds(_scores(comparison)))


def _scores(comparison: Comparison) -> list[str]:
    """The scores that the headline is computed from: the comparison's own, and those of further views of forgetting."""
    rows = [row for setting in comparison.settings.values() for row in setting.rows]
    views = {view.metric for row in rows for view, _ in seen(row)} - {None, comparison.metric}
    return [comparison.metric, *(view.metric for view in VIEWS if view.metric is not None and view.metric in views)]


def _leader(setting: SettingComparison) -> Leader:
    compared = [r for r in setting.rows if r.ranks]
    ranked = [r for r in setting.ranked if r.quantity("balance").compute is not None]
    collapsed = [name(r) + (f" ({of})" if (of := seeds_collapsed(r)) else "") for r in compared if r.collapsed]
    best = ranked[0] if ranked else None
    words, forgot = (told(best), leading(best)) if best else ("", "forgetting")
    most = max(ranked, key=_kept, default=None)
    title, lead = _lead(ranked, len(compared))
    return Leader(setting.name, setting.summary, best, title, lead, collapsed, len(compared), words, forgot, most)


def _kept(row: ModelRow) -> float:
    value = row.quantity("keeping").value
    return float("-inf") if value is None else value


def _lead(ranked: Sequence[ModelRow], compared: int) -> tuple[str, str]:
    """How the race stands, in a few words and in a sentence."""
    if not ranked:
        return "None stands", "No model is left to rank."
    if len(ranked) == 1:
        return ("One model, no race" if compared == 1 else "One model stands"), "The only model to rank."
    close = []
    for other in ranked[1:]:
        ahead = difference(ranked[0].quantity("balance"), other.quantity("balance")).figure().interval
        if ahead is None or ahead.low is None or ahead.low <= 0:
            close.append(name(other))
    if not close:
        return f"{name(ranked[0])} is ahead", "Clearly ahead of every other model."
    return "No clear winner", f"Not clearly ahead of {', '.join(close[:-1]) + ' or ' if close[1:] else ''}{close[-1]}."


def _sentence(leader: Leader) -> str:
    lost = f" {', '.join(leader.collapsed)} collapsed." if leader.collapsed else ""
    if leader.row is None:
        return f"{leader.setting}: no model to rank.{lost}"
    kept = leader.row.figure("keeping")
    where = f" (least of {kept.of})" if kept.of else ""
    if leader.row.level is not None:
        place = (
            f"{leader.setting}: at forgetting {leader.row.level:g} (0 as vanilla, 1 as retain-only) {name(leader.row)}"
        )
        kept_most = leader.keeps_most
        if kept_most is None or _kept(kept_most) <= _kept(leader.row):
            return f"{place} keeps most: {number(kept.value)} of what had to survive{where}. {leader.lead}{lost}"
        # At the same forgetting by generation, methods differ in what they still prefer or expect.
        return (
            f"{place} strikes the best balance: it forgot {_forgot(leader.row)} and kept {number(kept.value)} of what "
            f"had to survive{where}; {name(kept_most)} kept most, {number(_kept(kept_most))}, and forgot "
            f"{_forgot(kept_most)}. {leader.lead}{lost}"
        )
    words = f"; it {leader.views}" if leader.views else ""
    return (
        f"{leader.setting}: {name(leader.row)} strikes the best balance: it forgot {_forgot(leader.row)} "
        f"(0 as vanilla, 1 as retain-only{words}) and kept {number(kept.value)} of what had to survive{where}. "
        f"{leader.lead}{lost}"
    )


def _forgot(row: ModelRow) -> str:
    """Forgetting by view, the least first: `0.16 by choice, 0.55 by probability, 0.75 by generation`."""
    views = [f"{number(value)} {what}".strip() for what, value in numbers(row)]
    return ", ".join(views) or number(None)
