"""What every metric of a model is: a frozen dataclass that turns saved results into one `Measured`."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from offside_data.strict import Strict
from offside_eval.metrics import Need

if TYPE_CHECKING:
    from offside_eval.results import Results

Control = Literal["vanilla", "retain_only", "before"]
"""Whose results a metric may need beside the model's own; `before` is the model that a relearned one was made from."""


@dataclass(frozen=True, kw_only=True)
class Measured(Strict):
    """One number of a model, or the reason why there is none.

    Args:
        value: The number; null where `reason` says why.
        low: Lower bound of its interval over subjects, null where there is none.
        high: Upper bound.
        n: Records behind it.
        n_skipped: Records that it couldn't count.
        n_subjects: Subjects behind it.
        verdict: What it says in words, where the metric judges.
        details: Further numbers, each by name.
        reason: Why there is no number.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    n_skipped: int = 0
    n_subjects: int = 0
    verdict: str | None = None
    details: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) != (self.reason is not None):
            raise ValueError("a metric of a model has either a value or the reason why it has none")


def cannot(reason: str, *, n_skipped: int = 0) -> Measured:
    """No number."""
    return Measured(value=None, reason=reason, n_skipped=n_skipped)


@dataclass(frozen=True, kw_only=True)
class ModelMetric(abc.ABC):
    """Base of all metrics of a model.

    `metrics` are the per-record scores that it reads, `needs` what else must have been asked and saved
    (`weighings.parquet`), `controls` whose results it needs beside the model's own, `optional` whose it uses if they
    are there. `better` says which way is good, or that neither is. What is `costly` to ask for is left to the suite
    `full`. `asks_controls` says that it needs more than their results: their models, and the dataset, while this one is
    evaluated.
    """

    metrics: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[frozenset[Need]] = frozenset()
    controls: ClassVar[tuple[Control, ...]] = ()
    optional: ClassVar[tuple[Control, ...]] = ()
    better: ClassVar[Literal["up", "down"] | None] = "up"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    costly: ClassVar[bool] = False
    asks_controls: ClassVar[bool] = False

    @property
    def memory(self) -> Literal["up", "down"] | None:
        """Which way a model points that knows what was to be forgotten: away from what is good.

        Null where the number isn't made to tell.
        """
        return None if self.better is None else "down" if self.better == "up" else "up"

    @abc.abstractmethod
    def measure(self, own: Results, controls: Mapping[str, Results]) -> Measured:
        """Compute it.

        Args:
            own: Results of the model.
            controls: Those of the controls that it declares, and of those optional ones that are there.
        """


@dataclass(frozen=True, kw_only=True)
class ComparedMetric(ModelMetric):
    """One of the numbers that `compare` has in a model's row, `quantity`."""

    quantity: ClassVar[str]

    def measure(self, own: Results, controls: Mapping[str, Results]) -> Measured:
        """Compare the model with its controls and take the number from its row."""
        from offside_eval.compare import compare

        before = controls.get("before")
        if before is not None and (own.path is None or before.path is None):
            return cannot("results that were never written can't be told to be of a model and of the one before it")
        comparison = compare(
            [own, *controls.values()],
            vanilla=controls.get("vanilla"),
            retain_only=controls.get("retain_only"),
            relearned=None if before is None else {str(own.path): str(before.path)},
        )
        rows = comparison.settings[own.setting].all_rows
        row = next((row for row, _ in rows if row.model.digest == own.meta.model.digest), None)
        if row is None:
            return cannot("the model is one of the controls, which has no such number")
        figure = row.quantity(self.quantity).figure()  # Not `row.figure`: that makes the intervals of all numbers.
        i = figure.interval
        if i is None:
            return cannot(figure.reason or "not scored", n_skipped=figure.n_skipped)
        return Measured(
            value=i.value, low=i.low, high=i.high, n=i.n, n_skipped=figure.n_skipped, n_subjects=i.n_clusters
        )
