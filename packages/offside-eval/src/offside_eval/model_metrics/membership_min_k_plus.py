"""Whether the answers to be forgotten stand out by tokens that are unlikely for their place: membership, Min-K%++.

As `membership_min_k`, each token's log-probability standardised first: less the mean log-probability under the model's
own next-token distribution at its place, divided by the standard deviation under it (at least 0.001).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from offside_eval.model_metrics import Paper
from offside_eval.model_metrics._membership import MembershipMetric, Row
from offside_eval.model_metrics._min_k import mean_of_lowest

PAPER = Paper(
    "Min-K%++: Improved Baseline for Detecting Pre-Training Data from Large Language Models",
    "https://arxiv.org/abs/2404.02936",
)
_LEAST = 1e-3


@dataclass(frozen=True, kw_only=True)
class Metric(MembershipMetric):
    """ROC-AUC of the mean of the lowest fifth of the standardised log-probabilities."""

    apart: ClassVar[bool] = True

    def membership(self, row: Row, control: Row | None) -> float:
        """Mean of the lowest fifth of the standardised log-probabilities."""
        places = zip(row["logprobs"], row["means"], row["deviations"], strict=True)
        return mean_of_lowest([(own - mean) / max(deviation, _LEAST) for own, mean, deviation in places])
