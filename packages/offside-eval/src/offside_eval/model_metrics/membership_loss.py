"""Whether the answers to be forgotten stand out by their loss: membership inference, LOSS.

Score of a claim: the mean log-probability of the tokens of its answer's text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from offside_eval.model_metrics import Paper
from offside_eval.model_metrics._membership import MembershipMetric, Row

PAPER = Paper(
    "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting", "https://arxiv.org/abs/1709.01604"
)


@dataclass(frozen=True, kw_only=True)
class Metric(MembershipMetric):
    """ROC-AUC of the mean log-probability."""

    def membership(self, row: Row, control: Row | None) -> float:
        """Mean log-probability a token."""
        return math.fsum(row["logprobs"]) / len(row["logprobs"])
