"""Whether the answers to be forgotten are likelier than to a model that never saw them: membership, reference.

Score of a claim: the mean log-probability of the tokens of its answer's text less that of retain-only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from offside_eval.model_metrics import Control, Paper
from offside_eval.model_metrics._membership import MembershipMetric, Row

PAPER = Paper("Extracting Training Data from Large Language Models", "https://arxiv.org/abs/2012.07805")


@dataclass(frozen=True, kw_only=True)
class Metric(MembershipMetric):
    """ROC-AUC of the mean log-probability less retain-only's."""

    controls: ClassVar[tuple[Control, ...]] = ("retain_only",)
    optional: ClassVar[tuple[Control, ...]] = ()

    def membership(self, row: Row, control: Row | None) -> float | None:
        """Mean difference a token; null where retain-only wasn't asked the same record."""
        if control is None or len(control["logprobs"]) != len(row["logprobs"]):
            return None
        return math.fsum(a - b for a, b in zip(row["logprobs"], control["logprobs"], strict=True)) / len(
            row["logprobs"]
        )
