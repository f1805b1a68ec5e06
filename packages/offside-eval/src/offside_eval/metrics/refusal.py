"""Whether the answer declines to say: 1 when it holds a phrase of `refusals.yaml`, else 0.

Phrases are matched as whole words, case and kind of apostrophe ignored. On what was to be forgotten a
refusal is as good as any other way of not telling; on what must be kept it is a loss.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import ClassVar

import yaml

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")


def fold(text: str) -> str:
    """Lower-case, compatibility-normalised text with straight apostrophes and single blanks."""
    straight = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("ʼ", "'")
    return " ".join(straight.split())


@functools.cache
def _pattern() -> re.Pattern[str]:
    text = (resources.files("offside_eval.metrics") / "refusals.yaml").read_text(encoding="utf-8")
    phrases = sorted({fold(p) for listed in yaml.safe_load(text).values() for p in listed}, key=lambda p: (-len(p), p))
    # Scripts written without blanks have no word boundaries to ask for.
    bounded = [rf"(?<!\w){re.escape(p)}(?!\w)" if p.isascii() or " " in p else re.escape(p) for p in phrases]
    return re.compile("|".join(bounded))


def is_refusal(text: str) -> bool:
    """Whether `text` holds one of the phrases with which models decline to answer."""
    return _pattern().search(fold(text)) is not None


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """1 for an answer that declines to say, else 0."""

    needs: ClassVar[frozenset[Need]] = frozenset({"generation"})
    higher_is_better: ClassVar[Mapping[str, bool]] = {"forget": True, "keep": False}

    def score(self, sample: Sample) -> Score:
        """Always scored."""
        return Score(float(is_refusal(sample.prediction or "")))
