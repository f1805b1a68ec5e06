"""Probability of the gold answer, normalised by its length: `p(y|x)^(1/T)` over its `T` tokens.

The answer's tokens are those that training teaches: its text and the end of the turn. A model whose
numbers are broken (NaN, infinite) gives its gold answers probability 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """Geometric mean of the gold answer's token probabilities, from 0 to 1."""

    needs: ClassVar[frozenset[Need]] = frozenset({"likelihood"})

    def score(self, sample: Sample) -> Score:
        """Not scored when the gold answer has no token."""
        if not sample.answer_logprobs:
            return not_scored("the gold answer has no token")
        mean = math.fsum(sample.answer_logprobs) / len(sample.answer_logprobs)
        return Score(math.exp(min(0.0, mean)) if math.isfinite(mean) else 0.0)
