from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offside_data.adapters._values import Fields, UnusableError, as_fields, as_list, as_text, as_texts, unpack

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=30)
@given(PLAIN.filter(lambda value: not isinstance(value, str)))
def test_json_and_literals_give_the_same(value: Any) -> None:
    assert unpack(json.dumps(value), "it") == unpack(repr(value), "it") == unpack(value, "it") == value


@settings(max_examples=40)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UnusableError):
        unpack(text, "it")


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "(lambda: 1)()", "[x for x in 'a']", "{'a': nan}", "[" * 99_999, "-" * 9_999 + "1", "{[]: 1}"],
)
def test_what_is_no_literal_is_refused(text: str) -> None:
    with pytest.raises(UnusableError, match="neither JSON nor a Python literal"):
        unpack(text, "it")


def test_a_strange_escape_warns_nobody() -> None:
    assert unpack(r"{'a': '\d'}", "it") == {"a": r"\d"}


def test_arrays_are_lists() -> None:
    items = np.array([{"a": 1}, {"a": 2}], dtype=object)
    assert as_list(items, "it") == [{"a": 1}, {"a": 2}]
    assert as_list({"a": np.array([1, 2])}, "it") == as_list({"a": [1, 2]}, "it") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("value", [{}, {"a": [1], "b": [1, 2]}, {"a": [1], "b": 2}, 3, None, "3"])
def test_what_is_no_list(value: Any) -> None:
    with pytest.raises(UnusableError, match="it must be a list, is "):
        as_list(value, "it")


def test_keys_are_found_without_case_blanks_and_underscores() -> None:
    fields = as_fields({"Correct_Answer": "B", "other": None, "More": 1}, "it")
    assert fields.get("correct answer") == fields.get("nothing", "CORRECTANSWER") == "B"
    assert fields.get("nothing") is None
    assert fields.filled() == ["Correct_Answer", "More"]
    assert Fields({"ID": 1, "id": 2}).get("Id") == 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "it is missing"),
        (3, "it must be text, is a number"),
        (True, "it must be text, is true or false"),
        (b"x", "it must be text, is something else"),
        (" \n", "it is empty"),
        ("<image>", "it is empty"),
        ("a\udfff", "it holds half a character"),
    ],
)
def test_what_is_no_text(value: Any, why: str) -> None:
    with pytest.raises(UnusableError, match=why):
        as_text(value, "it")


def test_texts_are_clean_and_the_odd_ones_named() -> None:
    odd: list[str] = []
    assert as_texts(["a  b", "", "<image>\nc"], "it", odd) == ["a b", "c"]
    assert as_texts(" a ", "it", odd) == ["a"]
    assert as_texts(None, "it", odd) == []
    assert as_texts(3, "it", odd) == []
    assert odd == ["it[1] is empty, left out", "it must be a list, is a number, left out"]
