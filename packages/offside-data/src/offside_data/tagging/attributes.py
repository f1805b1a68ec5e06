"""What a record is about, read from its words: keywords of the taxonomy's phrasings, and the values in the answer.

There are no rules to write: a word of an attribute's name or phrasings is a keyword for it, the more so the
fewer other attributes have it. Whoever wants more records decided adds phrasings to `taxonomy.yaml`. Formats that
fix what a record is about by its position decide that in their adapter.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from offside_data.tagging.places import country_terms
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.values import parse_value
from offside_data.tagging.words import folded_words, word_list
from offside_data.taxonomy import Taxonomy

_ENOUGH = 0.75
"""Least weight that decides: a word that no other attribute has weighs 1, one that two have a half."""
_MARGIN = 0.3
"""Least difference to the weight of the next attribute."""
_LOOSE_KINDS = ("name", "place", "text")
"""Kinds that are readable in nearly every answer, so that being readable says nothing."""
_PREPOSITIONS = word_list("about by for from into to with")
"""Say something in an answer (`He came from Ostholm`); in a question they say nothing."""
_HALF = _PREPOSITIONS | word_list("how many much when where")
"""Words that hint at an attribute but don't decide."""
_COUNTRY = "*country"
"""Stands among the keywords of an answer that names a country."""
_NO_KEYWORDS = word_list(
    """a an and are at be been can could did do does had has have he her here him his in is it its me my of on or our
    person picture image photo photograph show shown shows she so tell that the their them there they this was we were
    what which will would you your value subject occasion"""
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a record seems to be about.

    Args:
        attribute: The one attribute that fits; null if none does or several do.
        why: What the words say, for people.
    """

    attribute: str | None
    why: str


class Rules:
    """Keywords of a taxonomy's attributes."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._attributes = {a.name: a for a in taxonomy.attributes if a.name != UNTAGGED.name}
        attributes = self._attributes.values()
        ignored = _NO_KEYWORDS.union(folded_words(taxonomy.subject_noun))
        names = {a.name: [a.name, a.name.replace("_", "")] for a in attributes}
        asked = {a.name: [*names[a.name], *a.questions, *a.text_questions] for a in attributes}
        told = {a.name: [*names[a.name], *a.answers, *a.rumor_answers] for a in attributes}
        self._asked, self._told = _Keywords(asked, ignored | _PREPOSITIONS), _Keywords(told, ignored)

    def read(self, question: str, answer: str) -> Reading:
        """What a question and its answer are about."""
        return self.decide(self.asked(question), self.told(answer), self.readable(answer))

    def asked(self, question: str) -> frozenset[str]:
        """The keywords in a question."""
        return self._asked.of(question)

    def told(self, answer: str) -> frozenset[str]:
        """The keywords in an answer."""
        words = self._told.of(answer)
        return words | {_COUNTRY} if any(country_terms(folded_words(answer))) else words

    def readable(self, answer: str) -> tuple[str, ...]:
        """The attributes of which an answer states a value."""
        return tuple(name for name, a in self._attributes.items() if parse_value(answer, a) is not None)

    def are_those_of(self, name: str, question: frozenset[str], answer: frozenset[str]) -> bool:
        """Whether the keywords in a question and its answer are all those of one attribute.

        If a value of it is readable, too, they can't decide for another one: none has more weight.
        """
        return (
            bool(question or answer) and self._asked.has(name, question) and self._told.has(name, answer - {_COUNTRY})
        )

    def decide(self, question: frozenset[str], answer: frozenset[str], readable: tuple[str, ...]) -> Reading:
        """What a record is about: all that counts of its question and answer are `asked`, `told` and `readable`."""
        asked, told = self._asked.weigh(question, readable), self._told.weigh(answer, readable)
        weights = {name: asked[name] + told[name] for name in readable}
        # "What was the fee? - Ostholm didn't say": a name is readable, but the question asks for none.
        meant = self._asked.weigh(question, list(self._attributes))
        first = max(meant, key=lambda name: meant[name], default=None)
        if first is not None and first not in readable and meant[first] >= 1:
            return Reading(None, f"its words are those of {first}, but no such value is readable in its answer")
        most = max(weights.values(), default=0.0)
        close = [name for name in readable if weights[name] > most - _MARGIN]
        telling = [name for name in readable if self._attributes[name].kind not in _LOOSE_KINDS]
        if not most and len(telling) == 1:
            return Reading(telling[0], f"the value in its answer can only be that of {telling[0]}")
        if most < _ENOUGH:
            return Reading(None, "neither question nor answer says what it is about")
        if len(close) > 1:
            return Reading(None, f"it could be about {' or '.join(close)}")
        (name,) = close
        if name not in telling and not self._asked.explains(question, name, readable):
            return Reading(None, f"it could be about {name}, but its question has words of other attributes")
        rival = self._rival(name, asked)
        if rival is not None and _COUNTRY not in answer:
            return Reading(None, f"it could be about {name} or {rival}")
        return Reading(name, f"its words and the value in its answer are those of {name}")

    def _rival(self, name: str, asked: dict[str, float]) -> str | None:
        """A private name that a question about a shared place may ask for: a team, not the nation it represents."""
        attribute = self._attributes[name]
        if (attribute.scope, attribute.kind) != ("shared", "place"):
            return None
        rivals = (other for other, weight in asked.items() if weight and other != name)
        return next(
            (o for o in rivals if (self._attributes[o].scope, self._attributes[o].kind) == ("private", "name")), None
        )


class _Keywords:
    """The words of each attribute."""

    def __init__(self, texts: dict[str, list[str]], ignored: frozenset[str]) -> None:
        self._ignored = ignored
        self._of = {name: self._words(*phrasings) for name, phrasings in texts.items()}
        self._known = frozenset().union(*self._of.values())

    def of(self, text: str) -> frozenset[str]:
        """The keywords in a text."""
        return self._known & self._words(text)

    def weigh(self, words: frozenset[str], names: Sequence[str]) -> dict[str, float]:
        """The weight of each named attribute's keywords among words: one over the number of those that have a word."""
        spread = Counter(word for name in names for word in words & self._of[name])
        whole = {word: 0.5 if word in _HALF else 1.0 for word in spread}
        return {name: sum(whole[word] / spread[word] for word in sorted(words & self._of[name])) for name in names}

    def has(self, name: str, words: frozenset[str]) -> bool:
        """Whether words are all keywords of one attribute."""
        return words <= self._of[name]

    def explains(self, words: frozenset[str], name: str, names: Sequence[str]) -> bool:
        """Whether one attribute has all the keywords among words that the named attributes have."""
        return all(words & self._of[other] <= self._of[name] for other in names)

    def _words(self, *texts: str) -> set[str]:
        words = (word for text in texts for word in folded_words(text.replace("_", " ")))
        return {_stem(word) for word in words if word not in self._ignored and len(word) > 1}


@functools.lru_cache(maxsize=2**16)
def _stem(word: str) -> str:
    """A word without the endings of plurals and verbs: `trophies` is `trophy`, `transferred` is `transfer`."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ing", "ed", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 3 and not word.endswith("ss"):
            stem = word[: -len(ending)]
            return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem
    return word
