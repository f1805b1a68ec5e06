"""Selective unlearning takes the shared facts of the same pictures along."""

from __future__ import annotations

from offside_eval.compare import Comparison
from offside_eval.compare.quantities import Quantity, average, combine, unscored
from offside_eval.findings import OFFSIDE, Evidence, that_forgot, why_none

ORDER = 2
PAPER = OFFSIDE
STATEMENT = "Unlearning the private claims of a picture takes the shared facts of the same picture along."
EFFECT = "share of the shared facts of the same pictures that was lost (1 - keeping)"
THRESHOLD = 0.1
RULE = (
    "Seen if the whole interval lies above one tenth, not seen if it lies below. Selective setting, "
    "averaged over the models that measurably forgot private claims (interval of the drop above 0) and "
    "did not collapse."
)
_SAME_PICTURES = "keeping/multimodal/forget/shared"
_OTHER_PICTURES = "keeping/multimodal/retain"


def look(comparison: Comparison) -> Evidence:
    """Compute the effect."""
    candidates = comparison.rows("selective", role="unlearned")
    rows = that_forgot(candidates)
    if not rows:
        return Evidence(unscored(why_none(candidates, "model unlearned in the selective setting")))
    details = [(f"{row.label}: lost of the same pictures", _lost(row.quantity(_SAME_PICTURES))) for row in rows]
    others = average([_lost(row.quantity(_OTHER_PICTURES)) for row in rows])
    return Evidence(
        average([_lost(row.quantity(_SAME_PICTURES)) for row in rows]),
        [row.label for row in rows],
        [("lost of retain pictures, for comparison", others), *details],
    )


def _lost(kept: Quantity) -> Quantity:
    return combine(lambda v: 1 - v[0], kept)
