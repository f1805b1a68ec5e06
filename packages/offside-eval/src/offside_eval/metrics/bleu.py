"""BLEU of one sentence: geometric mean of 1- to 4-gram precisions times the brevity penalty.

By `sacrebleu`, exponential smoothing, effective order (n-grams longer than the answer are left out,
so that a perfect short answer scores 1), divided by 100. Variant `paper` is what the OFFSIDE scripts
call: `nltk`'s `sentence_bleu`, smoothing method 1, lower-cased, `NLTKWordTokenizer`; there a perfect
answer shorter than four tokens stays below 1.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored

PAPER = Paper("BLEU: a Method for Automatic Evaluation of Machine Translation", "https://aclanthology.org/P02-1040/")


@functools.cache
def _sacrebleu() -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(effective_order=True)


def _nltk(gold: str, prediction: str) -> float:
    from nltk.tokenize import NLTKWordTokenizer
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    tokenize = NLTKWordTokenizer().tokenize
    references, hypothesis = [tokenize(gold.lower())], tokenize(prediction.lower())
    return float(sentence_bleu(references, hypothesis, smoothing_function=SmoothingFunction().method1))


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """Sentence BLEU from 0 to 1."""

    needs: ClassVar[frozenset[Need]] = frozenset({"generation"})
    words_only: ClassVar[bool] = True
    variants: ClassVar[tuple[str, ...]] = ("paper",)
    variant: Literal["", "paper"] = ""

    def score(self, sample: Sample) -> Score:
        """Not scored when the gold answer is blank."""
        gold, prediction = sample.answer, sample.prediction or ""
        if not gold.strip():
            return not_scored("the gold answer is blank")
        if not prediction.strip():
            return Score(0.0)
        if self.variant == "paper":
            return Score(min(1.0, _nltk(gold, prediction)))
        return Score(min(1.0, _sacrebleu().sentence_score(prediction, [gold]).score / 100))
