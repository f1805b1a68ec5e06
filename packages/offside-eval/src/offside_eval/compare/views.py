"""What was forgotten, seen in more than one way: a model may stop saying a claim and still prefer it.

Each view is `forgetting` on the private claims to be forgotten, computed from another score: the answer that is
generated, the option that is preferred among the record's choices (corrected for chance), and the probability of the
gold answer. The least forgotten one leads, because the claim is still there where any of them still sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from offside_eval.compare.quantities import Quantity, difference, ratio
from offside_eval.compare.scores import ScoreTable

if TYPE_CHECKING:
    import polars as pl

LEAST = "forgetting_least"
STOPPED, STILL = 2 / 3, 1 / 3
"""From this much forgetting on a model counts as having stopped, up to that much as still doing it."""


@dataclass(frozen=True)
class View:
    """One way to see forgetting.

    Args:
        key: Name of the quantity.
        metric: The score; null for that of the comparison.
        name: How it is called in sentences.
        stopped: What a model does that forgot, seen this way.
        less: What one does that forgot in part.
        still: What one does that didn't forget.
    """

    key: str
    metric: str | None
    name: str
    stopped: str
    less: str
    still: str

    def told(self, value: float) -> str:
        """How much forgetting is, in words."""
        return self.stopped if value >= STOPPED else self.still if value <= STILL else self.less


VIEWS = (
    View("forgetting", None, "by generation", "stops saying it", "says it less", "still says it"),
    View(
        "forgetting_by_choice",
        "choice_accuracy",
        "by choice",
        "stops preferring it",
        "prefers it less",
        "still prefers it",
    ),
    View(
        "forgetting_by_probability",
        "probability",
        "by probability",
        "stops expecting it",
        "expects it less",
        "still expects it",
    ),
)


class HasQuantities(Protocol):
    """A row of a comparison."""

    def quantity(self, name: str) -> Quantity:
        """A number by name."""


def by_view(scores: ScoreTable, where: pl.Expr) -> dict[str, Quantity]:
    """Forgetting in each further view.

    Args:
        scores: The scores of the models involved.
        where: The claims to be forgotten.

    Returns:
        Nothing where no further score was computed.
    """
    views: dict[str, Quantity] = {}
    for view in VIEWS:
        if view.metric is None or view.metric == scores.metric or view.metric not in scores.rows.columns:
            continue
        v, u, ro = scores.means(where, "vanilla", "self", "retain_only", column=view.metric)
        views[view.key] = ratio(difference(v, u), difference(v, ro), "what vanilla knows beyond retain-only")
    return views


def seen(row: HasQuantities) -> list[tuple[View, float]]:
    """The views of a row that have a number, the least forgotten one first."""
    values = [(view, row.quantity(view.key).value) for view in VIEWS]
    return sorted(((view, value) for view, value in values if value is not None), key=lambda pair: pair[1])


def told(row: HasQuantities) -> str:
    """What a model still does, in words: `stops saying it, still prefers it`; empty with less than two views."""
    views = seen(row)
    return ", ".join(view.told(value) for view, value in reversed(views)) if len(views) > 1 else ""


def leading(row: HasQuantities) -> str:
    """Name of the quantity that leads: the least forgotten view, or `forgetting` where there is only one."""
    return LEAST if row.quantity(LEAST).compute is not None else "forgetting"


def numbers(row: HasQuantities) -> Sequence[tuple[str, float]]:
    """Forgetting by view, the least first, with what to call it; without a name where there is one view only."""
    views = seen(row)
    return [(view.name if len(views) > 1 else "", value) for view, value in views]
