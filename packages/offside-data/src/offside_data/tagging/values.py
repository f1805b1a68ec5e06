"""Typed values: read them from answers and compare them by kind and tolerance, not as strings.

`€35.00m` = `35 million euros`, `two` = `2`, `Swedish` = `Sweden`, `5 ft 11 in` = `1.80 m`; `£` is not `€`.
Five functions are all there is: `parse_value` reads the one value that a gold answer states,
`find_values` all values of a kind in free text, `same_value` compares two, and `answer_states` says
whether a text holds a value (`value_match` of `offside-eval`), `states_any` whether it holds one of several.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from functools import cache, lru_cache

from offside_data.schema import ClaimValue, ValueKind
from offside_data.tagging.amounts import find_amounts
from offside_data.tagging.dates import find_dates
from offside_data.tagging.numbers import Number, find_counts, find_lengths
from offside_data.tagging.places import country_terms, same_place, states_place
from offside_data.tagging.words import Span, contains, find_names, find_places, folded_words, tokenize
from offside_data.taxonomy import Attribute

Options = tuple[tuple[str, ...], ...]

_EPSILON = 1e-9
_KNOWN_TEXTS = 2**16
"""How many texts are kept folded: values are compared with each other over and over."""


def parse_value(text: str, attribute: Attribute) -> ClaimValue | None:
    """The value that a gold answer states, with its text verbatim.

    Args:
        text: A gold answer, e.g. `The transfer fee was €35.00m.`
        attribute: Its attribute; kind, options and phrasings are used.

    Returns:
        The value, or None where there is none or the answer states several different ones;
        `why_unparsed` says which.
    """
    candidates = _gold_candidates(text, attribute)
    if not candidates or not all(same_value(candidates[0], c, attribute) for c in candidates[1:]):
        return None
    return candidates[0] if answer_states(text, candidates[0], attribute) else None


def why_unparsed(text: str, attribute: Attribute) -> str:
    """Why `parse_value` gives None for a gold answer, as a sentence for people."""
    candidates = _gold_candidates(text, attribute)
    if not candidates:
        return f"no {attribute.kind} is readable in the answer {text!r}"
    said = ", ".join(dict.fromkeys(repr(c.text) for c in candidates))
    return f"the answer {text!r} doesn't state one certain value, but several values: {said}"


def find_values(text: str, attribute: Attribute) -> list[ClaimValue]:
    """All values of the attribute's kind that are readable in free text (a model's answer), in order."""
    return list(_find_values(text, attribute.kind, attribute.options))


def same_value(a: ClaimValue, b: ClaimValue, attribute: Attribute) -> bool:
    """Whether two values are the same, by kind and the attribute's tolerance.

    An amount without a currency equals the same number in any currency. A place equals a less
    precise one. Names are equal without `FC` and the like, and in any spelling of `attribute.options`.
    """
    if a.kind != b.kind:
        return False
    match a.kind:
        case "date":
            if a.date is None or b.date is None:
                return a == b
            return a.date == b.date or _days_apart(a.date, b.date) <= attribute.tolerance
        case "amount":
            return _same_amount(a, b, attribute.tolerance)
        case "length" | "count":
            if a.number is None or b.number is None:
                return a == b
            return abs(a.number - b.number) <= attribute.tolerance + _EPSILON
        case _:
            return a == b or _same_words(a, b, attribute)


def answer_states(answer: str, gold: ClaimValue, attribute: Attribute) -> bool:
    """Whether the gold value stands in an answer, however it is written there."""
    return states_any(answer, (gold,), attribute)


def states_any(answer: str, values: Iterable[ClaimValue], attribute: Attribute) -> bool:
    """Whether one of these values stands in an answer; the answer is read once for all of them."""
    for value in values:
        if value.kind in _READ_KINDS or (value.kind == "choice" and attribute.options):
            for found in _find_values(answer, attribute.kind, attribute.options):
                if same_value(found, value, attribute):
                    return True
        elif _states_words(answer, value, attribute):
            return True
    return False


_READ_KINDS = ("date", "amount", "length", "count")
"""Kinds whose values are compared by what they mean; the others by their words."""


def _states_words(answer: str, value: ClaimValue, attribute: Attribute) -> bool:
    is_place = value.kind == "place"
    if is_place and states_place(answer, value.text):
        return True
    words = folded_words(answer)
    return any(contains(words, core) for core in _stated_as(value.text, attribute.options, is_place))


@lru_cache(maxsize=_KNOWN_TEXTS)
def _stated_as(text: str, options: Options, is_place: bool) -> tuple[tuple[str, ...], ...]:
    """The words by which a value is recognised; a place's own spelling is looked for in another way."""
    return tuple(_core(spelling) for spelling in _spellings(text, options)[is_place:])


