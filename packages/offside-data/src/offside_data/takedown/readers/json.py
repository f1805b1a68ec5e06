"""Strings of JSON, JSON lines and their like, whole ones as ids; comments and broken lines don't matter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from offside_data.takedown.readers import text as texts
from offside_data.takedown.readers._base import HEAD, Blob, Piece, Values, decodings

_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'')
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json5", ".jsonc", ".geojson", ".ipynb")


def recognises(blob: Blob) -> bool:
    """By its name or its first bracket; a list in brackets is read as one, too."""
    head = blob.head
    if texts.encoding_of(head) is None:
        return False
    return blob.name.lower().endswith(_SUFFIXES) or head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] in (b"{", b"[")


def read(blob: Blob) -> Iterator[Piece]:
    """Every string, wherever it stands; the text itself is read as texts are."""
    encoding = texts.encoding_of(blob.content[:HEAD]) or "utf-8"
    try:
        said = [blob.content.decode(encoding)]
    except UnicodeDecodeError:
        said = list(decodings(blob.content))
    for each in said:
        found: dict[str, str] = {}
        line, before = 1, 0
        for match in _STRING.finditer(each):
            line += each.count("\n", before, match.start())
            before = match.start()
            found.setdefault(_unquoted(match.group()), str(line))
        yield Values.of(found)


def _unquoted(string: str) -> str:
    body = string[1:-1]
    if "\\" not in body:
        return body
    try:
        return str(json.loads(f'"{body}"'.replace("\\'", "'"), strict=False))
    except ValueError:
        return body


def example(text: str) -> tuple[str, bytes]:
    """An object with a comment, and a key twice."""
    escaped = "".join(f"\\u{ord(c):04x}" for c in text)
    return "notes.json", f'{{"a": 1, // see below\n "a": "{escaped}", }}\n'.encode()
