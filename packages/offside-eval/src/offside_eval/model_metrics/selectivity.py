"""Whether the private claims of a picture went and its shared facts stayed.

Harmonic mean of `forgetting` on the private claims and of keeping the shared facts of the same pictures; 0 if one of
them is 0 or below, not scored if one isn't, or where the setting has no shared facts to keep on these pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from offside_eval.model_metrics import ComparedMetric, Control, Paper

PAPER = Paper("OFFSIDE: Benchmarking Unlearning Misinformation in MLLMs", "https://arxiv.org/abs/2510.22535")


@dataclass(frozen=True, kw_only=True)
class Metric(ComparedMetric):
    """Harmonic mean of forgetting and of keeping on the same pictures."""

    quantity: ClassVar[str] = "selectivity"
    metrics: ClassVar[tuple[str, ...]] = ("value_match",)
    controls: ClassVar[tuple[Control, ...]] = ("vanilla", "retain_only")
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, None)
