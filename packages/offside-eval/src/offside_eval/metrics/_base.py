"""What every per-sample metric is: a frozen dataclass that turns a `Sample` into a `Score`."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from offside_data.errors import PluginError
from offside_data.schema import ClaimValue
from offside_data.taxonomy import Attribute

Need = Literal[
    "generation",
    "choices",
    "likelihood",
    "alternatives",
    "paraphrases",
    "hits",
    "distributions",
    "cloze",
    "letters",
    "membership",
    "gradients",
    "depth",
]
"""What the model must do for a metric.

`generation`: answer freely; `likelihood`, `choices`, `alternatives`, `paraphrases`: weigh the gold answer, the record's
choices, the answers with other values of its kind (`perturbed_answers`), the gold answer in other words; `hits`: say
which tokens of the gold answer are the likeliest; `distributions`: keep the likeliest tokens at each of its places;
`cloze`: fill the blank of the record's sentence; `letters`: choose by letter; `membership`: weigh the claims to be
forgotten and claims that no model ever saw, apart from all slices (`offside_eval.membership`); `gradients`: tell for
these how long the gradient of the answer's loss is; `depth`: give its hidden states to vanilla (`offside_eval.depth`).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One question as it was asked, and what the model did with it.

    Args:
        record_id: The record.
        variant: `plain`, or `blank`/`swapped` for a twin of the picture.
        split: Of the record.
        question: As it was asked.
        answer: Gold answer.
        value: Gold value, null where none could be parsed.
        attribute: How values are read and compared; of the taxonomy, or a neutral one of the value's kind.
        names: What the question's subject is called, by all names known.
        day_first: How the dataset writes days in digits; null if that isn't known.
        prediction: The model's answer, null if none was generated.
        ended: Whether the answer ended by itself, rather than at the limit of new tokens.
        choices: Options of the record.
        correct_choice: Index of the right one, null where there is none.
        choice_logprobs: Mean log-probability a token of each option as an answer; empty if not weighed.
        choice_lengths: Number of tokens of each option as an answer; empty if not weighed.
        answer_logprobs: Log-probability of each token of the gold answer; empty if not weighed.
        alternative_logprobs: Mean log-probability a token of each answer with another value; empty where the record has
            none or they weren't weighed.
        paraphrase_logprobs: The same of the gold answer in other words, of the first wording only.
        answer_hits: For each token of the gold answer's text, the end of turn left out, 1 where it is the likeliest.
        cloze_reply: What the blank was filled with, null if that wasn't asked.
        cloze_ended: Whether that reply ended by itself.
        letter_reply: The answer to the question with lettered choices, null if that wasn't asked.
        letter_options: The choices in the order of their letters.
        letter_correct: Which of these is right.
        failure: Why the model couldn't be asked (out of memory), null when all went well.
    """

    record_id: str
    variant: str = "plain"
    split: str = "retain"
    question: str = ""
    answer: str = ""
    value: ClaimValue | None = None
    attribute: Attribute
    names: tuple[str, ...] = ()
    day_first: bool | None = None
    prediction: str | None = None
    ended: bool = True
    choices: tuple[str, ...] = ()
    correct_choice: int | None = None
    choice_logprobs: tuple[float, ...] = ()
    choice_lengths: tuple[int, ...] = ()
    answer_logprobs: tuple[float, ...] = ()
    alternative_logprobs: tuple[float, ...] = ()
    paraphrase_logprobs: tuple[float, ...] = ()
    answer_hits: tuple[int, ...] = ()
    cloze_reply: str | None = None
    cloze_ended: bool = True
    letter_reply: str | None = None
    letter_options: tuple[str, ...] = ()
    letter_correct: int | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A number, or the reason why there is none.

    Args:
        value: Null only when *we* couldn't score; a bad answer of the model is a number.
        kind: What sort of answer it was, where the metric tells kinds apart.
        reason: Why there is no value.
    """

    value: float | None
    kind: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) != (self.reason is not None):
            raise ValueError("a score has either a value or the reason why it has none")


def not_scored(reason: str) -> Score:
    """A score without a value."""
    return Score(None, reason=reason)


@dataclass(frozen=True, kw_only=True)
class SampleMetric(abc.ABC):
    """Base of all per-sample metrics; fields of a subclass are its parameters, with their defaults.

    `needs` says what the model must do, `higher_is_better` which way is good by role (`forget`,
    `keep`), `bounds` which values can occur, `variants` which named variants there are, `variant_needs` what those of
    them need that need something else. What is `costly` to ask is left to the suite `full`. `words_only` says that it
    looks for words and not for what is said: a denial of the gold answer has most of them.
    """

    needs: ClassVar[frozenset[Need]]
    higher_is_better: ClassVar[Mapping[str, bool]] = {"forget": False, "keep": True}
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    variants: ClassVar[tuple[str, ...]] = ()
    variant_needs: ClassVar[Mapping[str, frozenset[Need]]] = {}
    costly: ClassVar[bool] = False
    words_only: ClassVar[bool] = False

    @property
    def asks(self) -> frozenset[Need]:
        """What the model must do for this variant."""
        return self.variant_needs.get(getattr(self, "variant", ""), self.needs)

    @abc.abstractmethod
    def score(self, sample: Sample) -> Score:
        """Score one sample; called only when everything in `asks` was done."""

    def checked(self, name: str, sample: Sample) -> Score:
        """`score`, except that a failed sample isn't scored and a value that can't be is an error.

        Raises:
            PluginError: If the value is NaN, infinite or out of bounds.
        """
        if sample.failure is not None:
            return not_scored(sample.failure)
        score = self.score(sample)
        low, high = self.bounds
        if score.value is not None and not (math.isfinite(score.value) and low <= score.value <= high):
            raise PluginError(
                f"metric {name!r} scored record {sample.record_id} {score.value!r}, outside its bounds "
                f"{low:g} to {high:g}: the metric is at fault; leave it out with --metrics, or correct it."
            )
        return score
