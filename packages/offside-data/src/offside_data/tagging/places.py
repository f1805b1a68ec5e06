"""Countries by any of their names and adjectives, and the comparison of places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib import resources

import yaml

from offside_data.tagging.words import contains, find_places, folded_words

Words = tuple[str, ...]

_KNOWN_TEXTS = 2**14


@cache
def _terms() -> dict[Words, frozenset[str]]:
    """Every name and adjective, folded, and the countries it may mean. `demonyms.yaml` is the list."""
    text = (resources.files("offside_data.tagging") / "demonyms.yaml").read_text(encoding="utf-8")
    terms: dict[Words, frozenset[str]] = {}
    for country, others in yaml.safe_load(text).items():
        for term in (country, *others):
            words = _without_article(folded_words(term))
            terms[words] = terms.get(words, frozenset()) | {country}
    return terms


@cache
def _longest() -> int:
    return max(map(len, _terms()))


def countries_of(words: Sequence[str]) -> frozenset[str]:
    """The countries that folded words name (`swedish` names Sweden); empty if none."""
    return _terms().get(_without_article(tuple(words)), frozenset())


def country_name(text: str) -> str | None:
    """The country that another name stands for (`Swedish`, `sweden`); null if it is its name or no certain country."""
    words = _without_article(folded_words(text))
    countries = sorted(countries_of(words))
    is_written_so = (
        folded_words(countries[0]) == words and not (text.islower() or text.isupper()) if countries else True
    )
    return None if is_written_so or len(countries) > 1 else countries[0]


def country_terms(words: Sequence[str]) -> Iterator[tuple[int, int, frozenset[str]]]:
    """Where countries are named in folded words, the longest reading first: `northern irish`, not `irish`."""
    longest, i = _longest(), 0
    while i < len(words):
        for n in range(min(longest, len(words) - i), 0, -1):
            countries = _terms().get(tuple(words[i : i + n]))
            if countries:
                yield i, i + n, countries
                i += n
                break
        else:
            i += 1


def same_place(a: str, b: str) -> bool:
    """Whether two places are the same, one of them perhaps less precise.

    `Brackwater, Ostland` = `Brackwater`; `Brackwater, Ostland` is not `Brackwater, Nordland`.
    """
    left, right = place_parts(a), place_parts(b)
    if not left or not right or not _same_part(left[0], right[0]):
        return False
    return _all_in(left, right) or _all_in(right, left)


def states_place(answer: str, place: str) -> bool:
    """Whether `answer` names `place`: all its parts, or the place less precisely and nothing against it."""
    words = folded_words(answer)
    named, found = _places_in(answer)
    parts = place_parts(place)
    if parts and all(_part_stated(part, words, named) for part in parts):
        return True
    return any(same_place(other, place) for other in found)


@lru_cache(maxsize=_KNOWN_TEXTS)
def _places_in(answer: str) -> tuple[list[frozenset[str]], list[str]]:
    """The countries that an answer names in any way, and the places by their capitals."""
    named = [countries for _, _, countries in country_terms(folded_words(answer))]
    return named, [found.text for found in find_places(answer)]


def _part_stated(part: Words, words: Words, named: list[frozenset[str]]) -> bool:
    countries = countries_of(part)
    if countries:
        return any(countries & other for other in named)
    return contains(words, part)


def _all_in(some: Sequence[Words], others: Sequence[Words]) -> bool:
    return all(any(_same_part(part, other) for other in others) for part in some)


def _same_part(a: Words, b: Words) -> bool:
    return a == b or bool(countries_of(a) & countries_of(b))


@lru_cache(maxsize=_KNOWN_TEXTS)
def place_parts(place: str) -> tuple[Words, ...]:
    """The folded words of the parts of a place: town, region, country."""
    parts = (_without_article(folded_words(part)) for part in re.split(r"[,(]", place))
    return tuple(part for part in parts if part)


def _without_article(words: Words) -> Words:
    return words[1:] if len(words) > 1 and words[0] == "the" else words
