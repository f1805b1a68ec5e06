"""What one clause of a model's answer says: as strict as for gold answers about its value, less so about the rest.

A gold answer must be accounted for to its last word. A model may say more: a clause that speaks of the attribute, in
the attribute's own words, may hold others that nobody knows; hedges don't make it doubtful, and adverbs nowhere do.
Denials, second values, bounds of numbers, conditions and units that aren't known always do.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import yaml

from offside_data.schema import ClaimValue
from offside_data.tagging.accounting import Leftover
from offside_data.tagging.finding import find
from offside_data.tagging.pattern import EVENTS, MEASURED, Pattern, pattern_of
from offside_data.tagging.places import countries_of
from offside_data.tagging.statements import Statement, read_clauses
from offside_data.tagging.stretches import near
from offside_data.tagging.values import HowStated, how_stated
from offside_data.tagging.wording import plain, words_of
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_NEXT = re.compile(rf"\s*({_WORD.pattern})")
_LAST = re.compile(r"(?<![\w'])([\w']*\w)\W*\Z")
_WORD_START = re.compile(r"\b(?=\w)")
_FOLLOWED = re.compile(r"(\d++|[^\W\d_]++(?:['’][^\W\d_]++)*+)(?:\s++(?=([^\W\d_]+)))?")
_DEED = re.compile(r"\b(?:he|she|they|who|player)\s+(?=([^\W\d_]+))")
_CLAUSES = 2**6
"""Of how many clauses what each of their words asks for is remembered."""


def said_of(clause: str, gold: ClaimValue, attribute: Attribute) -> HowStated:
    """What a clause says of the gold value.

    Args:
        clause: It.
        gold: The value.
        attribute: Its attribute.
    """
    how = how_stated(clause, gold, attribute)
    if how == "not_stated":
        return how
    if attribute.kind == "place" and any(_lists_places(f.value.text) for f in find(clause, "place", ())):
        return "among_several"
    told = list(read_clauses(clause, gold, attribute))
    if how in ("stated", "doubtful") and any(_is_beside_the_point(s) for s in told):
        return "doubtful" if attribute.kind in MEASURED else "other_role"
    if how == "stated":
        return how
    if how == "other_role":
        return "denied" if any(part.doubt == "negation" for s in told for part in s.left) else how
    if attribute.kind == "name" and any(_is_compared(s) for s in told):
        return "other_role"
    eased = [dataclasses.replace(s, left=tuple(p for p in s.left if not _passes(p, s, gold))) for s in told]
    if any(statement.states(gold) for statement in eased):
        return "stated"
    numbers_only = how == "among_several" and all(len(s.found) < 2 for s in told) and attribute.kind not in MEASURED
    return "doubtful" if numbers_only else how


_LIST = 12
"""A clause with more values than that lists them and says of none that it is so."""


def states_one(clause: str, values: Iterable[ClaimValue], attribute: Attribute) -> bool:
    """Whether a clause says of one of several values in it that it is so; of a list it says so of none.

    Args:
        clause: It.
        values: The values.
        attribute: Their attribute.
    """
    different = dict.fromkeys(values)
    return len(different) <= _LIST and any(said_of(clause, value, attribute) == "stated" for value in different)


def _passes(part: Leftover, statement: Statement, gold: ClaimValue) -> bool:
    """Whether something that isn't accounted for changes nothing all the same."""
    clause, attribute = statement.text, statement.attribute
    word, is_measured = plain(part.text), attribute.kind in MEASURED
    if part.doubt == "condition":
        return word in _words("hedges", attribute.kind) and not matches("counterfactual", r"\b(?:{})\b", clause)
    if part.doubt == "unknown":
        if part.text.islower() and (word.endswith("ly") or word in _words("titles")):
            return True
        if word.endswith("'s") and word[:-2] in folded_words(gold.text):
            after = _followers(clause).get(part.text)
            owned = _words("of_the_club") | _words("titles")
            return bool(pattern_of(attribute).roles) and (after is None or plain(after) in owned)
        if not is_about(clause, attribute) or (not is_measured and _is_a_deed(word, clause)):
            return False
        return not part.is_beside or (part.text.islower() and _may_stand_beside(word, statement))
    if part.doubt == "bound" and word in _words("temporal") and attribute.kind != "date":
        return not part.is_beside or word not in _right_before(clause, tuple(f.start for f in statement.found))
    if part.is_beside or part.doubt not in ("number", "bound", "sign"):
        return False
    return not is_measured or (part.doubt == "number" and _counts_something(part.text, clause, attribute))


