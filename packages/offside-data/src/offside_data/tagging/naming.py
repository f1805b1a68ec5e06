"""Which of the names in an answer is the one that it states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from offside_data.schema import ClaimValue
from offside_data.tagging.accounting import leftovers
from offside_data.tagging.comparing import Options, core_of, same_value, spellings_of
from offside_data.tagging.digits import Stretch
from offside_data.tagging.finding import FoundValue
from offside_data.tagging.longest import parts_of_others
from offside_data.tagging.pattern import Pattern
from offside_data.tagging.places import countries_of, country_terms, place_parts, states_place
from offside_data.tagging.stretches import Stretches, near
from offside_data.tagging.wording import doubt_of, is_placeholder, joined_names, plain, words_of
from offside_data.tagging.words import Token, contains, folded_words, is_one_name, tokenize, word_list
from offside_data.taxonomy import Attribute

_SKIPPED = word_list("the a an club side team his her their new city town village country state")
_ADJUNCTS = word_list("in by against at of for with from to via near over under after before")
_YEAR_AT_END = re.compile(r"\s(?:19[5-9]|20)\d\d$")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_WORD_BEFORE = re.compile(r"(?<![^\W\d_])([^\W\d_]++(?:['’][^\W\d_]++)*+)\s*\Z")
_BLANKS = re.compile(r"\s*")
_LEAD = re.compile(r"[^\W\d_]+\s+$")


@dataclass(frozen=True, slots=True)
class Named:
    """The names that may be the value of an answer.

    Args:
        found: They.
        explained: Where they and the names of others stand.
        is_whole: Whether the value is all of what was looked at, so that nothing is left.
        problem: Why none is the value, as a sentence for people, where that is known.
    """

    found: tuple[FoundValue, ...]
    explained: list[Stretch]
    is_whole: bool = False
    problem: str | None = None


def name_in(
    text: str, region: Stretch, found: Sequence[FoundValue], attribute: Attribute, pattern: Pattern, *, is_capture: bool
) -> Named:
    """The name that a part of an answer states, or the several that it holds.

    Args:
        text: The answer.
        region: The part.
        found: The names in it.
        attribute: What the answer is about.
        pattern: How answers about it are worded.
        is_capture: Whether the part is what a phrasing of the attribute leaves for the value.
    """
    said = text[slice(*region)]
    if _is_all_name(text, region, found, attribute, pattern) and (found or is_capture):
        value = ClaimValue(kind=attribute.kind, text=said)
        return _checked(text, Named((FoundValue(value, *region),), [region], is_whole=True))
    places = [(f.start, f.end) for f in found]
    subject = None if is_capture else _subject(text, region, found, attribute, pattern)
    meant = tuple(f for f in found if f is not subject)
    if not is_capture and meant and all(_is_elsewhere(text, (f.start, f.end), f.value, pattern) for f in meant):
        problem = f"the answer {text!r} says of {meant[0].value.text!r} something else than what it is asked for"
        return Named(meant, places, problem=problem)
    return _checked(text, Named(meant, places))


def _is_all_name(
    text: str, region: Stretch, found: Sequence[FoundValue], attribute: Attribute, pattern: Pattern
) -> bool:
    said = text[slice(*region)]
    if found:
        first = next(iter(folded_words(said)), "")
        is_doubt = doubt_of(first) in ("negation", "condition")
        return not is_doubt and is_one_name(
            said, is_organisation=first in words_of("organisations"), is_place=attribute.kind == "place"
        )
    # "cheaper ferries for all": no name, but what the phrasing leaves for one.
    rest = leftovers(text, [], attribute.kind, pattern, region)
    return all(part.doubt == "unknown" for part in rest)


def _checked(text: str, named: Named) -> Named:
    for item in named.found:
        name = item.value.text
        if is_placeholder(name):
            why = f"the answer {text!r} holds no value but the placeholder {name!r}"
        elif item.value.kind == "place" and is_club(name):
            why = f"the answer {text!r} names a club, {name!r}"
        elif _joins_two(name):
            why = f"the answer {text!r} may name two: {name!r}"
        elif not words_of("headlines").isdisjoint(folded_words(name)[1:]):
            why = f"the answer {text!r} is a headline, and no one name"
        elif _YEAR_AT_END.search(name):
            why = f"the answer {text!r} has a year after the name in {name!r}"
        else:
            continue
        return Named((), named.explained, problem=why)
    return named


def is_club(name: str) -> bool:
    """Whether a name has a word that only clubs have: `FC Sweden`."""
    words = folded_words(name)
    return len(words) > 1 and not words_of("club_words").isdisjoint((words[0], words[-1]))


def _joins_two(name: str) -> bool:
    words = folded_words(name)
    if words[:1] and words[0] in words_of("organisations"):
        return False
    parts = name.split("-")
    if len(parts) == 2 and all(countries_of(folded_words(part)) for part in parts) and not countries_of(words):
        return True  # "Swedish-Norwegian"
    joined = "/" in name or not words_of("joiners").isdisjoint(words[1:-1])
    return joined and core_of(words) not in joined_names() and not countries_of(words)


# ---------------------------------------------------------------------------------------------
# Names of others


def _subject(
    text: str, region: Stretch, found: Sequence[FoundValue], attribute: Attribute, pattern: Pattern
) -> FoundValue | None:
    """The name of whom an answer is about, if it begins with it: `Bo Lund will join Ostholm`."""
    if len(found) < 2 or attribute.name == "name" or text[region[0] : found[0].start].strip():
        return None
    first, last = found[0], found[-1]
    if not first.value.text[0].isalpha():
        return None
    verb = _WORD.match(text, _BLANKS.match(text, first.end).end())  # type: ignore[union-attr]  # it matches nothing, too
    lead = _word_before(text, last.start)
    links = words_of("harmless", "verbs") | pattern.words | pattern.role_words
    is_subject = verb is not None and verb.group().islower() and plain(verb.group()) in links - words_of("joiners")
    return first if is_subject and lead in links | _ADJUNCTS else None


def _word_before(text: str, start: int) -> str | None:
    """The word before a name, articles and the like left out; null if a sign stands between."""
    while match := _WORD_BEFORE.search(text, near(start), start):
        word = plain(match[1])
        if word not in _SKIPPED:
            return word
        start = match.start()
    return None


def _is_elsewhere(text: str, stretch: Stretch, value: ClaimValue, pattern: Pattern) -> bool:
    """Whether a name stands where answers have something else than what is asked for."""
    if pattern.roles and _is_of_before(text, *stretch):
        return "origin" not in pattern.roles
    word = _word_before(text, stretch[0])
    if word == "in" and not pattern.says_where:  # "plays in Sweden", "a club in Sweden"
        return value.kind == "place" or bool(countries_of(folded_words(value.text)))
    return word in pattern.other_role_words


_BEFORE_NAME = re.compile(
    r"\b(?:previously|formerly|before\s+\w+ing\s[^.;!?]*,)\s+(?:\w+\s+){0,4}$|"
    r"\b(?:previous|former|old)\s+(?:club|team|side|employer)\s+(?:\w+\s+){0,2}$",
    re.I,
)
_LONG_AGO = 600
"""How many characters before a name are searched for `before joining Varnhavn …,`."""
_AFTER_NAME = re.compile(r"\s*(?:,|is|was|were)\s+(?:his|her|their|the)\s+(?:previous|former|old)\b", re.I)


def _is_of_before(text: str, start: int, end: int) -> bool:
    """Whether a name is said to be of the time before: `previously played for`, `his former club is`."""
    return (
        _BEFORE_NAME.search(text, near(start, _LONG_AGO), start) is not None or _AFTER_NAME.match(text, end) is not None
    )


# ---------------------------------------------------------------------------------------------
# A name that is looked for


def gold_in(text: str, gold: ClaimValue, found: Sequence[FoundValue], attribute: Attribute, pattern: Pattern) -> Named:
    """A name that is known, and the other names in a clause that may be meant.

    Args:
        text: The clause.
        gold: The name, however it may be written there.
        found: The names in the clause.
        attribute: The attribute of both.
        pattern: How answers about it are worded.
    """
    stretches = list(_stretches(text, gold, attribute)) if holds_words(text, gold, attribute) else []
    clubs = {f for f in found if attribute.kind == "place" and is_club(f.value.text)}
    of_clubs = Stretches((f.start, f.end) for f in clubs)
    parts = parts_of_others(text, [s for s in stretches if not of_clubs.hold(s)], found, pattern)
    stretches = [s for s in stretches if not of_clubs.hold(s) and s not in parts]
    said = Stretches(stretches)
    mine = [f for f in found if said.meet((f.start, f.end))]
    known = {*mine, *clubs}
    mine += [f for f in found if f not in known and same_value(f.value, gold, attribute)]
    known = set(mine)
    others = [f for f in found if f not in known]
    explained = [*stretches, *((f.start, f.end) for f in found)]
    places = _with_affixes(stretches, mine) or [(f.start, f.end) for f in mine]
    starts = [start for start, _ in places]
    if not starts:
        return Named(tuple(found), explained)
    first = _subject(text, (0, len(text)), found, attribute, pattern)
    leads = {_word_before(text, start) for start in starts}
    if all(_is_elsewhere(text, place, gold, pattern) for place in places):
        return Named(tuple(mine) or _found(gold, starts), explained, problem="it is said in another role")
    adjuncts = {f for f in others if _is_adjunct(text, f.start, leads, pattern)}
    explained += [(_lead_start(text, f.start), f.end) for f in others if f in adjuncts]
    meant = [f for f in others if f is not first and f not in adjuncts]
    # "Ostholm and Varnhavn" look like one name.
    meant += [f for f in mine if _joins_two(f.value.text) and not _joins_two(gold.text)]
    return Named((*_found(gold, starts), *meant), explained)


def _with_affixes(stretches: Sequence[Stretch], names: Sequence[FoundValue]) -> list[Stretch]:
    """Stretches with what stands before them in their names: "FC" before the words that were looked for."""
    stand = Stretches((f.start, f.end) for f in names)
    found = set()
    for start, end in stretches:
        around = (names[place] for place in stand.touching((start, start)))
        found.add((min([start, *(f.start for f in around if start < f.end)]), end))
    return sorted(found)


def holds_words(text: str, value: ClaimValue, attribute: Attribute) -> bool:
    """Whether the words of a value stand in a text, whatever is said of it."""
    is_place = value.kind == "place"
    if is_place and states_place(text, value.text):
        return True
    words = folded_words(text)
    return any(contains(words, core) for core in _said_as(value.text, attribute.options, is_place))


@lru_cache(maxsize=2**16)
def _said_as(text: str, options: Options, is_place: bool) -> tuple[tuple[str, ...], ...]:
    """The words by which a value is recognised; a place's own spelling is looked for in another way."""
    return tuple(core_of(spelling) for spelling in spellings_of(text, options)[is_place:])


