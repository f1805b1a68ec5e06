"""Nested values of published tables: structs, arrays, JSON text and Python literals, all read alike."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from offside_data.adapters._text import strip_image_tokens

MAX_TEXT = 500_000
"""Characters of a text that is read as JSON or as a Python literal; one person's questions take a few thousand."""
_SHOWN = 60


class UnusableError(ValueError):
    """A piece of a source that can't be used; the message says which and why, as part of a sentence."""


def unpack(value: Any, what: str) -> Any:
    """A nested value as Python has it: text is read as JSON, else as a Python literal, which never runs anything.

    Args:
        value: As it stands in a table; NumPy arrays become lists.
        what: Its name in messages.

    Raises:
        UnusableError: If a text is neither, or too long.
    """
    if hasattr(value, "tolist"):
        return value.tolist()
    if not isinstance(value, str):
        return value
    if len(value) > MAX_TEXT:
        raise UnusableError(f"{what} is a text of {len(value):,} characters, more than the {MAX_TEXT:,} that are read")
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of a `\d` in somebody else's text.
            return ast.literal_eval(value.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise UnusableError(f"{what} is text, but neither JSON nor a Python literal: {_shown(value)}") from error


def as_fields(value: Any, what: str) -> Fields:
    """An object: a mapping, or text that holds one.

    Raises:
        UnusableError: If it is anything else.
    """
    value = unpack(value, what)
    if not isinstance(value, Mapping):
        raise UnusableError(f"{what} must be an object, is {kind_of(value)}")
    return Fields(value)


def as_list(value: Any, what: str) -> list[Any]:
    """A list: a list, an array, text that holds one, or an object of lists of one length (one a column).

    Raises:
        UnusableError: If it is anything else.
    """
    value = unpack(value, what)
    if isinstance(value, Mapping) and value:
        columns = {key: unpack(column, what) if hasattr(column, "tolist") else column for key, column in value.items()}
        lengths = {len(column) if isinstance(column, list) else -1 for column in columns.values()}
        if len(lengths) == 1 and -1 not in lengths:
            return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    if not isinstance(value, list | tuple):
        raise UnusableError(f"{what} must be a list, is {kind_of(value)}")
    return list(value)


class BlankError(UnusableError):
    """A question or an answer without words, as published benchmarks have them: there is nothing to be mended."""


def as_words(value: Any, what: str) -> str:
    """As `as_text`, for a question or an answer.

    Raises:
        BlankError: If it is there, but blank.
        UnusableError: If it is missing, or no text.
    """
    if isinstance(value, str) and not strip_image_tokens(value):
        raise BlankError(f"{what} is empty")
    return as_text(value, what)


def as_text(value: Any, what: str) -> str:
    """A text with something in it, verbatim.

    Raises:
        UnusableError: If it is no text, is empty, or holds half a character.
    """
    if not isinstance(value, str):
        raise UnusableError(f"{what} is missing" if value is None else f"{what} must be text, is {kind_of(value)}")
    if not strip_image_tokens(value):
        raise UnusableError(f"{what} is empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise UnusableError(f"{what} holds half a character (a lone surrogate)")
    return value


def as_texts(value: Any, what: str, odd: list[str]) -> list[str]:
    """Texts, clean: one text or a list of them, null is none; those that can't be used are named in `odd`."""
    if value is None:
        return []
    try:
        items = [value] if isinstance(value, str) else as_list(value, what)
    except UnusableError as problem:
        odd.append(f"{problem}, left out")
        return []
    texts = []
    for place, item in enumerate(items):
        try:
            texts.append(strip_image_tokens(as_text(item, what if isinstance(value, str) else f"{what}[{place}]")))
        except UnusableError as problem:
            odd.append(f"{problem}, left out")
    return texts


class Fields:
    """An object of a source; its keys are found without regard to case, blanks and underscores."""

    def __init__(self, values: Mapping[Any, Any]) -> None:
        self._values: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        for key, value in values.items():
            self._values.setdefault(folded_key(key), value)
            # Half a character can be in JSON, but not in a file of ours.
            self._names.setdefault(folded_key(key), str(key).encode("utf-8", "replace").decode())

    def get(self, *names: str) -> Any:
        """The value under the first of these names that is there and not null; null if none is."""
        found = (self._values.get(folded_key(name)) for name in names)
        return next((value for value in found if value is not None), None)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Keys as they are written, with their values."""
        return ((self._names[key], value) for key, value in self._values.items())

    def filled(self) -> list[str]:
        """Keys that hold something, as they are written."""
        return [self._names[key] for key, value in self._values.items() if value is not None]


def folded_key(key: Any) -> str:
    """A key without case, blanks and underscores: `Correct_Answer` and `correct answer` are one."""
    return "".join(character for character in str(key).casefold() if character.isalnum())


def kind_of(value: Any) -> str:
    """What a value is, in a person's words."""
    kinds = {"NoneType": "null", "str": "text", "list": "a list", "dict": "an object", "bool": "true or false"}
    return kinds.get(type(value).__name__, "a number" if isinstance(value, int | float) else "something else")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