def _is_a_deed(word: str, clause: str) -> bool:
    """Whether an unknown word looks like what somebody did: `he feigned a move` is none."""
    return word.endswith("ed") and word in _deeds(clause)


@lru_cache(maxsize=_CLAUSES)
def _deeds(clause: str) -> frozenset[str]:
    return frozenset(match[1] for match in _DEED.finditer(plain(clause)))


def _counts_something(number: str, clause: str, attribute: Attribute) -> bool:
    """Whether a number beside an amount, a length or a day counts something else: `after 14 goals`."""
    after = _followers(clause).get(number)
    if attribute.kind == "count" or after is None or not after.islower():
        return False
    return plain(after) not in words_of("harmless", "grammar") | words_of("conditions")


@lru_cache(maxsize=_CLAUSES)
def _followers(clause: str) -> Mapping[str, str]:
    """The word after each word or number, of several the first."""
    found: dict[str, str] = {}
    for match in _FOLLOWED.finditer(clause):
        if match[2] is not None:
            found.setdefault(match[1], match[2])
    return found


def _is_beside_the_point(statement: Statement) -> bool:
    """Whether a word before the value makes it another one: `half of €12.5m`, `a rival of Ostholm`."""
    attribute = statement.attribute
    if attribute.kind in MEASURED:
        afters = (_NEXT.match(statement.text, f.end) for f in statement.found)
        if any(after and plain(after[1]) in _words("afterwards") for after in afters):
            return True  # "€5m too high"
    befores = [_words_before(statement.text, f.start) for f in statement.found]
    return any(_leads_away(before, attribute) for before in befores if before)


def _is_compared(statement: Statement) -> bool:
    befores = [_words_before(statement.text, f.start) for f in statement.found]
    return any(before and before[-1] in _words("comparing") for before in befores)


def _words_before(text: str, end: int) -> list[str]:
    """The words right before a place, as many as can matter; the first of them may be cut."""
    return _WORD.findall(plain(text[near(end) : end]))


def _leads_away(before: list[str], attribute: Attribute) -> bool:
    *others, last = before
    if attribute.kind in MEASURED:
        near = others[-2:] if last in ("of", "the") else []
        return not _words("multipliers").isdisjoint((last, *near))
    if attribute.kind == "place":
        is_whereabouts = not set(others[-1:]).isdisjoint(_words("whereabouts"))
        return last == "in" and (is_whereabouts or not pattern_of(attribute).says_where)
    if attribute.kind == "choice":
        return last == "the" and not set(others[-1:]).isdisjoint(("of", "past"))
    if last == "of" and others:
        return others[-1] not in _words("belonging") | pattern_of(attribute).words
    return last == "as" and "same" in others


def _may_stand_beside(word: str, statement: Statement) -> bool:
    """Whether an unknown word beside the value may be passed over.

    Before a number it is an adjective (`a hefty €35m`), unless it changes the number (`half`), after it perhaps a unit;
    before a name it is perhaps a verb (`ignored Ostholm`), after it never one that the name is the object of.
    """
    is_before = word in _right_before(statement.text, tuple(f.start for f in statement.found))
    if statement.attribute.kind in MEASURED:
        return is_before and word not in _words("multipliers")
    return not is_before


@lru_cache(maxsize=_CLAUSES)
def _right_before(text: str, starts: tuple[int, ...]) -> frozenset[str]:
    """The words that stand right before values; of `d'Ost`, `ost` is one, too."""
    matches = (_LAST.search(plain(text[near(start) : start])) for start in starts)
    lasts = (match[1] for match in matches if match)
    return frozenset(last[place.start() :] for last in lasts for place in _WORD_START.finditer(last))


# ---------------------------------------------------------------------------------------------
# What a clause is about


def is_about(clause: str, attribute: Attribute) -> bool:
    """Whether a clause speaks of an attribute in the attribute's own words."""
    return not _about(pattern_of(attribute), attribute).isdisjoint(_plain_words(clause))


