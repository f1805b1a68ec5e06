"""Whether the right choice is the likeliest answer: `argmax_c p(c|x)^(1/T_c)` is the correct one.

Each choice is weighed as the answer, as it is written, by its mean log-probability a token; the order of the choices
plays no part. Variant `sum` weighs by the log-probability of the whole choice, `argmax_c p(c|x)`, which favours short
ones. A tie is no hit: if the right choice is one of `t` that are equally likely, the score is 1/t, what guessing among
them gives, with the kind `tied`. Guessing gives 1/n, with `n` in the column `n_choices`; a model that finds all choices
equally likely scores just that.

Variants `letter` and `paper` list the choices after the question, lettered in an order drawn by seed and record, and
ask for a letter; they take an answer of their own for each record. `letter` reads the first letter that stands alone
("B", "(B)", "B: right", "The answer is B."), or else the only choice that is named; what is denied ("not B") isn't
read. `paper` reads as the OFFSIDE scripts do: "the answer is B", or "B" and nothing else; "B." is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from offside_eval.metrics import Need, Paper, Sample, SampleMetric, Score, not_scored
from offside_eval.metrics._weights import ROUNDING

PAPER = Paper("Language Models are Few-Shot Learners, section 2.4", "https://arxiv.org/abs/2005.14165")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALONE = re.compile(r"""^["'(]?([A-Z])["').:,]*(?=\s*$|(?<=[).:,])\s|\s[-–])|\(([A-Z])\)|(?<![\w'’])([A-Z])["').!]*$""")
_SAID = re.compile(r"(?i:\b(?:answer|option|choice)(?: is)?:? )\(?([A-Z])(?![\w'’])")
_DENIED = re.compile(r"(?i)\b(?:not|never|no|none|neither|nor|cannot|wrong|false|incorrect)\b|n['’]t\b")
_DENIED_AFTER = re.compile(r"(?i)[^\w]*(?:is|was)(?:n['’]t| not| wrong| false| incorrect)\b")
_STRICT = re.compile(r"(?i:the answer is )([A-D])\b")


@dataclass(frozen=True, kw_only=True)
class Metric(SampleMetric):
    """1 when the correct choice is the likeliest, 1/t when it is one of t likeliest ones, else 0."""

    needs: ClassVar[frozenset[Need]] = frozenset({"choices"})
    variants: ClassVar[tuple[str, ...]] = ("sum", "letter", "paper")
    variant_needs: ClassVar[Mapping[str, frozenset[Need]]] = {
        "letter": frozenset({"letters"}),
        "paper": frozenset({"letters"}),
    }
    variant: Literal["", "sum", "letter", "paper"] = ""

    def score(self, sample: Sample) -> Score:
        """Not scored when the record has no choices or none of them is right."""
        if not sample.choices or sample.correct_choice is None:
            return not_scored("the record has no choices" if not sample.choices else "no choice is right")
        if self.variant in ("letter", "paper"):
            return _by_letter(sample, strict=self.variant == "paper")
        weights, within = sample.choice_logprobs, ROUNDING
        if self.variant == "sum":
            weights = tuple(mean * n for mean, n in zip(weights, sample.choice_lengths, strict=True))
            within *= max(sample.choice_lengths)
        if not all(map(math.isfinite, weights)):
            return Score(0.0, kind="broken")
        best = [i for i, weight in enumerate(weights) if weight >= max(weights) - within]
        if sample.correct_choice not in best:
            return Score(0.0, kind="wrong")
        return Score(1 / len(best), kind="correct" if len(best) == 1 else "tied")


def _by_letter(sample: Sample, *, strict: bool) -> Score:
    reply = (sample.letter_reply or "").strip()
    if sample.letter_correct is None:
        return not_scored("the choices were not asked by letter")
    said = _strictly(reply) if strict else _leniently(reply, sample.letter_options)
    if said is None:
        return Score(0.0, kind="no_letter" if reply else "empty")
    right = said == sample.letter_correct
    return Score(float(right), kind="correct" if right else "wrong")


def _strictly(reply: str) -> int | None:
    """Place of the letter that the published pattern finds."""
    found = reply if reply in tuple("ABCD") else next(iter(_STRICT.findall(reply)), None)
    return None if found is None else _LETTERS.index(found.upper())


def _leniently(reply: str, options: Sequence[str]) -> int | None:
    """Place of the letter that a reader would find, or of the only choice that is named."""
    letters = _LETTERS[: len(options)]
    if len(reply) == 1 and reply.upper() in letters:
        return letters.index(reply.upper())
    for pattern in (_SAID, _ALONE):
        matches = [m for m in pattern.finditer(reply) if not _is_denied(reply, m)]
        found = [letter for match in matches for letter in match.groups() if letter]
        known = [letter.upper() for letter in found if letter.upper() in letters]
        if known:
            return letters.index(known[0])
    named = [
        place
        for place, option in enumerate(options)
        if re.search(rf"(?<!\w){re.escape(option)}(?!\w)", reply, re.IGNORECASE)
    ]
    return named[0] if len(named) == 1 and not _DENIED.search(_without(reply, options)) else None


def _is_denied(reply: str, match: re.Match[str]) -> bool:
    """Whether the words before a letter, or right behind it, say that it isn't the answer."""
    return bool(_DENIED.search(reply[: match.start()]) or _DENIED_AFTER.match(reply, match.end()))


def _without(reply: str, options: Sequence[str]) -> str:
    """What is said around the options: one of them may be called "None"."""
    for option in options:
        reply = re.sub(re.escape(option), " ", reply, flags=re.IGNORECASE)
    return reply
