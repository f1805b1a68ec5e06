"""JSON and YAML from texts that anybody may have written: whatever is wrong with one is a `ValueError` in one line."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import yaml

from offside_data.limits import DEPTH, GROWTH

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = DEPTH.most
_TOO_DEEP = f"nested too deep (more than {DEPTH})"


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
        ValueError: If it isn't YAML, nested too deep to be read, its aliases make a few lines into more than fits
            anywhere, or a mapping has a key twice: all but the last would be lost unseen.
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
            if _measure(node, {})[0] > GROWTH.most * len(text):
                raise ValueError("its aliases (`*name`) repeat too much of it")
            _refuse_repeated_keys(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split()).replace(' in "<unicode string>",', " in")) from error


def _measure(node: yaml.Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many values there are in a node, and how deep, as often as aliases repeat them.

    Args:
        node: The node.
        known: Of nodes that were measured; filled.

    Raises:
        ValueError: If it is nested too deep, or holds itself.
    """
    if id(node) not in known:
        known[id(node)] = 0, _DEEPEST  # So deep is what holds itself.
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        found = [_measure(part, known) for part in parts] if isinstance(node, yaml.CollectionNode) else []
        known[id(node)] = 1 + sum(size for size, _ in found), 1 + max((depth for _, depth in found), default=0)
        if known[id(node)][1] > _DEEPEST:
            raise ValueError(_TOO_DEEP)
    return known[id(node)]


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
