"""Whether the right choice is the likeliest answer: `argmax_c p(c|x)^(1/T_c)` is the correct one.

Each choice is weighed as the answer, as it is written, by its mean log-probability a token; the order
of the choices plays no part. Of equally likely choices the first counts as chosen. Guessing gives 1/n,
with `n` in the column `n_choices`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored

PAPER = Paper("Language Models are Few-Shot Learners, section 2.4", "https://arxiv.org/abs/2005.14165")


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """1 when the correct choice is the likeliest, else 0."""

    needs: ClassVar[frozenset[Need]] = frozenset({"choices"})

    def score(self, sample: Sample) -> Score:
        """Not scored when the record has no choices or none of them is right."""
        if not sample.choices or sample.correct_choice is None:
            return not_scored("the record has no choices" if not sample.choices else "no choice is right")
        if not all(map(math.isfinite, sample.choice_logprobs)):
            return Score(0.0, kind="broken")
        best = max(range(len(sample.choices)), key=sample.choice_logprobs.__getitem__)
        right = best == sample.correct_choice
        return Score(float(right), kind="correct" if right else "wrong")
