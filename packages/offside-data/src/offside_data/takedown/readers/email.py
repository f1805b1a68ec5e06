"""Letters as mail programs keep them: headers and parts, decoded."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage

from offside_data.takedown.readers._base import Blob, Nested, Piece, Text

_HEADER = re.compile(rb"\A(?:From [^\n]*\n)?(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\r?\n(?:[ \t][^\n]*\r?\n)*){2,}")
_TELLING = re.compile(
    rb"^(?:mime-version|content-type|content-transfer-encoding|message-id|received|subject):", re.I | re.M
)
_NEXT = re.compile(rb"^From [^\n]*\n", re.M)


def recognises(blob: Blob) -> bool:
    """By headers that letters have."""
    begin = _HEADER.match(blob.head)
    return begin is not None and _TELLING.search(begin.group()) is not None


def read(blob: Blob) -> Iterator[Piece]:
    """Headers, parts and attachments of each letter; the text itself is read as texts are."""
    starts = [match.start() for match in _NEXT.finditer(blob.content)] or [0]
    if starts[0]:
        starts.insert(0, 0)
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(blob.content)], strict=True), 1):
        letter = email.message_from_bytes(blob.content[start:end], policy=email.policy.default)
        for part in letter.walk():
            yield Text("\n".join(f"{key}: {value}" for key, value in part.items()), f"letter {number}, headers")
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                yield Nested(part.get_filename() or f"letter {number}", content)


def example(text: str) -> tuple[str, bytes]:
    """A letter in quoted-printable."""
    letter = EmailMessage()
    letter["Subject"], letter["To"] = "News", "someone@example.org"
    letter.set_content(f"Żółw: {text}", cte="base64")
    return "letter.eml", letter.as_bytes()
