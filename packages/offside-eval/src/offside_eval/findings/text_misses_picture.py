"""Unlearning the text form doesn't reach the picture."""

from __future__ import annotations

from dataclasses import replace

from offside_eval.compare import Comparison
from offside_eval.compare.quantities import difference, unscored
from offside_eval.findings import OFFSIDE, Evidence, Precondition, shown, standing, weigh, where_met, why_none

ORDER = 4
PAPER = OFFSIDE
STATEMENT = "Unlearning the text form of a claim does not reach the picture."
EFFECT = "forgetting on text questions minus forgetting on the pictures' questions"
THRESHOLD = 0.1
_TEXT, _PICTURE = "forgetting/text/private", "forgetting/multimodal/private"
PRECONDITIONS = (Precondition(quantity=_TEXT, what="forgetting on text questions", at_least=0.8),)
RULE = (
    "Seen if the whole interval lies above one tenth, not seen if it lies below. Unimodal setting, "
    "private claims, averaged over the models that have forgotten the text form and did not collapse; "
    "trajectories are read where that first holds."
)


def look(comparison: Comparison) -> Evidence:
    """Compute the effect."""
    candidates = comparison.rows("unimodal", role="unlearned")
    rows = standing(where_met(comparison, candidates, PRECONDITIONS))
    if not rows:
        return Evidence(unscored(why_none(candidates, "model unlearned in the unimodal setting")))
    evidence = weigh(rows, PRECONDITIONS, lambda row: difference(row.quantity(_TEXT), row.quantity(_PICTURE)))
    details = [
        (f"{shown(row)}: forgetting on {side}", row.quantity(name))
        for row in rows
        for side, name in (("text", _TEXT), ("pictures", _PICTURE))
    ]
    return replace(evidence, details=details)
