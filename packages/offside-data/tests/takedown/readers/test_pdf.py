from __future__ import annotations

import io

import pytest

from offside_data.takedown.names import Traces, name_traces
from offside_data.takedown.readers import pdf
from offside_data.takedown.readers._base import Blob, Text, Unread

pypdf = pytest.importorskip("pypdf")
NAME = "Kjell Tamsvik"
TRACES = Traces.of(name_traces(NAME))


def written(writer: pypdf.PdfWriter) -> bytes:
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def found(data: bytes) -> bool:
    return any(
        isinstance(piece, Text) and TRACES.names_in(piece.text) for piece in pdf.read(Blob(name="a.pdf", data=data))
    )


def test_what_an_action_of_a_link_says_is_read_though_it_is_an_object_by_itself() -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf.example("Nobody")[1]))
    assert not found(written(writer))
    names, text = pypdf.generic.NameObject, pypdf.generic.TextStringObject
    action = {names("/S"): names("/URI"), names("/URI"): text("https://halden-post.example/kjell-tamsvik")}
    reference = writer._add_object(pypdf.generic.DictionaryObject(action))
    link = {names("/Type"): names("/Annot"), names("/Subtype"): names("/Link"), names("/A"): reference}
    writer.pages[0][names("/Annots")] = pypdf.generic.ArrayObject([pypdf.generic.DictionaryObject(link)])
    assert found(written(writer))


def test_a_document_with_earlier_versions_is_listed() -> None:
    data = pdf.example("Nobody")[1]
    assert not [piece for piece in pdf.read(Blob(name="a.pdf", data=data)) if isinstance(piece, Unread)]
    later = data + data[data.rindex(b"startxref") :]
    (why,) = [piece.why for piece in pdf.read(Blob(name="a.pdf", data=later)) if isinstance(piece, Unread)]
    assert "earlier versions" in why
