"""Whether the answer states the gold *value*, compared by kind and tolerance, not as a string.

1 when the gold value is among the values readable in the answer ("€35.00m" = "35 million euros", £ is
not €), else 0 with what the answer was instead: `wrong_value`, `no_value`, `refusal` or `empty`. Not
scored only when the record has no parsed gold value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from offside_data.tagging.values import answer_states, find_values
from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored
from offside_eval.metrics.refusal import is_refusal

PAPER = Paper("OFFSIDE: Benchmarking Unlearning Misinformation in MLLMs", "https://arxiv.org/abs/2510.22535")


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """1 when the gold value is in the answer, else 0 with the answer's kind."""

    needs: ClassVar[frozenset[Need]] = frozenset({"generation"})

    def score(self, sample: Sample) -> Score:
        """Not scored when the gold value couldn't be parsed."""
        if sample.value is None:
            return not_scored("the gold answer has no parsed value")
        answer = (sample.prediction or "").strip()
        if not answer:
            return Score(0.0, kind="empty")
        if answer_states(answer, sample.value, sample.attribute):
            return Score(1.0, kind="correct")
        if is_refusal(answer):
            return Score(0.0, kind="refusal")
        found = find_values(answer, sample.attribute)
        return Score(0.0, kind="wrong_value" if found else "no_value")
