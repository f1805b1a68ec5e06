"""Unlearning the text form doesn't reach the picture."""

from __future__ import annotations

from offside_eval.compare import Comparison
from offside_eval.compare.quantities import average, difference, unscored
from offside_eval.findings import OFFSIDE, Evidence, that_forgot, why_none

ORDER = 4
PAPER = OFFSIDE
STATEMENT = "Unlearning the text form of a claim does not reach the picture."
EFFECT = "forgetting on text questions minus forgetting on the pictures' questions"
THRESHOLD = 0.1
RULE = (
    "Seen if the whole interval lies above one tenth, not seen if it lies below. Unimodal setting, "
    "private claims, averaged over the models that measurably forgot the text form and did not "
    "collapse."
)


def look(comparison: Comparison) -> Evidence:
    """Compute the effect."""
    candidates = comparison.rows("unimodal", role="unlearned")
    rows = that_forgot(candidates)
    if not rows:
        return Evidence(unscored(why_none(candidates, "model unlearned in the unimodal setting")))
    text, picture = "forgetting/text/private", "forgetting/multimodal/private"
    gaps = [difference(row.quantity(text), row.quantity(picture)) for row in rows]
    return Evidence(
        average(gaps),
        [row.label for row in rows],
        [
            (f"{row.label}: forgetting on {side}", row.quantity(name))
            for row in rows
            for side, name in (("text", text), ("pictures", picture))
        ],
    )
