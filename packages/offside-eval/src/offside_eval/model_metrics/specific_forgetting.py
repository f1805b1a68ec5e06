"""What was forgotten beyond what the same subjects lost elsewhere.

Drop of the score from vanilla on the private claims to be forgotten, minus the drop on retain records of the same
subjects and attributes: what is left when general damage is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from offside_eval.model_metrics import ComparedMetric, Control, Paper

PAPER = Paper("OFFSIDE: Benchmarking Unlearning Misinformation in MLLMs", "https://arxiv.org/abs/2510.22535")


@dataclass(frozen=True, kw_only=True)
class Metric(ComparedMetric):
    """Drop on what was to be forgotten, less the drop on matched retain records."""

    quantity: ClassVar[str] = "specific_forgetting"
    metrics: ClassVar[tuple[str, ...]] = ("value_match",)
    controls: ClassVar[tuple[Control, ...]] = ("vanilla",)
    bounds: ClassVar[tuple[float | None, float | None]] = (-2.0, 2.0)
