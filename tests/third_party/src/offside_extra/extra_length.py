"""Whether the answer has as many words as the true one, to show what a third party's metric looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score

PAPER = Paper("An example, not a paper", "https://example.org/extra-length")


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """1 for an answer of the true answer's length in words, less the more it differs."""

    needs: ClassVar[frozenset[Need]] = frozenset({"generation"})
    higher_is_better: ClassVar[Mapping[str, bool]] = {"forget": False, "keep": True}

    def score(self, sample: Sample) -> Score:
        """Shorter over longer; an empty answer is 0."""
        told, true = len((sample.prediction or "").split()), len(sample.answer.split())
        return Score(min(told, true) / max(told, true, 1))
