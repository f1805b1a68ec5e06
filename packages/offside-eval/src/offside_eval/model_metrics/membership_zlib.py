"""Whether the answers to be forgotten stand out by their loss for what they hold: membership inference, ZLIB.

Score of a claim: the mean log-probability of the tokens of its answer's text, divided by the bytes to which zlib
compresses it. About eight of these are a header, so that the attack is weak on short answers.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

from offside_eval.model_metrics import Paper
from offside_eval.model_metrics._membership import MembershipMetric, Row

PAPER = Paper("Extracting Training Data from Large Language Models", "https://arxiv.org/abs/2012.07805")


@dataclass(frozen=True, kw_only=True)
class Metric(MembershipMetric):
    """ROC-AUC of the mean log-probability over the compressed bytes."""

    def membership(self, row: Row, control: Row | None) -> float:
        """Mean log-probability a token, over the compressed bytes of the answer in UTF-8."""
        mean = math.fsum(row["logprobs"]) / len(row["logprobs"])
        return mean / len(zlib.compress(row["answer"].encode("utf-8")))
