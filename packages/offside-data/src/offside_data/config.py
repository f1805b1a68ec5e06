"""Config = frozen dataclass next to the code it configures, the only place where defaults live.

`build(SomeConfig, from_yaml, ["lr=1e-5"])` overlays YAML and `--set` values on the defaults.
"""

from __future__ import annotations

import contextlib
import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from offside_data.errors import UsageError
from offside_data.limits import CARD
from offside_data.parsing import parse_yaml
from offside_data.plugins import require_known
from offside_data.reading import read_small

T = TypeVar("T")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        UsageError: If the file is missing, isn't YAML or isn't a mapping.
    """
    try:
        text = read_small(path, error=UsageError, limit=CARD)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such config file.") from error
    except IsADirectoryError as error:
        raise UsageError(f"{path}: a folder, not a YAML file.") from error
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}.") from error
    try:
        loaded = parse_yaml(text)
    except ValueError as error:
        raise UsageError(f"{path}: not valid YAML: {error}.") from error
    if not isinstance(loaded, dict):
        raise UsageError(f"{path}: must hold a mapping of options, got {type(loaded).__name__}.")
    return loaded


def parse_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """Turn `["a=1", "b=x"]` into `{"a": "1", "b": "x"}`.

    Raises:
        UsageError: If an item has no `=`.
    """
    parsed: dict[str, str] = {}
    for item in assignments:
        key, separator, value = item.partition("=")
        if not separator or not key.strip():
            raise UsageError(f"--set takes key=value, got {item!r}.")
        parsed[key.strip()] = value.strip()
    return parsed


def build(config_type: type[T], *layers: Mapping[str, Any]) -> T:
    """Make a config from its defaults and the given layers, later ones winning.

    Values are coerced by field type, because YAML reads `1e-5` as a string and `--set` only
    has strings.

    Raises:
        UsageError: If a key is unknown (with a suggestion) or a value doesn't fit its field.
    """
    hints = typing.get_type_hints(config_type)
    fields = {f.name for f in dataclasses.fields(config_type) if f.init}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            require_known(f"option of {config_type.__name__}", [key], fields)
            values[key] = _coerce(value, hints[key], f"{config_type.__name__}.{key}")
    try:
        return config_type(**values)
    except ValueError as error:
        raise UsageError(f"{config_type.__name__}: {error}") from error


def _coerce(value: Any, hint: Any, where: str) -> Any:
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    given = value
    if isinstance(value, bool) and bool not in options:
        value = str(value)  # Else it would count as 1 or 0.
    elif isinstance(value, str):
        if value.lower() in ("none", "null") and type(None) in options:
            value = None
        elif any(typing.get_origin(option) in (tuple, list) for option in options):
            value = [item.strip() for item in value.split(",") if item.strip()]
        elif int in options:
            with contextlib.suppress(ValueError):
                value = float(value)  # `1e3` is an int, too.
    try:
        # Of nan, no check that it is too small or large holds.
        kind = TypeAdapter(hint, config=ConfigDict(coerce_numbers_to_str=True, allow_inf_nan=False))
        return kind.validate_python(value)
    except ValidationError as error:
        why = error.errors()[0]["msg"].replace("Input should be", "must be")
        raise UsageError(f"{where}: {why}, got {given!r}.") from error
