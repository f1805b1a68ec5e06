"""Mean of `rouge1`, `rouge2`, `rouge_l` and `bleu`: one number for how much of the gold answer's wording is there.

A part that can't be scored (pairs of words in an answer of one word) is left out of the mean. Variant `paper` is the
mean of the four as the OFFSIDE scripts compute it: each in its own variant `paper`, and 0 for a part that can't be
scored. They let a model say 32 tokens (`--max-new-tokens 32`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored
from offside_eval.metrics.bleu import Metric as Bleu
from offside_eval.metrics.rouge1 import Metric as Rouge1
from offside_eval.metrics.rouge2 import Metric as Rouge2
from offside_eval.metrics.rouge_l import Metric as RougeL

PAPER = Paper("OFFSIDE: Benchmarking Unlearning Misinformation in MLLMs", "https://arxiv.org/abs/2510.22535")


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """Mean of three kinds of ROUGE and BLEU, from 0 to 1."""

    needs: ClassVar[frozenset[Need]] = frozenset({"generation"})
    words_only: ClassVar[bool] = True
    variants: ClassVar[tuple[str, ...]] = ("paper",)
    variant: Literal["", "paper"] = ""

    def score(self, sample: Sample) -> Score:
        """Not scored when the gold answer has no word."""
        parts = [part(variant=self.variant).score(sample).value for part in (Rouge1, Rouge2, RougeL, Bleu)]
        known = [value for value in parts if value is not None]
        if parts[0] is None:
            return not_scored("the gold answer has no word")
        return Score(sum(known) / (len(parts) if self.variant == "paper" else len(known)))
