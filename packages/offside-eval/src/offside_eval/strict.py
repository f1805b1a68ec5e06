"""Reading the JSON of results folders into dataclasses: what doesn't fit is an error that names the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pydantic

from offside_data.errors import OffsideError

T = TypeVar("T")


class ResultsError(OffsideError, ValueError):
    """A folder isn't a finished results folder, or was written by another version."""


class Strict:
    """Base of dataclasses that are read from JSON: no unknown keys, no value of another type."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}


def read(adapter: pydantic.TypeAdapter[T], content: Any, where: str | Path) -> T:
    """Make an instance of the adapter's type of parsed JSON.

    Args:
        adapter: Of a dataclass derived from `Strict`, or of a list of one.
        content: The parsed JSON.
        where: Its file, for messages.

    Raises:
        ResultsError: If a key is unknown, missing or of a wrong type.
    """
    try:
        return adapter.validate_json(json.dumps(content))
    except pydantic.ValidationError as error:
        problems = "; ".join(map(_problem, error.errors()[:3]))
        raise ResultsError(
            f"{where}: {problems}. Evaluate the model again, or install the version that wrote it."
        ) from error


def _problem(found: Any) -> str:
    key = f"key {'.'.join(map(str, found['loc']))!r}" if found["loc"] else "the content"
    if found["type"] == "missing":
        return f"{key} is missing"
    if found["type"] == "unexpected_keyword_argument":
        return f"unknown {key}"
    if found["type"] == "value_error":
        return f"{key}: {found['ctx']['error']}".rstrip(".")
    return f"{key}: {found['msg'][:1].lower()}{found['msg'][1:]}, got {found['input']!r}"
