"""The rumour bounces back after (corrective) relearning, by more than retain-only picks up."""

from __future__ import annotations

from collections.abc import Sequence

from offside_eval.compare import Comparison, ModelRow
from offside_eval.compare.quantities import average, unscored
from offside_eval.findings import OFFSIDE, Evidence

ORDER = 3
PAPER = OFFSIDE
STATEMENT = "The erased rumour bounces back after a little further training, even training on its correction."
EFFECT = "points of the old rumour recovered, beyond what retain-only picks up from the same training"
THRESHOLD = 0.05
RULE = (
    "Seen if the whole interval lies above 5 points, not seen if it lies below. Averaged over the "
    "relearned models (each unlearned model at its largest budget that was also spent on retain-only) "
    "whose unlearned model did not collapse. Without relearned retain-only: can't tell."
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
        ("recovered", "old rumour recovered"),
        ("recovered_control", "the same on retain-only"),
        ("corrected", "corrected value given on the forget picture"),
        ("correction_learnt", "correction learnt on its own picture"),
    )
    return Evidence(
        average([row.quantity("excess_recovery") for row in rows]),
        [row.label for row in rows],
        [(f"{row.label}: {what}", row.quantity(name)) for row in rows for name, what in figures],
    )


def _largest_budgets(comparison: Comparison, relearned: Sequence[ModelRow]) -> list[ModelRow]:
    collapsed = {row.model.digest for row in comparison.rows() if row.collapsed}
    largest: dict[str, ModelRow] = {}
    for row in sorted(relearned, key=lambda r: r.model.steps or 0):
        parent = comparison.models.parents.get(row.model.digest)
        if parent and parent.digest not in collapsed and row.quantity("excess_recovery").compute is not None:
            largest[parent.digest] = row
    return list(largest.values())
