from __future__ import annotations

import itertools

import pytest

from offside_data.parsing import parse_json, parse_yaml

DEEP = 100_000


def test_values() -> None:
    assert parse_json('{"a": [1, null]}') == parse_yaml("a: [1, null]") == {"a": [1, None]}


@pytest.mark.parametrize("text", ["", "{", "[1,]", '{"a":' * DEEP, "[" * DEEP, "[" * DEEP + "]" * DEEP])
def test_what_is_not_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        parse_json(text)


@pytest.mark.parametrize(
    "text", ["[1", "a: &a *b", "? ? ?", "a: !!python/object:os.system x", "[" * DEEP + "]" * DEEP, "- " * DEEP]
)
def test_what_is_not_yaml(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        parse_yaml(text)


def test_a_key_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="begins in line 1 has the key 'seeds' twice"):
        parse_yaml("seeds: [0]\nat: [0.5]\nseeds: [1]\n")
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, x: 2}\nc: *a\n") == {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 1}}


def test_aliases_are_followed_only_so_far() -> None:
    assert parse_yaml("a: &a {x: [1, 2]}\nb: *a\nc: *a\n")["c"] == {"x": [1, 2]}
    names = "abcdefghi"
    lines = [f"{b}: &{b} [{','.join(['*' + a] * 10)}]" for a, b in itertools.pairwise(names)]
    with pytest.raises(ValueError, match="repeat too much"):
        parse_yaml("\n".join(["a: &a [1]", *lines]))
    chain = [f"n{i}: &n{i} [*n{i - 1}]" for i in range(1, 5000)]
    for text in ("\n".join(["n0: &n0 [1]", *chain]), "a: &a [*a]", "a: &a {b: *a}"):
        with pytest.raises(ValueError, match="nested too deep"):
            parse_yaml(text)
