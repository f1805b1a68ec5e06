"""What is found once for all texts that differ in their digits is what each of them would have given alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from offside_data.questions import styles
from offside_data.tagging import accounting, amounts, clauses, dates, wording, words
from offside_data.tagging.digits import masked
from offside_data.tagging.finding import find
from offside_data.tagging.pattern import pattern_of
from offside_data.taxonomy import load_taxonomy

ATTRIBUTES = {attribute.kind: attribute for attribute in load_taxonomy("football").attributes}.values()
"""One of each kind."""
PIECES = (
    *("€", "£", "$", "Rs.", "m", "k", "th", "mln", " million", " Millionen", " mil", "bn", " euros", " USD", "zł"),
    *("12,34,567", "1.5", "1,500", "0", "007", "3", "21", "1st", "2½", "½", "35.00", "1e9", "²", "²²²", "٣٥", "一"),
    *("2021", "3021", "2021-07-01", "05/03/1996", "31.02.2000", "May 3, 2001", "3. Mai 1999", "1-Jul-23", "July"),
    *("first of May 1999", "twenty-first", "zehn ", "half a", " and a half", " point five", "two", "a dozen"),
    *("on loan", "free transfer", "end of loan", "for nothing", "loan fee", "no fee", "close to", "looks like"),
    *("no longer", "not", "but", "however", "and not", "rumours", "it is false", "or", "who", "by", "to", "a year"),
    *(
        "he",
        "He",
        "The fee",
        "was",
        "born in",
        "season",
        "(",
        ")",
        "/",
        '"',
        "'",
        "’",
        "-",
        "–",
        ": ",
        ", ",
        ". ",
        "\n",
    ),
    *("Ostholm", "FC Ostholm 05", "Dr. Lund", "est.", "27 y/o", "years old", "meters", "5'11\"", "trophies", "\n"),
)
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(" 0123456789"), st.text(max_size=3)), max_size=12)


def corpus() -> list[str]:
    """Every text of the corpora of answers."""

    def texts_in(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                yield str(key)
                yield from texts_in(value)
        elif isinstance(node, list):
            for value in node:
                yield from texts_in(value)
        else:
            yield from str(node).splitlines()

    files = sorted((Path(__file__).parent / "answers").glob("*.yaml"))
    return [text for file in files for text in texts_in(yaml.safe_load(file.read_text(encoding="utf-8")))]


def assert_digits_change_nothing(text: str) -> None:
    alike = masked(text)
    assert len(alike) == len(text)
    assert amounts._places.__wrapped__(text) == amounts._places(alike)
    assert dates._places.__wrapped__(text) == dates._places(alike)
    whole = (0, len(text))
    for about in ATTRIBUTES:
        pattern = pattern_of(about)
        taken = tuple((found.start, found.end) for found in find(text, about.kind, about.options))
        assert clauses._cut.__wrapped__(text, taken) == clauses._cut(alike, taken)
        for region in (whole, *pattern.captures(text)):
            for stretches in (taken, ()):
                args = stretches, about.kind, pattern, region
                assert accounting._seen.__wrapped__(text, *args) == accounting._seen(alike, *args)


def test_corpora_are_read_alike_whatever_their_digits_are() -> None:
    texts = corpus()
    assert len(texts) > 1_000
    for text in texts:
        assert_digits_change_nothing(text)


@given(TEXTS)
@example(["3 goals", ", ", "2021", " ", "m"])
@example(["€1,234,567"])
def test_law_which_digits_a_text_has_moves_nothing(pieces: list[str]) -> None:
    assert_digits_change_nothing("".join(pieces))
    assert_digits_change_nothing(" ".join(pieces))


@given(TEXTS, st.sampled_from(["years old", "million euros", "m", "trophies in 2021", "", "21"]))
def test_law_a_unit_is_left_out_whatever_the_digits_are(pieces: list[str], after: str) -> None:
    value = "".join(pieces)
    left, follow = styles._words_of(value), [styles.same_unit(word) for word in after.split()]
    for number in range(min(len(left) - 1, len(follow)), 0, -1):
        if [styles.same_unit(word) for word in left[-number:]] == follow[:number]:
            value = " ".join(left[:-number])
            break
    assert styles.without_unit("".join(pieces), after) == value


@given(st.one_of(st.text(), TEXTS.map("".join)))
def test_law_words_are_folded_alike_with_and_without_other_letters(text: str) -> None:
    assert words.folded_words(text) == tuple(words.fold(found) for found in words._TOKEN.findall(text))


def test_a_sentence_that_goes_on_with_a_number_takes_that_number_alone() -> None:
    assert styles.without_unit("3 in 2021", "in 2021") == "3"
    assert styles.without_unit("3 in 2022", "in 2021") == "3 in 2022"


def test_no_pattern_that_is_read_masked_names_a_digit() -> None:
    patterns = [
        *(amounts._number_pattern(), amounts._before_pattern(), amounts._after_pattern(), amounts._spelled_pattern()),
        *(pattern for _, pattern in amounts._terms()),
        *(*dates._PATTERNS, dates._NUMERIC, accounting._TOKEN, accounting._TO, clauses._CUT, clauses._BACK),
        *(clauses._INTERJECTION, clauses._BEFOREHAND, clauses._OF_BEFORE, styles._BEFORE_UNIT),
        *(wording._phrases(name) for name in ("doubtful_phrases", "guesses", "retractions")),
        *(pattern for pattern, _ in styles._short_units()),
    ]
    assert [pattern.pattern for pattern in patterns if names_a_digit(pattern)] == []


@pytest.mark.parametrize("pattern", ["x[0-4]", "(?:a|19)", "[^7]", r"(?<!\d)0+"])
def test_a_pattern_that_names_a_digit_is_found(pattern: str) -> None:
    assert names_a_digit(re.compile(pattern))


def names_a_digit(pattern: re.Pattern[str]) -> bool:
    """Whether a pattern treats one of the digits 0 to 9 otherwise than another."""
    digits = range(ord("0"), ord("9") + 1)

    def tells(node: Any) -> bool:
        match node:
            case (op, value) if str(op) in ("LITERAL", "NOT_LITERAL"):
                return value in digits
            case (op, (least, most)) if str(op) == "RANGE":
                told = [least <= digit <= most for digit in digits]
                return any(told) and not all(told)
            case (op, value) if str(op) in ("CATEGORY", "AT", "GROUPREF", "NEGATE", "ANY"):
                return False  # What groups refer back to in these patterns are signs.
            case str() | int() | None:
                return False
            case _:
                return any(map(tells, node))

    return tells(list(re._parser.parse(pattern.pattern, pattern.flags)))  # type: ignore[attr-defined]
