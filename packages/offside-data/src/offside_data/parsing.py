"""JSON and YAML from texts that anybody may have written: whatever is wrong with one is a `ValueError` in one line."""

from __future__ import annotations

import json
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 100
_TOO_DEEP = "nested too deep"


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: If it isn't JSON, or nested too deep to be read.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error


def parse_yaml(text: str) -> Any:
    """The value of a YAML text, of plain types only.

    Raises:
        ValueError: If it isn't YAML, or nested too deep to be read.
    """
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):  # Loading one that is nested too deep would end the program.
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise ValueError(_TOO_DEEP)
        return yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split()).replace(' in "<unicode string>",', " in")) from error
