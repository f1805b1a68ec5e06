"""ROUGE F1 over pairs of neighbouring words.

With matches `m`, recall `r = m / gold` and precision `p = m / answer`: `2 p r / (p + r)`, English words
stemmed, by the `rouge-score` library. Variant `paper` keeps that library's own tokenizer (a-z, 0-9), `recall` is `r`.
"""

from __future__ import annotations

from typing import ClassVar

from offside_eval.metrics._rouge import ROUGE, RougeMetric

PAPER = ROUGE


class Metric(RougeMetric):
    """ROUGE F1 over pairs of neighbouring words, from 0 to 1."""

    kind: ClassVar[str] = "rouge2"
    too_short: ClassVar[str] = "the gold answer has fewer than two words"
