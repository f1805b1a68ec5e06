"""The rumour bounces back after (corrective) relearning, by more than retain-only picks up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from offside_eval.compare import Comparison, ModelRow
from offside_eval.compare.quantities import unscored
from offside_eval.compare.show import name
from offside_eval.findings import OFFSIDE, Evidence, Precondition, weigh

ORDER = 3
PAPER = OFFSIDE
STATEMENT = "The erased rumour bounces back after a little further training, even training on its correction."
EFFECT = "points of the old rumour recovered, beyond what retain-only picks up from the same training"
THRESHOLD = 0.05
PRECONDITIONS = (
    Precondition(quantity="before/forgetting", what="forgetting before relearning", at_least=0.8),
    Precondition(quantity="correction_learnt", what="share of corrections learnt", at_least=0.8, bound="value"),
)
RULE = (
    "Seen if the whole interval lies above 5 points, not seen if it lies below. Averaged over the "
    "relearned models (each unlearned model at its largest budget that was also spent on retain-only) "
    "that learnt the correction and whose unlearned model had forgotten and did not collapse: what was not "
    "gone can't come back. Without retain-only after the same number of steps: can't tell."
)


def look(comparison: Comparison) -> Evidence:
    """Compute the effect."""
    relearned = comparison.rows(role="relearned")
    rows = _largest_budgets(comparison, relearned)
    if not relearned:
        return Evidence(unscored("no relearned model is among the results"))
    if not rows:
        return Evidence(unscored("no relearned model has an unlearned one that did not collapse, and a control"))
    figures = (
        ("before/forgetting", "forgetting before relearning"),
        ("recovered", "old rumour recovered"),
        ("recovered_control", "the same on retain-only"),
        ("corrected", "corrected value given on the forget picture"),
        ("correction_learnt", "correction learnt on its own picture"),
    )
    evidence = weigh(rows, PRECONDITIONS, lambda row: row.quantity("excess_recovery"))
    details = [(f"{name(row)}: {what}", row.quantity(key)) for row in rows for key, what in figures]
    return replace(evidence, details=details)


def _largest_budgets(comparison: Comparison, relearned: Sequence[ModelRow]) -> list[ModelRow]:
    collapsed = comparison.wrecks
    largest: dict[str, ModelRow] = {}
    for row in sorted(relearned, key=lambda r: r.model.steps or 0):
        parents = [comparison.models.parents.get(model.digest) for model in row.members or (row.model,)]
        known = [parent.digest for parent in parents if parent is not None]
        if known and collapsed.isdisjoint(known) and row.quantity("excess_recovery").compute is not None:
            largest[known[0]] = row
    return list(largest.values())
