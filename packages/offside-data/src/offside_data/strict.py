"""JSON or YAML read into dataclasses: what doesn't fit is an error that names the file and the key."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from offside_data.errors import OffsideError
from offside_data.plugins import unknown_name_message

T = TypeVar("T")


class Strict:
    """Base of dataclasses that are read from JSON: no unknown keys, no value of another type."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}


def read(
    kind: type[T],
    content: Any,
    where: str | Path,
    error: type[OffsideError],
    *,
    remedy: str,
    known: Sequence[str] = (),
    inline: str = "",
) -> T:
    """Make an instance of `kind` of parsed JSON.

    Args:
        kind: A dataclass derived from `Strict`, or a list of one.
        content: The parsed JSON or YAML.
        where: Its file, for messages.
        error: What to raise.
        remedy: What to do about it, a sentence.
        known: Keys at the top, to suggest one for an unknown key.
        inline: A key whose content stands at the top of the file, so that no message names it.

    Raises:
        OffsideError: An `error`, if a key is unknown, missing or of a wrong type.
    """
    import pydantic

    wanted: Any = kind
    try:
        text = json.dumps(content, default=repr)
    except (TypeError, ValueError) as problem:  # YAML knows keys and circles that JSON doesn't.
        raise error(f"{where}: can't be read: {problem}. {remedy}") from problem
    try:
        found: T = _adapter(wanted).validate_json(text)
    except pydantic.ValidationError as problems:
        said = "; ".join(_problem(problem, known, inline) for problem in problems.errors()[:20])
        raise error(f"{where}: {said}. {remedy}") from problems
    return found


@functools.cache
def _adapter(kind: Any) -> Any:
    import pydantic

    return pydantic.TypeAdapter(kind)


def _problem(problem: Any, known: Sequence[str], inline: str) -> str:
    loc = [part for part in problem["loc"] if part != "[key]"]  # Else the message would name a key of a key.
    place = loc[1:] if loc[:1] == [inline] and len(loc) > 1 else loc
    name = ".".join(map(str, place))
    key = f"key {name!r}" if place else "the content"
    if problem["type"] == "missing":
        return f"{key} is missing"
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return (
            unknown_name_message("key", name, list(known)).rstrip(".")
            if known and len(place) == 1
            else f"unknown {key}"
        )
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}".rstrip(".")
    return f"{key}: {problem['msg'][:1].lower()}{problem['msg'][1:]}, got {problem['input']!r}"
