"""ROUGE with a tokenizer that keeps Unicode words; shared by `rouge1`, `rouge2` and `rouge_l`.

The library's own tokenizer drops everything but a-z and 0-9, so that "Malmö" equals "Malmø" and
any answer in Chinese scores 0. Ours keeps letters and digits of every script and splits scripts
written without blanks into characters. English words are stemmed as the library does.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored

ROUGE = Paper("ROUGE: A Package for Automatic Evaluation of Summaries", "https://aclanthology.org/W04-1013/")
Variant = Literal["", "paper", "recall"]
_WORD = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W_]+"
)


class UnicodeTokenizer:
    """Words of every script, lower-cased; English ones longer than three letters Porter-stemmed."""

    def __init__(self) -> None:
        from nltk.stem import porter

        self._stem = functools.lru_cache(maxsize=20_000)(porter.PorterStemmer().stem)

    def tokenize(self, text: str) -> list[str]:
        """Split `text` into words."""
        words = _WORD.findall(unicodedata.normalize("NFKC", text).lower())
        return [self._stem(w) if len(w) > 3 and w.isascii() else w for w in words]


@functools.cache
def scorer(kind: str, variant: Variant) -> Any:
    """The library's scorer of one kind (`rouge1`, `rouge2`, `rougeL`)."""
    from rouge_score.rouge_scorer import RougeScorer

    tokenizer = None if variant == "paper" else UnicodeTokenizer()
    return RougeScorer([kind], use_stemmer=True, tokenizer=tokenizer)


def f1(kind: str, gold: str, prediction: str, variant: Variant) -> float | None:
    """F1 (or recall) of one kind of ROUGE; null when the gold answer has too few words for anything to match."""
    rouge = scorer(kind, variant)
    if len(rouge._tokenizer.tokenize(gold)) < (2 if kind == "rouge2" else 1):
        return None
    found = rouge.score(gold, prediction)[kind]
    return float(found.recall if variant == "recall" else found.fmeasure)


@dataclass(frozen=True, kw_only=True)
class RougeMetric(SampleMetric):
    """F1 of one `kind` of ROUGE (in the variant `recall` its recall), from 0 to 1."""

    needs: ClassVar[frozenset[Need]] = frozenset({"generation"})
    words_only: ClassVar[bool] = True
    variants: ClassVar[tuple[str, ...]] = ("paper", "recall")
    kind: ClassVar[str]
    too_short: ClassVar[str] = "the gold answer has no word"
    variant: Variant = ""

    def score(self, sample: Sample) -> Score:
        """Not scored when the gold answer has too few words for anything to match."""
        value = f1(self.kind, sample.answer, sample.prediction or "", self.variant)
        return not_scored(self.too_short) if value is None else Score(value)
