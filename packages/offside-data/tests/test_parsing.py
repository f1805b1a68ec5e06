from __future__ import annotations

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
