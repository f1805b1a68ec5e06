"""How likely answers with other values are, beside the true one in other words.

`r` = mean normalised probability `p(o|x)^(1/T)` of the record's `perturbed_answers`, divided by that of its first
`answer_paraphrases`. On records of the forget split the score is min(r, 1/r): 1 where the true answer is neither more
nor less likely than others. Elsewhere it is max(0, 1 - r): 1 where the others are next to impossible beside it.

The mean over the others is arithmetic, as in the paper; variant `geometric` takes the geometric one, as the paper's
code does. General records, which have no paraphrase, are compared with the gold answer itself, as TOFU does with
those of its sets that have none (kind `own_words`). A model whose numbers are broken (NaN, infinite) scores 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored
from offside_eval.metrics._weights import log_mean_exp, mean_logprob

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")
Variant = Literal["", "geometric"]
_WITHOUT_SUBJECT = ("general", "utility")


def log_ratio(others: Sequence[float], true: float, variant: Variant = "") -> float:
    """Logarithm of `r`; NaN for a broken model.

    Args:
        others: Mean log-probability a token of each answer with another value; at least one.
        true: That of the true answer in other words.
        variant: `geometric` for the geometric mean.
    """
    if not all(map(math.isfinite, (true, *others))):
        return math.nan
    return (math.fsum(others) / len(others) if variant == "geometric" else log_mean_exp(others)) - true


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """min(r, 1/r) on the forget split, max(0, 1 - r) elsewhere."""

    needs: ClassVar[frozenset[Need]] = frozenset({"likelihood", "alternatives", "paraphrases"})
    higher_is_better: ClassVar[dict[str, bool]] = {"forget": True, "keep": True}
    variants: ClassVar[tuple[str, ...]] = ("geometric",)
    variant: Variant = ""

    def score(self, sample: Sample) -> Score:
        """Not scored when the record has no perturbed answers, or a claim no paraphrase of its answer."""
        if not sample.alternative_logprobs:
            return not_scored("the record has no perturbed answers")
        kind = None
        if sample.paraphrase_logprobs:
            true = sample.paraphrase_logprobs[0]
        elif sample.split in _WITHOUT_SUBJECT and sample.answer_logprobs:
            true, kind = mean_logprob(sample.answer_logprobs), "own_words"
        else:
            return not_scored("the record has no paraphrase of its answer")
        log_r = log_ratio(sample.alternative_logprobs, true, self.variant)
        if math.isnan(log_r):
            return Score(0.0, kind="broken")
        if sample.split == "forget":
            return Score(math.exp(-abs(log_r)), kind)
        return Score(max(0.0, -math.expm1(min(log_r, 0.0))), kind)
