"""PDF: its pages' texts, what it says of itself, annotations, forms, attachments; read with the extra `pdf`."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from typing import Any

from offside_data.takedown.readers._base import Blob, Nested, Piece, Text, Unread, plain

_MAGIC = b"%PDF-"
_VERSION, _QUICK = b"startxref", b"/Linearized"
_HINT = "a PDF. To read it: pip install 'offside-data[pdf]'. Or look through it by hand."


def recognises(blob: Blob) -> bool:
    """By its signature, which may stand a little after its beginning."""
    return _MAGIC in blob.head[:1024]


def read(blob: Blob) -> Iterator[Piece]:
    """Everything that pypdf finds in it."""
    try:
        pypdf = importlib.import_module("pypdf")
    except ImportError:
        yield Unread(_HINT)
        return
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # What can't be read is told in our words, and where.
    try:
        with blob.open() as stream:
            document = pypdf.PdfReader(stream)
            if document.is_encrypted and not document.decrypt(""):
                yield Unread("an encrypted PDF. Look through it by hand.")
                return
            yield from _document(document)
            yield Text("\n".join(dict.fromkeys(_strings(document))), "objects of the document")
        if blob.content.count(_VERSION) > (2 if _QUICK in blob.head else 1):
            yield Unread("a PDF that holds earlier versions of itself, which aren't read. Print it into a new one.")
    except pypdf.errors.PyPdfError as error:
        yield Unread(f"a PDF that can't be read: {error}.")


def _document(document: Any) -> Iterator[Piece]:
    said = [*plain(dict(document.metadata or {})), *plain(_titles(document.outline))]
    said += plain({name: field.get("/V") for name, field in (document.get_fields() or {}).items()})
    yield Text("\n".join(said), "about the document")
    xmp = document.root_object.get("/Metadata")
    if xmp is not None:
        yield Nested("XMP", xmp.get_object().get_data())
    for name, contents in document.attachments.items():
        yield Text(name, "name of an attachment")
        yield from (Nested(name, content) for content in contents)
    for number, page in enumerate(document.pages, 1):
        text = page.extract_text()
        yield Text(text, f"page {number}")
        for note in page.get("/Annots") or ():
            yield Text("\n".join(plain({k: str(v) for k, v in note.get_object().items()})), f"page {number}, a note")
        pictures = list(page.images)
        yield from (Nested(f"page {number}, {picture.name}", picture.data) for picture in pictures)
        if pictures and not text.strip():
            yield Unread("it only shows pictures: what is written in them isn't read.", f"page {number}")


def _strings(document: Any) -> Iterator[str]:
    """Every text in any object: targets of links, scripts, descriptions of pictures, what nothing refers to."""
    numbers = {number for part in document.xref.values() for number in part} | set(document.xref_objStm)
    for number in sorted(numbers):
        found = document.get_object(number)
        if isinstance(found, dict | list | str | bytes):
            yield from plain(found if not isinstance(found, dict) else dict(found.items()))


def _titles(outline: Any) -> Iterator[str]:
    for item in outline:
        if isinstance(item, list):
            yield from _titles(item)
        else:
            yield str(item.title)


def example(text: str) -> tuple[str, bytes]:
    """A page with one line."""
    escaped = (
        text.encode("cp1252", errors="replace").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    )
    content = b"BT /F1 12 Tf 20 100 Td (" + escaped + b") Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"xref\n0 6\n0000000000 65535 f \n%strailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return "page.pdf", data + tail % (table, len(data))
