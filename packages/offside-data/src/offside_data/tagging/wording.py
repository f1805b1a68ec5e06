"""The words of answers, as `wording.yaml` lists them: what they do to a value, and which do nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

from offside_data.tagging.words import fold, folded_words

Doubt = Literal["negation", "bound", "condition", "approximation", "number", "counted", "change", "unknown", "sign"]
"""What a piece of an answer that nothing accounts for does to its value."""

_DANGEROUS: tuple[tuple[str, Doubt], ...] = (
    ("negations", "negation"),
    ("bounds", "bound"),
    ("conditions", "condition"),
    ("approximations", "approximation"),
)


@cache
def _lists() -> dict[str, Any]:
    text = (resources.files("offside_data.tagging") / "wording.yaml").read_text(encoding="utf-8")
    lists: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return lists


def plain(word: str) -> str:
    """A word as `wording.yaml` has it: folded, with a straight apostrophe."""
    return fold(word).replace("’", "'")


@cache
def words_of(name: str, group: str | None = None) -> frozenset[str]:
    """The words of a list, of one group or language of it or of all."""
    listed = _lists()[name]
    texts = [listed] if isinstance(listed, str) else [listed[group]] if group else listed
    if isinstance(texts, Mapping):
        texts = texts.values()
    return frozenset(plain(word) for text in texts for word in text.split())


def is_listed(word: str) -> bool:
    """Whether a `plain` word is a common one: one that is known to do something to a value, or nothing."""
    return word in words_of("harmless") or doubt_of(word) is not None


@cache
def doubtful_words() -> dict[str, Doubt]:
    """What each word does that makes a value doubtful; a word of several lists does what the first says."""
    doubts: dict[str, Doubt] = {}
    for name, doubt in _DANGEROUS:
        for word in words_of(name) - words_of("harmless"):
            doubts.setdefault(word, doubt)
    return doubts


def doubt_of(word: str) -> Doubt | None:
    """What a `plain` word does to a value; null if it isn't known to do anything."""
    if word.endswith("n't"):
        return "negation"
    return doubtful_words().get(word)


@cache
def _placeholders() -> frozenset[tuple[str, ...]]:
    texts = "|".join(_lists()["placeholders"].values()).split("|")
    return frozenset(folded_words(text) for text in texts if text.strip())


def is_placeholder(text: str) -> bool:
    """Whether a text stands where a value should, and is none: `TBC`, `#N/A`, `unknown`, `?`."""
    bare = text.strip().rstrip(".")
    words = folded_words(bare.strip("([<'\"“”‘’>])"))
    return not words or bare.startswith("#") or bare in words_as_written() or words in _placeholders()


@cache
def words_as_written() -> frozenset[str]:
    """Placeholders that are told from names by their capitals."""
    return frozenset(_lists()["placeholders_as_written"].split())


@cache
def accented() -> frozenset[str]:
    """Harmless words that would deny without their accents."""
    return frozenset(_lists()["accented"].split())


@cache
def joined_names() -> frozenset[tuple[str, ...]]:
    """Names that hold a word which joins two others."""
    return frozenset(folded_words(text) for text in _lists()["joined"].split("|"))


@cache
def _phrases(name: str) -> re.Pattern[str]:
    listed = sorted((p.strip() for p in _lists()[name].split("|")), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(listed)})\b".replace(" ", r"[\s-]+"), re.I)


def phrases(text: str) -> list[tuple[int, int]]:
    """Where several words stand that together change nothing."""
    return [match.span() for match in _phrases("phrases").finditer(text)]


def doubtful_phrase(text: str, start: int, end: int) -> re.Match[str] | None:
    """The first phrase in a part of a text that makes a value doubtful, though each of its words is harmless."""
    return _phrases("doubtful_phrases").search(text, start, end)


def guess(text: str, start: int, end: int) -> re.Match[str] | None:
    """The first phrase in a part of a text that makes a guess of a value."""
    return _phrases("guesses").search(text, start, end)


def takes_back(text: str) -> bool:
    """Whether a clause says of what was said before that it isn't so."""
    return _phrases("retractions").search(text) is not None


@cache
def counted_with(noun: str) -> frozenset[str]:
    """Nouns that are counted as one is, in any language: `trophies` and `titles`."""
    for languages in _lists()["counted"]:
        nouns = frozenset(word for said in languages.values() for word in said.split())
        if noun in nouns:
            return nouns
    return frozenset({noun})


@cache
def counted_nouns() -> dict[str, str]:
    """Nouns of what is counted, in all languages, and the first of those that count the same."""
    found = {}
    for languages in _lists()["counted"]:
        nouns = [word for said in languages.values() for word in said.split()]
        found.update(dict.fromkeys(nouns, nouns[0]))
    return found


@cache
def counted_in() -> dict[str, frozenset[str]]:
    """What is counted, in languages other than English: each noun, folded, and which languages have it."""
    found: dict[str, frozenset[str]] = {}
    for listed in _lists()["counted"]:
        for languages, said in listed.items():
            for noun in said.split() if languages != "en" else ():
                found[noun] = found.get(noun, frozenset()) | frozenset(languages.split(", "))
    return found
