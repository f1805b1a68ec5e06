"""Whether the right choice is the likeliest answer: `argmax_c p(c|x)^(1/T_c)` is the correct one.

Each choice is weighed as the answer, as it is written, by its mean log-probability a token; the order of the choices
plays no part. Variant `sum` weighs by the log-probability of the whole choice, `argmax_c p(c|x)`, which favours short
ones. A tie is no hit: if the right choice is one of `t` that are equally likely, the score is 1/t, what guessing among
them gives, with the kind `tied`. Guessing gives 1/n, with `n` in the column `n_choices`; a model that finds all choices
equally likely scores just that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored

_ROUNDING = 1e-6
"""Difference of log-probabilities a token within which nothing is said about which is the larger one."""
PAPER = Paper("Language Models are Few-Shot Learners, section 2.4", "https://arxiv.org/abs/2005.14165")


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """1 when the correct choice is the likeliest, 1/t when it is one of t likeliest ones, else 0."""

    needs: ClassVar[frozenset[Need]] = frozenset({"choices"})
    variants: ClassVar[tuple[str, ...]] = ("sum",)
    variant: Literal["", "sum"] = ""

    def score(self, sample: Sample) -> Score:
        """Not scored when the record has no choices or none of them is right."""
        if not sample.choices or sample.correct_choice is None:
            return not_scored("the record has no choices" if not sample.choices else "no choice is right")
        weights, within = sample.choice_logprobs, _ROUNDING
        if self.variant == "sum":
            weights = tuple(mean * n for mean, n in zip(weights, sample.choice_lengths, strict=True))
            within *= max(sample.choice_lengths)
        if not all(map(math.isfinite, weights)):
            return Score(0.0, kind="broken")
        best = [i for i, weight in enumerate(weights) if weight >= max(weights) - within]
        if sample.correct_choice not in best:
            return Score(0.0, kind="wrong")
        return Score(1 / len(best), kind="correct" if len(best) == 1 else "tied")
