"""Texts in any encoding: plain, Markdown, CSV, YAML, HTML, XML, RTF, SVG, with escapes, tags and data URIs."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from offside_data.takedown.readers._base import HEAD, Blob, Nested, Piece, Text, Unread, decodings

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_ODD = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffe\uffff\ud800-\udfff\ue000-\uf8ff]")
_FEW = 0.02
"""Share of control characters that a text may have."""
_DATA_URI = re.compile(r"data:([\w.+/-]*)((?:;[\w.+=\"-]+)*),([^\s\"'<>)]*)")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]{4}\s{0,2}){4,}[A-Za-z0-9+/_-]{0,3}={0,2}")
_SHORTEST_BASE64 = 16
_PLAIN = re.compile(rb"[A-Za-z ]")
_KNOWN = (
    *(b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"PK\3\4", b"%PDF", b"\x1f\x8b", b"BZh"),
    *(b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"PAR1", b"ARROW1", b"SQLite format 3"),
)
"""How files begin that are looked for in base64."""
_FOREIGN = (
    *("koi8_u", "cp866", "iso8859_5", "mac_cyrillic", "cp1253", "iso8859_7", "cp1254", "cp1255", "cp1256"),
    *("iso8859_6", "cp1257", "cp1258", "cp874", "cp852", "gb18030", "big5", "shift_jis", "euc_jp", "cp949"),
)
"""What else a text may be in, beside `decodings`: Cyrillic, Greek, Turkish, Hebrew, Arabic, Baltic, Vietnamese, Thai,
Central European, Chinese, Japanese, Korean."""
_MOST_FOREIGN = 2**24
_LONGEST = 2**26
"""Characters that are searched at once; more are cut where a line ends."""


def recognises(blob: Blob) -> bool:
    """By a mark of Unicode, or few control characters, taken for one or several bytes each."""
    head = blob.head
    return bool(head) and encoding_of(head) is not None


def read(blob: Blob) -> Iterator[Piece]:
    """The text in the encoding that it is in; in all likely ones where that can't be told."""
    data = blob.content
    encoding = encoding_of(data[:HEAD])
    assert encoding is not None
    try:
        texts = [data.decode(encoding)]
    except UnicodeDecodeError as error:
        if len(_CONTROLS.findall(data)) > len(data) * _FEW:
            yield Unread("it begins as a text, but goes on as something else: only plain letters were looked for.")
        texts = [data.decode(encoding, errors="replace"), *decodings(data)]
        if len(data) > _MOST_FOREIGN:
            yield Unread("it isn't UTF-8, and too large to be tried in every encoding: only the Western ones were.")
        else:
            texts += [data.decode(each, errors="replace") for each in _FOREIGN]
        if encoding not in ("utf-8", "utf-8-sig"):
            yield Unread(f"it isn't {encoding} throughout: {error.reason} at byte {error.start}.")
    if b"\x1b$" in data:
        texts.append(data.decode("iso2022_jp", errors="replace"))
    for text in dict.fromkeys(texts):
        line = 1
        for part in _parts(text):
            yield Text(part, first_line=line)
            line += part.count("\n")
    yield from embedded(texts[0])


def _parts(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > _LONGEST:
        end = text.rfind("\n", start, start + _LONGEST) + 1 or start + _LONGEST
        yield text[start:end]
        start = end
    yield text[start:]


def encoding_of(head: bytes) -> str | None:
    """The encoding that the beginning of a text shows; null if it is none."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if len(_CONTROLS.findall(head)) <= len(head) * _FEW:
        return "utf-8"
    if b"\0" in head:
        for encoding in _WIDE:
            width = 4 if "32" in encoding else 2
            text = head[: len(head) // width * width].decode(encoding, errors="replace")
            if text and len(_ODD.findall(text)) + text.count("\ufffd") <= len(text) * _FEW and _has_words(text):
                return encoding
        if len(_CONTROLS.findall(head.replace(b"\0", b""))) <= len(head) * _FEW and head.count(0) < len(head) / 3:
            return "utf-8"  # A text with blank bytes in it.
    return None


def _has_words(text: str) -> bool:
    """Whether most characters are of everyday scripts: bytes taken two by two make rare ones."""
    return sum(c < "\u0590" for c in text) * 2 > len(text)


def embedded(text: str) -> Iterator[Piece]:
    """Files that stand in a text: in data URIs, and in base64."""
    spans = []
    for number, match in enumerate(_DATA_URI.finditer(text), 1):
        spans.append(match.span())
        data = _decoded(match[3]) if "base64" in match[2] else unquote_to_bytes(match[3])
        if data:
            yield Nested(f"data URI {number}", data)
    for number, match in enumerate(_BASE64.finditer(text), 1):
        if len(match.group()) < _SHORTEST_BASE64 or any(a <= match.start() < b for a, b in spans):
            continue
        data = _decoded(match.group())
        if data and _is_worth_reading(data):
            yield Nested(f"base64 {number}", data)


def _decoded(text: str) -> bytes | None:
    letters = (
        re.sub(r"\s|%0A|%0D", "", text).replace("-", "+").replace("_", "/").replace("%2B", "+").replace("%2F", "/")
    )
    letters = letters.replace("%3D", "").rstrip("=")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except binascii.Error:
        return None


def _is_worth_reading(data: bytes) -> bool:
    """Whether decoded letters are anything: a text or a known kind of file, and no word that looks like base64."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return data.startswith(_KNOWN) or data[257:262] == b"ustar" or _is_western(data)
    return text.isprintable() or "\n" in text or data[257:262] == b"ustar" or data.startswith(_KNOWN) or _is_wide(data)


def _is_wide(data: bytes) -> bool:
    return (encoding_of(data[:HEAD]) or "").startswith(("utf-16", "utf-32"))


def _is_western(data: bytes) -> bool:
    """Whether most bytes are plain letters: a text of a single-byte encoding, rather than a word taken for base64."""
    return (not _CONTROLS.search(data) and len(_PLAIN.findall(data)) * 5 > len(data) * 4) or _is_wide(data)


def example(text: str) -> tuple[str, bytes]:
    """A note in the encoding of another time."""
    return "note.txt", f"First line: żółw.\n{text}\n".encode("utf-16")
