"""Word a claim: its question about a picture or about a named subject, its answer, its cloze sentence."""

from __future__ import annotations

import functools
from typing import NamedTuple

from offside_data.errors import TaxonomyError
from offside_data.questions.styles import without_unit
from offside_data.schema import ClaimValue
from offside_data.tagging.places import country_name
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute

BLANK = "____"
"""Stands for the value in a cloze sentence."""


class Wording(NamedTuple):
    """A sentence and other ways to say the same."""

    text: str
    paraphrases: tuple[str, ...]


def picture_question(attribute: Attribute) -> Wording:
    """A question about a picture in the canonical wording.

    All pictures are asked in the same words: if the words differed from picture to picture, a model
    could tell by them, and not by the picture, which answer is wanted.
    """
    return Wording(attribute.questions[0], attribute.questions[1:])


def text_question(attribute: Attribute, *, subject: str, occasion: str | None = None) -> Wording:
    """The text form of a question: it names the subject and, for a private claim, the picture's occasion.

    Raises:
        TaxonomyError: If the attribute has no text form, or is private and no occasion is given.
    """
    if not attribute.text_questions:
        raise TaxonomyError(f"attribute {attribute.name!r} has no text_questions; add them to the taxonomy.")
    if attribute.scope == "private" and not occasion:
        raise TaxonomyError(f"attribute {attribute.name!r} is private: its text form needs the picture's occasion.")
    filled = [text.format(subject=subject, occasion=occasion) for text in attribute.text_questions]
    return Wording(filled[0], tuple(filled[1:]))


def answer(attribute: Attribute, value: str, *, rumor: bool = False) -> Wording:
    """The answer that states a value, in the canonical wording; `rumor` picks the wordings of rumours."""
    texts = [_filled(text, value) for text in _answers(attribute, rumor=rumor)]
    return Wording(texts[0], tuple(texts[1:]))


@functools.lru_cache(maxsize=1024)
def _after_value(template: str) -> str:
    return template.partition("{value}")[2].strip(" .")


def _filled(template: str, value: str) -> str:
    """A sentence with its value, whose unit isn't said twice."""
    after = _after_value(template)
    return template.format(value=without_unit(value, after) if after else value)


def cloze(attribute: Attribute, *, rumor: bool = False) -> str:
    """The canonical answer with its value blanked."""
    return _answers(attribute, rumor=rumor)[0].format(value=BLANK)


def value_text(value: ClaimValue, attribute: Attribute) -> str:
    """A value as it can stand in any sentence, all values of an attribute alike.

    A published answer may say `Swedish`, `did not win any` or `on loan` where a sentence of ours needs `Sweden`, `0`
    and `a loan`; and of four options the one in another style would give itself away.
    """
    match value.kind:
        case "count" if value.number is not None and value.number.is_integer():
            return str(int(value.number))
        case "amount" if value.unit is not None:
            return {"loan": "a loan", "end of loan": "the end of a loan"}.get(value.unit, value.text)
        case "amount" if value.number == 0 and not any(character.isdigit() for character in value.text):
            return "a free transfer"
        case "place":
            return country_name(value.text) or value.text
        case _:
            words = folded_words(value.text)
            options = (spellings for spellings in attribute.options if words in map(folded_words, spellings))
            return next(options, (value.text,))[0]


def _answers(attribute: Attribute, *, rumor: bool) -> tuple[str, ...]:
    return attribute.rumor_answers if rumor and attribute.rumor_answers else attribute.answers
