"""Whether the answers to be forgotten stand out by their unlikeliest tokens: membership inference, Min-K%.

Score of a claim: the mean of the lowest `max(1, floor(T / 5))` of the `T` log-probabilities of its answer's text
(k = 20 %). Answers of a single token are counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from offside_eval.model_metrics import Paper
from offside_eval.model_metrics._membership import MembershipMetric, Row
from offside_eval.model_metrics._min_k import mean_of_lowest

PAPER = Paper("Detecting Pretraining Data from Large Language Models", "https://arxiv.org/abs/2310.16789")


@dataclass(frozen=True, kw_only=True)
class Metric(MembershipMetric):
    """ROC-AUC of the mean of the lowest fifth of the log-probabilities."""

    apart: ClassVar[bool] = True

    def membership(self, row: Row, control: Row | None) -> float:
        """Mean of the lowest fifth."""
        return mean_of_lowest(row["logprobs"])
