"""Probability of the gold answer, normalised by its length: `p(y|x)^(1/T)` over its `T` tokens.

The answer's tokens are those that training teaches: its text and the end of the turn. A model whose
numbers are broken (NaN, infinite) gives its gold answers probability 0.

Variant `choice`: the right choice's normalised probability over the sum of those of all choices, as TOFU has it for
questions that have nothing to do with its people; guessing gives 1/n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored
from offside_eval.metrics._weights import mean_logprob, share_of

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """Geometric mean of the gold answer's token probabilities, from 0 to 1."""

    needs: ClassVar[frozenset[Need]] = frozenset({"likelihood"})
    variants: ClassVar[tuple[str, ...]] = ("choice",)
    variant_needs: ClassVar[Mapping[str, frozenset[Need]]] = {"choice": frozenset({"choices"})}
    variant: Literal["", "choice"] = ""

    def score(self, sample: Sample) -> Score:
        """Not scored when the gold answer has no token; in the variant when the record has no choices."""
        if self.variant == "choice":
            return _among_choices(sample)
        if not sample.answer_logprobs:
            return not_scored("the gold answer has no token")
        mean = mean_logprob(sample.answer_logprobs)
        return Score(math.exp(min(0.0, mean)) if math.isfinite(mean) else 0.0)


def _among_choices(sample: Sample) -> Score:
    if not sample.choices or sample.correct_choice is None:
        return not_scored("the record has no choices" if not sample.choices else "no choice is right")
    if not all(map(math.isfinite, sample.choice_logprobs)):
        return Score(0.0, kind="broken")
    return Score(share_of(sample.choice_logprobs, sample.correct_choice))
