"""ROUGE F1 over single words.

With matches `m`, recall `r = m / gold` and precision `p = m / answer`: `2 p r / (p + r)`, English words
stemmed, by the `rouge-score` library. Variant `paper` keeps that library's own tokenizer (a-z, 0-9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored
from offside_eval.metrics._rouge import Variant, f1

PAPER = Paper("ROUGE: A Package for Automatic Evaluation of Summaries", "https://aclanthology.org/W04-1013/")


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """ROUGE F1 over single words, from 0 to 1."""

    needs: ClassVar[frozenset[Need]] = frozenset({"generation"})
    variants: ClassVar[tuple[str, ...]] = ("paper",)
    variant: Variant = ""

    def score(self, sample: Sample) -> Score:
        """Not scored when the gold answer has no word."""
        value = f1("rouge1", sample.answer, sample.prediction or "", self.variant)
        return not_scored("the gold answer has no word") if value is None else Score(value)
