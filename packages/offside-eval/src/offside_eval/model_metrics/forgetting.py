"""How much of the private claims to be forgotten is gone, on the scale from vanilla to a model that never saw them.

`(a_v - a_u) / (a_v - a_ro)` with the mean scores of vanilla, this model and retain-only: 0 as vanilla, 1 as
retain-only, never clipped; not scored where vanilla knows less than 0.05 more than retain-only. `compare` also has it
by config and scope, on visual rumours and others, and the raw drop beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from offside_eval.model_metrics import ComparedMetric, Control, Paper

PAPER = Paper("OFFSIDE: Benchmarking Unlearning Misinformation in MLLMs", "https://arxiv.org/abs/2510.22535")


@dataclass(frozen=True, kw_only=True)
class Metric(ComparedMetric):
    """Forgetting of private claims, on the scale from vanilla to retain-only."""

    quantity: ClassVar[str] = "forgetting"
    metrics: ClassVar[tuple[str, ...]] = ("value_match",)
    controls: ClassVar[tuple[Control, ...]] = ("vanilla", "retain_only")
    bounds: ClassVar[tuple[float | None, float | None]] = (None, None)
