"""JSON that doesn't fit its class is an error that says where and what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from offside_data.errors import ModelError
from offside_data.strict import Strict, read


@dataclass(frozen=True, kw_only=True)
class Inner(Strict):
    share: float


@dataclass(frozen=True, kw_only=True)
class Outer(Strict):
    name: str
    count: int | None
    inner: Inner
    tags: tuple[str, ...] = ()


GOOD: dict[str, Any] = {"name": "x", "count": None, "inner": {"share": 1}, "tags": ["a", "b"]}


def test_what_fits_is_read() -> None:
    found = read(Outer, GOOD, "f.json", ModelError, remedy="Make it again.")
    assert found == Outer(name="x", count=None, inner=Inner(share=1.0), tags=("a", "b"))
    assert read(list[Inner], [{"share": 0.5}], "f.json", ModelError, remedy="") == [Inner(share=0.5)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"name": "x", "inner": {"share": 1}}, "key 'count' is missing"),
        (GOOD | {"nam": "y"}, "unknown key 'nam'. Did you mean 'name'? Known: count, inner, name, tags"),
        (GOOD | {"count": "3"}, "key 'count': input should be a valid integer, got '3'"),
        (GOOD | {"count": True}, "key 'count': input should be a valid integer, got True"),
        (GOOD | {"tags": "ab"}, "key 'tags': input should be a valid array, got 'ab'"),
        (GOOD | {"inner": {"share": 1, "more": 2}}, "unknown key 'more'. Known: count, inner, name, tags"),
        (GOOD | {"inner": {"share": "1"}}, "key 'share': input should be a valid number, got '1'"),
        ([], "the content: input should be an object, got []"),
    ],
)
def test_what_does_not_fit_is_named(content: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(Outer, content, "f.json", ModelError, remedy="Make it again.", known=list(GOOD), inline="inner")
    assert str(caught.value) == f"f.json: {message}. Make it again."