@lru_cache(maxsize=_CLAUSES)
def _plain_words(clause: str) -> frozenset[str]:
    return frozenset(map(plain, _WORD.findall(clause)))


@lru_cache(maxsize=256)
def _about(pattern: Pattern, attribute: Attribute) -> frozenset[str]:
    """Words by which a clause speaks of an attribute: those of its phrasings that don't stand in any other's."""
    own = pattern.words - words_of("harmless", "grammar") - _words("everywhere")
    if attribute.kind == "name" and not pattern.roles:  # who it is
        own |= _words("who")
    events = [words_of("events", event) for event in EVENTS]
    roles = [frozenset(words.split()) for words in _roles(attribute).values()]
    return own.union(*(words for words in (*events, *roles) if not words.isdisjoint(own)))


def speaks_of_another_role(clause: str, attribute: Attribute) -> bool:
    """Whether a clause speaks of what another attribute of the kind is about: of the price, not of what he is worth."""
    words = _plain_words(clause)
    if attribute.kind == "amount" and not words.isdisjoint(_words("strange") - pattern_of(attribute).words):
        return True
    if attribute.kind == "name" and pattern_of(attribute).roles and not words.isdisjoint(_words("strangers")):
        return True
    if _strangers().match(plain(clause)):
        return True  # "His brother is 1.87 m tall"
    if "goal" in pattern_of(attribute).roles and not words.isdisjoint(_words("past")):
        return True  # "previously with Ostholm"
    roles = [frozenset(role.split()) for role in _roles(attribute).values()]
    known = pattern_of(attribute).words
    mine = frozenset[str]().union(*(role for role in roles if not known.isdisjoint(role)))
    others = frozenset[str]().union(*roles) - mine
    return bool(mine) and words.isdisjoint(mine) and not words.isdisjoint(others)


def _roles(attribute: Attribute) -> Mapping[str, str]:
    roles: Mapping[str, str] = _lists()["roles"].get(attribute.kind, {})
    return roles


def is_hedged(clause: str, attribute: Attribute) -> bool:
    """Whether a clause holds a hedge."""
    return not _words("hedges", attribute.kind).isdisjoint(_plain_words(clause))


def _lists_places(text: str) -> bool:
    """Whether what looks like one place is a list of countries or towns."""
    parts = [part for part in re.split(r"[,/]| and | or ", text) if part.strip()]
    named = [country for part in parts if (country := countries_of(folded_words(part)))]
    return len(parts) > 3 or len(set(named)) > 1 or (len(parts) > 2 and not named)


# ---------------------------------------------------------------------------------------------
# Wording


@cache
def _lists() -> dict[str, Any]:
    text = (resources.files("offside_data.tagging") / "answering.yaml").read_text(encoding="utf-8")
    lists: dict[str, Any] = yaml.safe_load(text)
    return lists


@cache
def _words(name: str, kind: str | None = None) -> frozenset[str]:
    """The words of a list, of a list by kinds those of all kinds and of this one."""
    listed = _lists()[name]
    texts = [listed] if isinstance(listed, str) else [listed["all"], listed.get(kind, "")]
    return frozenset(word for text in texts for word in text.split())


@cache
def _strangers() -> re.Pattern[str]:
    return re.compile(rf"\W*(?:his|her|their|whose|[\w ]{{1,40}}'s)\s+(?:\w+\s+)?(?:{'|'.join(_words('strangers'))})\b")


@cache
def _pattern(name: str, frame: str) -> re.Pattern[str]:
    listed = "|".join(phrase.strip().replace(" ", r"\s+") for phrase in _lists()[name].split("|"))
    return re.compile(frame.format(listed), re.I)


def matches(name: str, frame: str, text: str) -> bool:
    """Whether a text holds a phrase of a list of `answering.yaml`, within a frame (`{}` stands for all of them)."""
    return position(name, frame, text) is not None


@lru_cache(maxsize=_CLAUSES)
def position(name: str, frame: str, text: str) -> int | None:
    """Where such a phrase starts."""
    match = _pattern(name, frame).search(plain(text))
    return match.start() if match else None
