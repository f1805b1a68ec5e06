"""Config = frozen dataclass next to the code it configures, the only place where defaults live.

`build(SomeConfig, from_yaml, ["lr=1e-5"])` overlays YAML and `--set` values on the defaults.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from offside_data.errors import UsageError
from offside_data.plugins import unknown_name_message

T = TypeVar("T")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        UsageError: If the file is missing, isn't YAML or isn't a mapping.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such config file.") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {error}") from error
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
            if key not in fields:
                raise UsageError(unknown_name_message(f"option of {config_type.__name__}", key, sorted(fields)))
            values[key] = _coerce(value, hints[key], f"{config_type.__name__}.{key}")
    try:
        return config_type(**values)
    except ValueError as error:
        raise UsageError(f"{config_type.__name__}: {error}") from error


def _coerce(value: Any, hint: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _coerce_union(value, typing.get_args(hint), where)
    if origin is typing.Literal:
        allowed = typing.get_args(hint)
        for choice in allowed:
            if value == choice or str(value) == str(choice):
                return choice
        raise UsageError(f"{where}: {value!r} is not allowed; choose from {', '.join(map(repr, allowed))}.")
    if origin in (tuple, list):
        items = [v.strip() for v in value.split(",") if v.strip()] if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)):
            raise UsageError(f"{where}: expected a list, got {value!r}.")
        item_hint = (typing.get_args(hint) or (str,))[0]
        return origin(_coerce(item, item_hint, where) for item in items)
    return _coerce_scalar(value, hint, where)


def _coerce_union(value: Any, options: tuple[Any, ...], where: str) -> Any:
    if value is None or (isinstance(value, str) and value.lower() in ("none", "null")):
        if type(None) in options:
            return None
        raise UsageError(f"{where}: may not be empty.")
    failures = []
    for option in options:
        if option is type(None):
            continue
        try:
            return _coerce(value, option, where)
        except UsageError as error:
            failures.append(str(error))
    raise UsageError(failures[-1])


def _coerce_scalar(value: Any, hint: Any, where: str) -> Any:
    if hint is bool:
        if isinstance(value, bool):
            return value
        lowered = str(value).lower()
        if lowered in ("true", "yes", "on", "1"):
            return True
        if lowered in ("false", "no", "off", "0"):
            return False
        raise UsageError(f"{where}: expected true or false, got {value!r}.")
    if hint in (int, float):
        try:
            if isinstance(value, bool) or (hint is int and float(value) != int(float(value))):
                raise ValueError
            return hint(float(value)) if hint is int else float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"{where}: expected {hint.__name__}, got {value!r}.") from error
    if hint is str:
        return str(value)
    if hint is Path:
        return Path(value)
    return value
