"""Wrong answers for the records of a dataset: of the same kind, plausible, and true of their subject nowhere."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from offside_data.questions import alternatives, phrasings
from offside_data.questions.knowledge import Knowledge
from offside_data.questions.nearby import near_values
from offside_data.questions.styles import repeats_unit, says_nothing, written_like
from offside_data.schema import ClaimValue, Record
from offside_data.seeding import rng
from offside_data.tagging.claims import Claim, states_one
from offside_data.tagging.values import find_values
from offside_data.taxonomy import Attribute


class WrongForms(NamedTuple):
    """Wrong answers of a record and the options of its choice form; empty where there is nothing wrong to offer."""

    perturbed_answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    correct_choice: int | None = None


class WrongAnswers:
    """Draws wrong answers from what the records of a dataset say of other subjects.

    Args:
        known: What they say.
        seed: Seed of near values and of the order of options.
    """

    def __init__(self, known: Knowledge, *, seed: int) -> None:
        self._known = known
        self._seed = seed

    def sentence(self, record: Record) -> str | None:
        """The record's answer with its value blanked; null if a blank can't stand for the value alone.

        That is the answer itself, or the canonical one where a blank in it would tell or hide too much.
        """
        attribute, value = self._known.attribute_of(record), record.value
        if attribute is None or value is None:
            return None
        text = phrasings.value_text(value, attribute)
        claim, never = self._known.claims.claim(attribute.name, value), self._known.said_of(record, attribute)
        for blanked in (
            _blanked(record.answer, value, text),
            phrasings.cloze(attribute, rumor=record.veracity == "rumor"),
        ):
            if (
                blanked is not None
                and claim is not None
                and claim.texts.may_say(blanked.replace(phrasings.BLANK, text), claim)
                and not states_one(blanked, never)
                and not repeats_unit(blanked)
            ):
                return blanked
        return None

    def forms(self, record: Record, sentence: str | None) -> WrongForms:
        """Wrong answers and choices of a record, its `sentence` given; none without."""
        attribute, value = self._known.attribute_of(record), record.value
        if attribute is None or value is None or sentence is None:
            return WrongForms()
        never = self._known.said_of(record, attribute)
        model, wrong = self._wrong(record, attribute, value, never)
        if not wrong:
            return WrongForms()
        worded = itertools.chain(
            (sentence.replace(phrasings.BLANK, other.text) for other in wrong),
            # Where there are too few wrong values, other wordings of them follow.
            (text for other in wrong for text in _wordings(record, attribute, other)),
        )
        # Further wordings are made only where they are needed.
        perturbed: dict[str, None] = {}
        for text in worded:
            if len(perturbed) == alternatives.DISTRACTORS:
                break
            if text not in perturbed and not states_one(text, never):
                perturbed[text] = None
        options = alternatives.choices(
            model.text, [v.text for v in wrong], rng(self._seed, "choices", record.record_id)
        )
        return WrongForms(tuple(perturbed), options.options, options.correct)

    def _wrong(
        self, record: Record, attribute: Attribute, value: ClaimValue, never: list[Claim]
    ) -> tuple[ClaimValue, list[ClaimValue]]:
        """The value as its options are written, and wrong values written alike."""

        def draw(model: ClaimValue) -> list[ClaimValue]:
            alike = self._candidates(record, attribute, model)
            candidates = (claim for claim in alike if not states_one(claim.value.text, never))
            return [claim.value for claim in alternatives.first_different(candidates, never, Claim.is_same)]

        text = phrasings.value_text(value, attribute)
        return alternatives.most_alike(value if text == value.text else dataclasses.replace(value, text=text), draw)

    def _candidates(self, record: Record, attribute: Attribute, model: ClaimValue) -> Iterator[Claim]:
        """Values of others, in an order of the record's own that no further value changes; then near ones.

        All are written as the model is, since among other options one in another style gives itself away.
        """
        drawn = self._known.drawn_by(record, attribute)
        near = self._near(record, attribute, model)
        for value, known in itertools.chain(((c.value, c) for c in drawn), ((v, None) for v in near)):
            claim = known
            text = written_like(value, model)
            if text is None:
                continue
            if claim is None or text != value.text:
                found = [value] if text == value.text else find_values(text, attribute)
                alike = len(found) == 1 and found[0].text == text
                claim = self._known.claims.unlisted(attribute.name, found[0]) if alike else None
            if claim is not None:
                yield claim
                # Beside `a free transfer`, amounts are at least written as one another.
                model = claim.value if model.kind == "amount" and says_nothing(model) else model

    def _near(self, record: Record, attribute: Attribute, model: ClaimValue) -> Iterator[ClaimValue]:
        yield from near_values(model, attribute, rng(self._seed, "near values", record.record_id))


def _wordings(record: Record, attribute: Attribute, value: ClaimValue) -> Iterator[str]:
    wording = phrasings.answer(attribute, value.text, rumor=record.veracity == "rumor")
    yield from (wording.text, *wording.paraphrases)


def _blanked(answer: str, value: ClaimValue, text: str) -> str | None:
    """An answer with its value blanked; null if other values wouldn't fit there or the words around it tell the value.

    It must stand there once, written as in the options: not `did not win any`, nor `Swedish` where they are countries.
    `an …` and `… trophy` say how the value begins, or that it is one; `on a free transfer` takes no amount.
    """
    parts = _around(answer, text)
    tells = value.number == 1 if value.kind == "count" else re.search(r"\ban?\s+$", parts[0], re.I)
    in_words = value.kind == "amount" and not any(character.isdigit() for character in text)
    return None if len(parts) != 2 or tells or in_words else phrasings.BLANK.join(parts)


_WORD = re.compile(r"[\w-]")


def _around(answer: str, text: str) -> list[str]:
    """An answer cut where a text stands in it word-bounded; no pattern a value, since there are many of them."""
    parts, start, place = [], 0, answer.find(text)
    while place >= 0 and text:
        end = place + len(text)
        if not _WORD.match(answer, end) and not (place and _WORD.match(answer, place - 1)):
            parts.append(answer[start:place])
            start = end
        place = answer.find(text, max(end, place + 1) if start == end else place + 1)
    return [*parts, answer[start:]]
