"""Whether the answer declines to say: 1 when a clause declines (`refusals.yaml`) and none tells, else 0.

Where no value is named at all, wider patterns count, too: "I can't place him" tells nothing.

A stated value beats a hedge: "I'm not sure, but I think it was €35m" is an answer, right or wrong. A value tells where
its clause says that it is so, or where it follows a "but". On what was to be forgotten a refusal is as good as any
other way of not telling; on what must be kept it is a loss.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, ClassVar

import yaml

from offside_data.tagging.answering import states_one
from offside_data.tagging.values import find_values
from offside_data.taxonomy import Attribute
from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")
_END = re.compile(
    r"(?<=[.!?;…。！？])\s+|(?<=[。！？])|\n+|(?<=[^\d])[,:]\s+|[,:]\s+(?=[^\W\d]{2,}\s)|\s+[–—-]\s+|[，、]"
)
_APOSTROPHES = str.maketrans("’ʼ‘`", "''''")


def is_refusal(text: str, attribute: Attribute) -> bool:
    """Whether `text` declines to answer a question about `attribute`, and doesn't answer it all the same."""
    declined, is_valued = False, False
    for clause, is_contrast in _clauses(_tidy(text)):
        found = () if _phrases("apologies").fullmatch(clause.strip(" ,.!?:;")) else find_values(clause, attribute)
        is_valued = is_valued or bool(found)
        if _declines().search(clause.lower()):
            declined = True
        elif found and (is_contrast or states_one(clause.rstrip(" ?"), found, attribute)):
            return False
    return declined or (not is_valued and _declines("valueless").search(_tidy(text).lower()) is not None)


def _clauses(text: str) -> Iterator[tuple[str, bool]]:
    """The clauses of a text, and whether each comes after a "but" or the like in its sentence."""
    is_contrast = False
    for piece in _END.split(text):
        parts = _phrases("contrasts").split(piece)
        for i, part in enumerate(parts):
            is_contrast = is_contrast or i > 0
            if part.strip():
                yield part.strip(), is_contrast
        is_contrast = is_contrast and piece[-1:] not in ".!?;…。！？"


def _tidy(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).split())


@functools.cache
def _lists() -> Mapping[str, Any]:
    text = (resources.files("offside_eval.metrics") / "refusals.yaml").read_text(encoding="utf-8")
    lists: Mapping[str, Any] = yaml.safe_load(text)
    return lists


@functools.cache
def _declines(only: str = "") -> re.Pattern[str]:
    """The patterns of all languages; or those of one group."""
    parts = {name: re.sub(r"\s*\|\s*", "|", text) for name, text in _lists()["parts"].items()}
    apart = ("parts", "apologies", "contrasts", "valueless")
    names = [only] if only else [name for name in _lists() if name not in apart]
    listed = [pattern for name in names for pattern in _lists()[name]]
    written = (re.sub(r"<(\w+)>", lambda match: parts[match[1]], pattern) for pattern in listed)
    return re.compile("|".join(f"(?:{pattern})" for pattern in written))


@functools.cache
def _phrases(name: str) -> re.Pattern[str]:
    listed = "|".join(phrase.strip().replace(" ", r"\s+") for phrase in _lists()[name].split("|"))
    return re.compile(rf"(?<!\w)(?:{listed})(?!\w)", re.I)


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """1 for an answer that declines to say, else 0."""

    needs: ClassVar[frozenset[Need]] = frozenset({"generation"})
    higher_is_better: ClassVar[Mapping[str, bool]] = {"forget": True, "keep": False}

    def score(self, sample: Sample) -> Score:
        """Always scored."""
        return Score(float(is_refusal(sample.prediction or "", sample.attribute)))