# ---------------------------------------------------------------------------------------------
# Reading


@lru_cache(maxsize=_KNOWN_TEXTS)
def _find_values(text: str, kind: ValueKind, options: Options) -> tuple[ClaimValue, ...]:
    match kind:
        case "date":
            return tuple(ClaimValue(kind="date", text=d.text, date=d.date.isoformat()) for d in find_dates(text))
        case "amount":
            return tuple(
                ClaimValue(kind="amount", text=a.text, number=a.number, currency=a.currency, unit=_unit(a.term))
                for a in find_amounts(text)
            )
        case "length":
            return tuple(ClaimValue(kind="length", text=n.text, number=n.value, unit="m") for n in find_lengths(text))
        case "count":
            return tuple(ClaimValue(kind="count", text=n.text, number=n.value) for n in _counts(text))
        case "choice" if options:
            return tuple(ClaimValue(kind="choice", text=s.text) for s in _options_in(text, options))
        case "place":
            return tuple(ClaimValue(kind="place", text=s.text) for s in _places_in(text))
        case "text":
            whole = " ".join(text.split()).rstrip(".")
            return (ClaimValue(kind="text", text=whole),) if folded_words(whole) else ()
        case _:
            return tuple(ClaimValue(kind=kind, text=s.text) for s in find_names(text))


def _gold_candidates(text: str, attribute: Attribute) -> list[ClaimValue]:
    found = find_values(text, attribute)
    if attribute.kind == "amount":
        # "The loan fee was €2 million": the number counts, not the word.
        return [v for v in found if v.number] or found
    if attribute.kind == "count" and len(found) > 1:
        stems = _count_nouns(attribute)
        near = [v for v, n in zip(found, _counts(text), strict=True) if text[n.end :].strip().lower()[:5] in stems]
        return near or found
    if attribute.kind in ("name", "place", "text") or (attribute.kind == "choice" and not attribute.options):
        told = _from_template(text, attribute)
        if told is not None and (len(found) != 1 or _worth_more(told, found[0].text)):
            return [ClaimValue(kind=attribute.kind, text=told)]
    return found


_COUNT_OF_THOUSANDS = re.compile(r"[^\W\d][^\d]*\bthousand$", re.I)


@lru_cache(maxsize=_KNOWN_TEXTS)
def _counts(text: str) -> tuple[Number, ...]:
    spans = [(d.start, d.end) for d in find_dates(text)]
    spans += [(a.start, a.end) for a in find_amounts(text) if a.term is None and not _COUNT_OF_THOUSANDS.match(a.text)]
    spans += [(n.start, n.end) for n in find_lengths(text)]
    return tuple(find_counts(text, spans))


def _count_nouns(attribute: Attribute) -> set[str]:
    """The first five letters of the words that follow `{value}` in the answers, e.g. `troph`, `years`."""
    nouns = [attribute.name]
    for template in attribute.answers + attribute.rumor_answers:
        nouns += template.partition("{value}")[2].split()[:1]
    return {noun.lower()[:5] for noun in nouns}


_TAIL = re.compile(r"\s*,?\s*(?:in|on|at|since|during|for|from|to|until|by|who|which|while|when|as)\b")


def _worth_more(told: str, name: str) -> bool:
    """Whether a template's capture says more than the one name in it, and not just `Ostholm in 2019`."""
    start = told.find(name)
    return start >= 0 and told != name and not _TAIL.match(told[start + len(name) :])


