"""Whether forgetting reached pictures as it reached text.

`forgetting` of private claims asked about pictures, minus that of those asked as text: above 0 where pictures forgot
more, below 0 where text did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from offside_eval.model_metrics import ComparedMetric, Control, Paper

PAPER = Paper("OFFSIDE: Benchmarking Unlearning Misinformation in MLLMs", "https://arxiv.org/abs/2510.22535")


@dataclass(frozen=True, kw_only=True)
class Metric(ComparedMetric):
    """Forgetting on pictures minus forgetting on text."""

    quantity: ClassVar[str] = "modality_gap"
    metrics: ClassVar[tuple[str, ...]] = ("value_match",)
    controls: ClassVar[tuple[Control, ...]] = ("vanilla", "retain_only")
    better: ClassVar[Literal["up", "down"] | None] = None
    bounds: ClassVar[tuple[float | None, float | None]] = (None, None)
