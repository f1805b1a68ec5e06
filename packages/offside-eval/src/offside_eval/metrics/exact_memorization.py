"""Share of the gold answer's tokens that are the likeliest ones where the true answer so far is given.

Only the tokens of the answer's own text count: the end of the turn, which is always foreseen, isn't one of them. A
token that is as likely as another one is no hit. A model whose numbers are broken (NaN) hits nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored

PAPER = Paper(
    "OpenUnlearning: Accelerating LLM Unlearning via Unified Benchmarking of Methods and Metrics",
    "https://arxiv.org/abs/2506.12618",
)


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """Share of answer-content tokens that are the arg-max under teacher forcing, from 0 to 1."""

    needs: ClassVar[frozenset[Need]] = frozenset({"likelihood", "hits"})

    def score(self, sample: Sample) -> Score:
        """Not scored when the gold answer has no token of its own."""
        if not sample.answer_hits:
            return not_scored("the gold answer has no token")
        return Score(sum(sample.answer_hits) / len(sample.answer_hits))