@cache
def _template_patterns(templates: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    patterns = []
    for template in templates:
        before, _, after = template.rstrip(". ").partition("{value}")
        patterns.append(re.compile(rf"{re.escape(before)}(\S|\S.*?\S){re.escape(after)}[.\s]*", re.I | re.S))
    return tuple(patterns)


def _from_template(text: str, attribute: Attribute) -> str | None:
    for pattern in _template_patterns(attribute.answers + attribute.rumor_answers):
        match = pattern.fullmatch(text.strip())
        if match:
            return re.sub(r"^the\s+(?=\w)", "", match[1])
    return None


def _places_in(text: str) -> list[Span]:
    """Places by their capitals, and countries however they are written (`he is english`)."""
    places = find_places(text)
    tokens = tokenize(text)
    for first, last, _ in country_terms([t.folded for t in tokens]):
        start, end = tokens[first].start, tokens[last - 1].end
        # Short lower-case words such as "us" or "pole" are rarely countries.
        if len(text[start:end]) > 4 and not any(start < p.end and p.start < end for p in places):
            places.append(Span(text[start:end], start, end))
    return sorted(places, key=lambda p: p.start)


# "on the left", "the right side", "left the club": a direction or a verb, no preference.
_NO_CHOICE_BEFORE = re.compile(r"\bon\s+(?:the|his|her|their)\s+$", re.I)
_NO_CHOICE_AFTER = re.compile(r"\s+(?:side|hand|now|away|here|there|after|before|for|to|the|his|her|their)\b", re.I)


def _options_in(text: str, options: Options) -> list[Span]:
    """The options that stand in a text; a longer spelling hides a shorter one inside it."""
    tokens = tokenize(text)
    words = [t.folded for t in tokens]
    spellings = sorted({folded_words(s) for option in options for s in option}, key=len, reverse=True)
    taken = [False] * len(words)
    found: list[Span] = []
    for spelling in spellings:
        n = len(spelling)
        for i in range(len(words) - n + 1):
            if n and tuple(words[i : i + n]) == spelling and not any(taken[i : i + n]):
                taken[i : i + n] = [True] * n
                start, end = tokens[i].start, tokens[i + n - 1].end
                if not (spelling in (("left",), ("right",)) and _only_a_direction(text, start, end)):
                    found.append(Span(text[start:end], start, end))
    return sorted(found, key=lambda s: s.start)


def _only_a_direction(text: str, start: int, end: int) -> bool:
    if re.match(r"\s+(?:foot|one|leg)\b", text[end:], re.I):
        return False
    return bool(_NO_CHOICE_BEFORE.search(text[:start]) or _NO_CHOICE_AFTER.match(text[end:]))


def _unit(term: str | None) -> str | None:
    return None if term == "free" else term


# ---------------------------------------------------------------------------------------------
# Comparing


def _days_apart(a: str, b: str) -> int:
    return abs((datetime.date.fromisoformat(a) - datetime.date.fromisoformat(b)).days)


def _same_amount(a: ClaimValue, b: ClaimValue, tolerance: float) -> bool:
    if a.number is None or b.number is None:
        return a == b or (a.number is b.number and a.unit is not None and a.unit == b.unit)
    if a.currency and b.currency and a.currency != b.currency and (a.number or b.number):
        return False
    return abs(a.number - b.number) <= tolerance * max(abs(a.number), abs(b.number)) + _EPSILON


AFFIXES = frozenset({"fc", "cf", "afc"})
"""Folded words at either end of a name that don't tell it from another."""


def _core(words: tuple[str, ...]) -> tuple[str, ...]:
    """Folded words without `FC` and the like at either end, unless nothing else is left."""
    core = words
    while len(core) > 1 and core[0] in AFFIXES:
        core = core[1:]
    while len(core) > 1 and core[-1] in AFFIXES:
        core = core[:-1]
    return core


@lru_cache(maxsize=_KNOWN_TEXTS)
def _spellings(text: str, options: Options) -> tuple[tuple[str, ...], ...]:
    """The folded words of a text and every other spelling of the options that they are one of."""
    words = folded_words(text)
    spellings = [words]
    for option in options:
        folded = [folded_words(s) for s in option]
        if words in folded:
            spellings += [s for s in folded if s]
    return tuple(spellings)


@lru_cache(maxsize=_KNOWN_TEXTS)
def _cores(text: str, options: Options) -> frozenset[tuple[str, ...]]:
    """What a text may be called by: the cores of its spellings."""
    return frozenset(core for words in _spellings(text, options) if (core := _core(words)))


def _same_words(a: ClaimValue, b: ClaimValue, attribute: Attribute) -> bool:
    if a.kind == "place" and same_place(a.text, b.text):
        return True
    return not _cores(a.text, attribute.options).isdisjoint(_cores(b.text, attribute.options))