def _found(gold: ClaimValue, starts: Sequence[int]) -> tuple[FoundValue, ...]:
    return (FoundValue(gold, starts[0], starts[0]),)


def _is_adjunct(text: str, start: int, leads: set[str | None], pattern: Pattern) -> bool:
    """Whether another name stands beside the one that is meant: `from Halden`, `in Nordland`."""
    lead = _word_before(text, start)
    if lead in pattern.other_role_words:
        return True
    return lead in _ADJUNCTS and lead not in leads and lead not in pattern.role_words


def _lead_start(text: str, start: int) -> int:
    """Where the word before a name starts."""
    match = _LEAD.search(text, near(start), start)
    return match.start() if match else start


def _stretches(text: str, gold: ClaimValue, attribute: Attribute) -> Iterator[Stretch]:
    """Where the words of a name stand in a text, in any of its spellings; of a place, those of all its parts."""
    tokens = tokenize(text)
    words = [token.folded for token in tokens]
    cores = [core_of(spelling) for spelling in spellings_of(gold.text, attribute.options)]
    if attribute.kind == "place":
        parts = place_parts(gold.text)
        cores += parts
        countries = frozenset().union(*(countries_of(part) for part in parts))
        for first, last, meant in country_terms(words):
            if meant & countries:
                yield tokens[first].start, tokens[last - 1].end
    for core in cores:
        yield from _runs(tokens, words, core)


def _runs(tokens: Sequence[Token], words: Sequence[str], core: tuple[str, ...]) -> Iterator[Stretch]:
    n = len(core)
    for i in range(len(words) - n + 1):
        if n and words[i] == core[0] and tuple(words[i : i + n]) == core:
            yield tokens[i].start, tokens[i + n - 1].end
