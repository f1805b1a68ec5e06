"""Selective unlearning takes the shared facts of the same pictures along."""

from __future__ import annotations

from dataclasses import replace

from offside_eval.compare import Comparison, ModelRow
from offside_eval.compare.quantities import Quantity, average, combine, unscored
from offside_eval.findings import FORGOT, OFFSIDE, Evidence, shown, standing, weigh, where_met, why_none

ORDER = 2
PAPER = OFFSIDE
STATEMENT = "Unlearning the private claims of a picture takes the shared facts of the same picture along."
EFFECT = "share of the shared facts of the same pictures that was lost (1 - keeping)"
THRESHOLD = 0.1
PRECONDITIONS = (FORGOT,)
RULE = (
    "Seen if the whole interval lies above one tenth, not seen if it lies below. Selective setting, "
    "averaged over the models that have forgotten the private claims and did not collapse, trajectories "
    "read where that first holds: whoever forgot nothing took nothing along."
)
_SAME_PICTURES = "keeping/multimodal/forget/shared"
_OTHER_PICTURES = "keeping/multimodal/retain/shared"


def look(comparison: Comparison) -> Evidence:
    """Compute the effect."""
    candidates = comparison.rows("selective", role="unlearned")
    rows = standing(where_met(comparison, candidates, PRECONDITIONS))
    if not rows:
        return Evidence(unscored(why_none(candidates, "model unlearned in the selective setting")))
    others = average([_lost(row, _OTHER_PICTURES) for row in rows])
    details = [(f"{shown(row)}: lost of the same pictures", _lost(row, _SAME_PICTURES)) for row in rows]
    evidence = weigh(rows, PRECONDITIONS, lambda row: _lost(row, _SAME_PICTURES))
    return replace(evidence, details=[("lost of shared facts of retain pictures, for comparison", others), *details])


def _lost(row: ModelRow, kept: str) -> Quantity:
    return combine(lambda v: 1 - v[0], row.quantity(kept))
