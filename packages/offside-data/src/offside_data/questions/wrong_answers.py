"""Wrong answers for the records of a dataset: of the same kind, plausible, and true of their subject nowhere."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from offside_data.dataset.storage import Row
from offside_data.questions import alternatives, phrasings
from offside_data.questions.nearby import near_values
from offside_data.schema import ClaimValue, Record
from offside_data.seeding import rng
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.values import answer_states, find_values
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy


@dataclass(frozen=True, slots=True)
class WrongForms:
    """Wrong answers of a record and the options of its choice form; empty where there is nothing wrong to offer."""

    perturbed_answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    correct_choice: int | None = None


class WrongAnswers:
    """Draws wrong answers from what the records of a dataset say of other subjects.

    Args:
        records: All records of the dataset.
        taxonomy: Their taxonomy.
        seed: Seed of the choice and of the order of options.
        images: Rows of the images table: what is readable in a picture is said of its subject, too.
    """

    def __init__(self, records: Sequence[Record], taxonomy: Taxonomy, *, seed: int, images: Sequence[Row] = ()) -> None:
        self._taxonomy = taxonomy
        self._seed = seed
        self._pools: dict[tuple[str, tuple[str, ...]], dict[str, ClaimValue]] = defaultdict(dict)
        self._said: dict[tuple[str | None, str], dict[ClaimValue, None]] = defaultdict(dict)
        for record in records:
            attribute = self.attribute_of(record)
            if attribute is not None and record.value is not None:
                self._said[record.subject_id, _group(attribute)][record.value] = None
                text = phrasings.value_text(record.value, attribute)
                self._pools[_pool(record, attribute)][text] = dataclasses.replace(record.value, text=text)
        for row in images:
            for shown in row.get("shown") or ():
                if shown["attribute"] in taxonomy:
                    value = _shown_value(shown["text"], taxonomy[shown["attribute"]])
                    self._said[row.get("subject_id"), _group(taxonomy[shown["attribute"]])][value] = None

    def attribute_of(self, record: Record) -> Attribute | None:
        """What a record is about; null if it is about no subject or that isn't decided."""
        return None if record.attribute in (None, UNTAGGED.name) else self._taxonomy[record.attribute or ""]

    def _said_of(self, record: Record, attribute: Attribute) -> list[ClaimValue]:
        """All values that any record or picture gives to the record's subject, as far as they could be an answer."""
        return list(self._said[record.subject_id, _group(attribute)])

    def sentence(self, record: Record) -> str | None:
        """The record's answer with its value blanked; null if a blank can't stand for the value alone.

        That is the answer itself, or the canonical one where a blank in it would tell or hide too much.
        """
        attribute, value = self.attribute_of(record), record.value
        if attribute is None or value is None:
            return None
        text = phrasings.value_text(value, attribute)
        never = self._said_of(record, attribute)
        for blanked in (
            _blanked(record.answer, value, text),
            phrasings.cloze(attribute, rumor=record.veracity == "rumor"),
        ):
            if (
                blanked is not None
                and answer_states(blanked.replace(phrasings.BLANK, text), value, attribute)
                and not _states_any(blanked, never, attribute)
            ):
                return blanked
        return None

    def forms(self, record: Record, sentence: str | None) -> WrongForms:
        """Wrong answers and choices of a record, its `sentence` given; none without."""
        attribute, value = self.attribute_of(record), record.value
        if attribute is None or value is None or sentence is None:
            return WrongForms()
        never = self._said_of(record, attribute)
        candidates = (
            c for c in self._candidates(record, attribute, value) if not _states_any(c.text, never, attribute)
        )
        wrong = alternatives.first_wrong(attribute, candidates, never)
        if not wrong:
            return WrongForms()
        worded = itertools.chain(
            (sentence.replace(phrasings.BLANK, other.text) for other in wrong),
            # Where there are too few wrong values, other wordings of them follow.
            (text for other in wrong for text in _wordings(record, attribute, other)),
        )
        perturbed = (text for text in dict.fromkeys(worded) if not _states_any(text, never, attribute))
        right = phrasings.value_text(value, attribute)
        options = alternatives.choices(right, [v.text for v in wrong], rng(self._seed, "choices", record.record_id))
        return WrongForms(
            tuple(itertools.islice(perturbed, alternatives.DISTRACTORS)), options.options, options.correct
        )

    def _candidates(self, record: Record, attribute: Attribute, value: ClaimValue) -> Iterator[ClaimValue]:
        """Values of others, in an order of the record's own that no further value changes; then near ones."""
        values = [*self._pools[_pool(record, attribute)].values(), *alternatives.option_values(attribute)]
        key = rng(self._seed, "wrong answers", record.record_id).randbytes(16)
        yield from sorted(values, key=lambda v: hashlib.blake2b(v.text.encode(), key=key, digest_size=8).digest())
        yield from near_values(value, attribute, rng(self._seed, "near values", record.record_id))


def _pool(record: Record, attribute: Attribute) -> tuple[str, tuple[str, ...]]:
    """Whose values can stand for one another: those of one attribute; free texts only if they answer one question."""
    return attribute.name, folded_words(record.question) if attribute.kind == "text" else ()


def _group(attribute: Attribute) -> str:
    """Attributes whose values are true of one another: a player was with the clubs that he came from, too."""
    return f"{attribute.scope} {attribute.kind}" if attribute.kind in ("name", "place") else attribute.name


def _wordings(record: Record, attribute: Attribute, value: ClaimValue) -> Iterator[str]:
    wording = phrasings.answer(attribute, value.text, rumor=record.veracity == "rumor")
    yield from (wording.text, *wording.paraphrases)


def _shown_value(text: str, attribute: Attribute) -> ClaimValue:
    found = find_values(text, attribute)
    return found[0] if len(found) == 1 else ClaimValue(kind=attribute.kind, text=text)


def _states_any(text: str, values: Sequence[ClaimValue], attribute: Attribute) -> bool:
    return any(answer_states(text, value, attribute) for value in values)


def _blanked(answer: str, value: ClaimValue, text: str) -> str | None:
    """An answer with its value blanked; null if other values wouldn't fit there or the words around it tell the value.

    It must stand there once, written as in the options: not `did not win any`, nor `Swedish` where they are countries.
    `an …` and `… trophy` say how the value begins, or that it is one; `on a free transfer` takes no amount.
    """
    parts = re.split(rf"(?<![\w-]){re.escape(text)}(?![\w-])", answer)
    tells = value.number == 1 if value.kind == "count" else re.search(r"\ban?\s+$", parts[0], re.I)
    in_words = value.kind == "amount" and not any(character.isdigit() for character in text)
    return None if len(parts) != 2 or tells or in_words else phrasings.BLANK.join(parts)
