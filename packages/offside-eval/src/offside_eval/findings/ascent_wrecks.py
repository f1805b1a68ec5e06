"""Gradient ascent wrecks what must stay: 1 - keeping of `grad_ascent`, in the set that suffered most."""

from __future__ import annotations

from dataclasses import replace

from offside_eval.compare import Comparison
from offside_eval.compare.quantities import combine, unscored
from offside_eval.findings import FORGOT, OFFSIDE, Evidence, shown, weigh, where_met

ORDER = 1
PAPER = OFFSIDE
STATEMENT = "Gradient ascent wrecks what must stay."
EFFECT = "share of the worst set of what must survive that gradient ascent lost (1 - keeping)"
THRESHOLD = 0.5
PRECONDITIONS = (replace(FORGOT, seen_without=True),)
RULE = (
    "Seen if the whole interval lies above one half, the line at which a model counts as collapsed; not "
    "seen if it lies below. Models unlearned with grad_ascent in the complete setting, or else in the "
    "first setting that has one; read where they have certainly forgotten, for after too few steps nothing "
    "is lost: without that it is never not seen. What was wrecked before it had forgotten was wrecked, and "
    "is read where it forgot most."
)


def look(comparison: Comparison) -> Evidence:
    """Compute the effect."""
    by_setting = [comparison.rows(name, role="unlearned", method="grad_ascent") for name in comparison.settings]
    rows = next((rows for rows in by_setting if rows), [])
    if not rows:
        return Evidence(unscored("no model unlearned with grad_ascent is among the results"))
    rows = where_met(comparison, rows, PRECONDITIONS)
    evidence = weigh(rows, PRECONDITIONS, lambda row: combine(lambda v: 1 - v[0], row.quantity("keeping")))
    details = [
        (f"{shown(row)}: keeping of {name.removeprefix('keeping/')}", quantity)
        for row in rows
        for name, quantity in row.quantities.items()
        if name.startswith("keeping/")
    ]
    return replace(evidence, models=[f"{label} ({rows[0].setting})" for label in evidence.models], details=details)
