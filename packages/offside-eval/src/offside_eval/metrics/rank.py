"""Where the true value stands among others of its kind: the share of those that it is likelier than.

Answers are compared by their normalised probability, `p(y|x)^(1/T)`; the others are the record's `perturbed_answers`:
in its own wording, with values that others have. One that is equally likely counts half. The mean over records is the
area under the ROC curve that tells true values from others: 0.5 says that the model has no preference, as one that
never learnt the claim should not; what retain-only has stands beside it. `probability` alone can't say so: a model
that was made to find every value unlikely (a flat prior) may still find the true one the likeliest, and one may find
the true value likely that finds all of them likely.

A model whose numbers are broken (NaN, infinite) prefers nothing: 0.5, with the kind `broken`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored
from offside_eval.metrics._weights import ROUNDING, mean_logprob

PAPER = Paper(
    "The Meaning and Use of the Area under a Receiver Operating Characteristic (ROC) Curve",
    "https://doi.org/10.1148/radiology.143.1.7063747",
)


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """Share of the answers with other values that are less likely than the gold answer, ties half, from 0 to 1."""

    needs: ClassVar[frozenset[Need]] = frozenset({"likelihood", "alternatives"})

    def score(self, sample: Sample) -> Score:
        """Not scored when the record has no answers with other values, or the gold answer has no token."""
        others = sample.alternative_logprobs
        if not others:
            return not_scored("the record has no perturbed answers")
        if not sample.answer_logprobs:
            return not_scored("the gold answer has no token")
        gold = mean_logprob(sample.answer_logprobs)
        if not all(map(math.isfinite, (gold, *others))):
            return Score(0.5, kind="broken")
        beaten = sum(1.0 if gold - other > ROUNDING else 0.5 if gold - other >= -ROUNDING else 0.0 for other in others)
        share = beaten / len(others)
        return Score(share, kind="first" if share == 1 else "last" if share == 0 else "among")
