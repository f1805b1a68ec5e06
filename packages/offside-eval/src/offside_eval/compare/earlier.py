"""What requests before the present one were about: whether it is still forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from offside_eval.compare.model_row import ModelRow
from offside_eval.compare.models import Model, ModelSet
from offside_eval.compare.quantities import Quantity, difference, over_seeds, ratio
from offside_eval.compare.scores import ScoreTable

if TYPE_CHECKING:
    import polars as pl

    from offside_eval.meta import EarlierRequest
    from offside_eval.results import Results

NUMBERS = ("knows", "vanilla", "retain_only", "forgetting")
"""What is measured of each."""


@dataclass(frozen=True, eq=False)
class EarlierOutcome:
    """What a model, or one method over seeds, still knows of an earlier request.

    Args:
        row: The model's row.
        request: What had been asked for.
        quantities: `knows`: share still answered, of private claims where there are some; `vanilla` and `retain_only`:
            the same of these; `forgetting`: on the scale between them.
    """

    row: ModelRow
    request: EarlierRequest
    quantities: dict[str, Quantity]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "label": self.row.label,
            "slice": self.request.slice,
            "request": self.request.in_words(),
            "n": self.request.n,
            "n_found": self.request.n_found,
            "remark": self.request.remark,
            "figures": {key: quantity.figure().to_dict() for key, quantity in self.quantities.items()},
        }


def earlier_outcomes(rows: Sequence[ModelRow], models: ModelSet, metric: str) -> list[EarlierOutcome]:
    """One for each row and each request that was made of its model before.

    Args:
        rows: The rows of a setting, controls left out.
        models: All models.
        metric: The score.
    """
    found = []
    for row in rows:
        if row.results is None:
            continue
        for request in row.results.meta.earlier:
            each = [_quantities(model, r, request, models, metric) for model, r in _evaluated(row, request)]
            if each:
                together = {key: over_seeds([quantities[key] for quantities in each]) for key in NUMBERS}
                found.append(EarlierOutcome(row, request, together))
    return found


def _evaluated(row: ModelRow, request: EarlierRequest) -> Iterator[tuple[Model, Results]]:
    """The models behind a row with the results that asked them about the request, a result each."""
    for model in row.members or (row.model,):
        own = row.results if model is row.model else None
        for r in [own] if own is not None else model.results:
            asked = [(earlier.slice, earlier.digest) for earlier in r.meta.earlier]
            if r.setting == row.setting and (request.slice, request.digest) in asked:
                yield model, r
                break


def _quantities(
    model: Model, results: Results, request: EarlierRequest, models: ModelSet, metric: str
) -> dict[str, Quantity]:
    scores = ScoreTable(results.samples, metric, models.arms(model))
    where = _asked(results, request.slice)
    vanilla, own, retain_only = scores.means(where, "vanilla", "self", "retain_only")
    what = "what vanilla knows beyond retain-only"
    return {
        "knows": scores.mean(where),
        "vanilla": scores.mean(where, "vanilla"),
        "retain_only": scores.mean(where, "retain_only"),
        "forgetting": ratio(difference(vanilla, own), difference(vanilla, retain_only), what),
    }


def _asked(results: Results, place: str) -> pl.Expr:
    """The rows of a request: private claims where there are some, for forgetting is about them."""
    import polars as pl

    where = (pl.col("slice") == place) & (pl.col("variant") == "plain")
    private = where & (pl.col("scope") == "private")
    return where if results.samples.filter(private).is_empty() else private
