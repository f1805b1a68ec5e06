"""How answers about an attribute are worded: the phrasings of its taxonomy and the words in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

from offside_data.tagging.wording import counted_with, doubt_of, words_of
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute

ROLES = ("origin", "goal")
"""Where somebody comes from, and where somebody goes to."""

EVENTS = ("birth", "residence", "move", "speech", "contract")
"""What happens on days and at places."""

MEASURED = ("date", "amount", "length", "count")
"""Kinds whose values are numbers or days."""


_AFTER_VALUE = "." + "".join(c for c in map(chr, range(0x3001)) if c.isspace())
"""What may follow an answer: full stops and blanks."""


class Pattern:
    """What the phrasings of an attribute say of its answers; `pattern_of` makes each once.

    Args:
        attribute: The attribute.
    """

    def __init__(self, attribute: Attribute) -> None:
        self._attribute = attribute
        self._answers = tuple(dict.fromkeys((*attribute.answers, *attribute.rumor_answers)))

    def captures(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the value stands in a text that is worded as a phrasing has it, for each phrasing that fits."""
        end = len(text.rstrip(_AFTER_VALUE))
        for pattern, only_signs in self._patterns:
            match = pattern.fullmatch(text, 0, end) or only_signs.fullmatch(text)
            if match:
                yield match.span(1)

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
        """Each phrasing without the full stops and blanks at its end, and with no more than those for a value."""
        halves = (template.rstrip(". ").partition("{value}") for template in self._answers)
        return [
            (
                re.compile(rf"\s*{re.escape(before)}(?:the\s+(?=\w))?(\S|\S.*\S){re.escape(after)}", re.I | re.S),
                re.compile(rf"\s*{re.escape(before)}(?:the\s+(?=\w))?(\S){re.escape(after)}[.\s]*", re.I),
            )
            for before, _, after in halves
        ]

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of the phrasings that change nothing, wherever they stand."""
        attribute = self._attribute
        texts = [attribute.name.replace("_", " "), *attribute.questions, *attribute.text_questions, *self._answers]
        words = {word for text in texts for word in folded_words(re.sub(r"\{\w+\}", " ", text))}
        if attribute.kind == "count":
            words |= self.nouns
        # "This picture is about Ostholm": of a name, no approximation.
        allowed = (None,) if attribute.kind in MEASURED else (None, "approximation")
        return frozenset(word for word in words if doubt_of(word) in allowed)

    @cached_property
    def roles(self) -> frozenset[str]:
        """The `ROLES` whose words lead to the value in the phrasings; none for what isn't a name."""
        if self._attribute.kind != "name":
            return frozenset()
        before = (folded_words(template.partition("{value}")[0]) for template in self._answers)
        leads = {words[-1] for words in before if words}
        return frozenset(role for role in ROLES if leads & words_of("roles", role))

    @cached_property
    def role_words(self) -> frozenset[str]:
        """Words that lead to values of these roles."""
        return frozenset().union(*(words_of("roles", role) for role in self.roles))

    @cached_property
    def other_role_words(self) -> frozenset[str]:
        """Words that lead to values of the other roles, if it has any."""
        others = (words_of("roles", role) for role in ROLES if self.roles and role not in self.roles)
        return frozenset().union(*others) - self.role_words

    @cached_property
    def other_events(self) -> frozenset[str]:
        """Words of events that the phrasings don't speak of, so that their days, places and names are others'."""
        if self._attribute.kind not in ("date", "place", "name"):
            return frozenset()
        events = {event: words_of("events", event) for event in EVENTS}
        if self._attribute.kind == "name":
            del events["move"], events["contract"]  # as `roles` tells
        others = [words for words in events.values() if words.isdisjoint(self.words)]
        return frozenset().union(*others) - self.words

    @cached_property
    def says_where(self) -> bool:
        """Whether "in" may stand before the value: "in Sweden" is no answer to which country somebody represents."""
        attribute = self._attribute
        is_asked = any(re.match(r"where|in which|in what", q, re.I) for q in attribute.questions)
        return is_asked or any(re.search(r"\bin\s+(?:the\s+)?\{value\}", answer) for answer in self._answers)

    @property
    def is_shared(self) -> bool:
        """Whether what it says holds in every picture."""
        return self._attribute.scope == "shared"

    @cached_property
    def nouns(self) -> frozenset[str]:
        """What the attribute counts, in singular and plural, synonyms included."""
        words = set(folded_words(self._attribute.name.replace("_", " ")))
        for template in self._answers:
            words.update(folded_words(template.partition("{value}")[2])[:1])
        for question in (*self._attribute.questions, *self._attribute.text_questions):
            words.update(re.findall(r"\bmany\s+(\w+)", question.lower()))
        words -= words_of("harmless", "grammar")
        counted = frozenset().union(*(counted_with(word) for word in words))
        return counted | {word.removesuffix("s") for word in words}


@lru_cache(maxsize=256)
def pattern_of(attribute: Attribute) -> Pattern:
    """The pattern of an attribute."""
    return Pattern(attribute)
