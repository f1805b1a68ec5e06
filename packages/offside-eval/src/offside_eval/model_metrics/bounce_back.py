"""How much of the forgotten comes back after relearning.

`recovered` = a(relearned) - a(unlearned) on the private claims to be forgotten, in points of the score. `compare` and
the report also have the ratio over what had been forgotten (`recovered_ratio`), what the same budget teaches
retain-only (`recovered_control`), the excess over it, and, in the corrective setting, the old rumour and the
correction apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from offside_eval.model_metrics import ComparedMetric, Control, Paper

PAPER = Paper("OFFSIDE: Benchmarking Unlearning Misinformation in MLLMs", "https://arxiv.org/abs/2510.22535")


@dataclass(frozen=True, kw_only=True)
class Metric(ComparedMetric):
    """Old claims answered again after relearning, in points."""

    quantity: ClassVar[str] = "recovered"
    metrics: ClassVar[tuple[str, ...]] = ("value_match",)
    controls: ClassVar[tuple[Control, ...]] = ("before",)
    optional: ClassVar[tuple[Control, ...]] = ("vanilla", "retain_only")
    better: ClassVar[Literal["up", "down"] | None] = "down"
    bounds: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)
