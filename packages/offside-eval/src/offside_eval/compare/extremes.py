"""Numbers that choose among others: the set that suffered most, the least forgotten view, and their balance."""

from __future__ import annotations

from collections.abc import Mapping

from offside_eval.compare.quantities import Quantity, harmonic_mean, unscored, worst
from offside_eval.compare.views import LEAST, VIEWS

_KEEPING = "keeping/"


def with_extremes(found: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """All numbers, with `keeping`, `forgetting_least` and `balance` made of the others.

    They are made anew of whatever the others are: of means over seeds, or of numbers between two points of a curve, the
    worst is the worst of those means, and no mean of several worst ones, which may lie below every set that is shown.
    """
    made = dict(found)
    made["keeping"] = _worst_set(found)
    scored = {view.key: q for view in VIEWS if (q := found.get(view.key)) is not None and q.value is not None}
    made.pop(LEAST, None)
    if len(scored) > 1:
        made[LEAST] = scored[min(scored, key=lambda key: scored[key].value or 0.0)]
    if "forgetting" in made:
        made["balance"] = harmonic_mean(made.get(LEAST, made["forgetting"]), made["keeping"])
    return made


def _worst_set(found: Mapping[str, Quantity]) -> Quantity:
    """Of the smallest sets: scope by scope where a set has several."""
    sets = {name.removeprefix(_KEEPING): q for name, q in found.items() if name.startswith(_KEEPING)}
    smallest = {name: q for name, q in sets.items() if not any(other.startswith(f"{name}/") for other in sets)}
    return worst(smallest) if smallest else unscored("nothing was to be kept")
