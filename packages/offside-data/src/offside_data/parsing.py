"""JSON and YAML from texts that anybody may have written: whatever is wrong with one is a `ValueError` in one line."""

from __future__ import annotations

import json
from collections import Counter
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
        ValueError: If it isn't YAML, nested too deep to be read, or a mapping has a key twice: all but the last would
            be lost unseen.
    """
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):  # Loading one that is nested too deep would end the program.
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise ValueError(_TOO_DEEP)
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _refuse_repeated_keys(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split()).replace(' in "<unicode string>",', " in")) from error


def _refuse_repeated_keys(root: yaml.Node) -> None:
    waiting, seen = [root], {id(root)}  # An alias is the same node again.
    while waiting:
        node = waiting.pop()
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            keys = Counter((key.tag, key.value) for key, _ in parts if isinstance(key, yaml.ScalarNode))
            twice = [text for (_, text), times in keys.items() if times > 1]
            if twice:
                line = node.start_mark.line + 1
                raise ValueError(f"the mapping that begins in line {line} has the key {twice[0]!r} twice")
            parts = [part for pair in parts for part in pair]
        for part in parts:
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)
