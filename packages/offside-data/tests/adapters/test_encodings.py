from __future__ import annotations

from pathlib import Path

import pytest

from offside_data.adapters._tables.encodings import encoding_of
from offside_data.adapters._tables.tables import TableReading, heads
from offside_data.errors import SourceError, UsageError

HEAD = "subject;attribute;value\n"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Bjørn Ødegård;club;Straße Köln"),
        ("cp1252", "João Müller;fee;€35m – “free” · Peña"),
        ("cp1252", "Ada Vest;fee;€35m"),
        ("cp1252", "Ada Vestøl;club;“CAFÉ”"),  # Its last two bytes are a letter in UTF-8, but one of no language here.
        ("cp1250", "Łukasz Żak;club;Górnik Łódź"),
        ("cp1250", "Jiří Dvořák;club;Plzeň"),
        ("cp1250", "Horváth Győző;club;Újpest"),
        ("cp1251", "Иван Петров;club;Зенит «СССР»"),
        ("cp1254", "Şükrü Özyıldız;club;Beşiktaş"),
        ("cp1257", "Jānis Bērziņš;birth_place;Rīga"),
        ("cp1253", "Γιώργος Καραγκούνης;birth_place;Αθήνα"),
        ("mac_roman", "Bjørn Ødegård;club;Ålesund"),
        ("mac_roman", "Ødegård;club;Ålesund"),
        ("cp850", "Bjørn Ødegård;club;Müller Größe"),
        ("cp852", "Łukasz Żak;club;Łódź"),
        ("koi8_r", "Иван Петров;club;Зенит"),
        ("cp866", "Иван Петров;club;Зенит"),
        ("utf-16", "Bjørn;club;Ålesund"),
        ("utf-16-le", "Ada Vest;club;Halden"),
        ("utf-16-be", "Ada Vest;club;Halden"),
        ("utf-32", "Bjørn;club;Ålesund"),
        ("utf-8-sig", "Bjørn;club;Ålesund"),
    ],
)
def test_the_letters_are_right(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes((HEAD + text + "\n").encode(encoding))
    found = encoding_of(path)
    assert text in path.read_bytes().decode(found.name)
    notes = " ".join(found.notes)
    assert ("--set encoding=" in notes) == (encoding not in ("utf-16", "utf-32", "utf-8-sig"))


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp932", "山田太郎;club;東京FC"),
        ("euc_jp", "山田太郎;club;大阪サッカー"),
        ("gb18030", "王小明;club;北京队"),
        ("big5", "王小明;club;北京隊"),
        ("euc_kr", "김철수;club;서울 축구단"),
    ],
)
def test_east_asian_tables_are_refused_instead_of_becoming_latin_letters(
    tmp_path: Path, encoding: str, text: str
) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes((HEAD + text + "\n").encode(encoding))
    with pytest.raises(
        SourceError, match=rf"Chinese, Japanese or Korean: it can be read as .*{encoding}.*--set encoding="
    ):
        encoding_of(path)
    assert encoding_of(path, said=encoding).name == encoding


@pytest.mark.parametrize("rest", ["Bo Lünd;club;x\n", "Bo Lünd;club;x\n" * 50])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_nearly_utf_8_is_refused_with_the_place(tmp_path: Path, rest: str, line_end: str) -> None:
    path = tmp_path / "claims.csv"
    text = (HEAD + "Ada Vest").replace("\n", line_end).encode() + b"\xf8l;club;x" + line_end.encode()
    path.write_bytes(text + rest.replace("\n", line_end).encode())
    with pytest.raises(SourceError, match=r"nearly UTF-8.*0xF8 at line 2, column 9 \(after 'Ada Vest'\)"):
        encoding_of(path)


def test_a_line_far_down_is_named(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes(("æ" * 999 + "\n").encode() * 1_500 + b"x\xe9\n")
    with pytest.raises(SourceError, match="line 1501, column 2"):
        encoding_of(path)


def test_what_is_said_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes(HEAD.encode() + b"\x81;club;x\n")
    with pytest.raises(SourceError, match="isn't cp1252: byte 0x81 at line 2, column 1"):
        encoding_of(path, "cp1252")
    assert encoding_of(path, "cp850").notes == ()
    with pytest.raises(UsageError, match="there is no encoding 'cp9999'"):
        encoding_of(path, "cp9999")


def test_what_makes_sense_nowhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes(HEAD.encode() + bytes(range(0x80, 0x100)) + b"\n")
    with pytest.raises(SourceError, match=r"in no encoding that is known here.*--set encoding=…"):
        encoding_of(path)


def test_rivals_are_named(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes((HEAD + "Szűcs;club;x\n").encode("cp1250"))
    found = encoding_of(path)
    assert found.name == "cp1252"
    assert "cp1250, " in " ".join(found.notes).partition("would make sense, too")[0]


def test_columns_of_a_broken_file_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes(HEAD.encode() + b"\xf8;\xc3\xbc;x\n")
    assert heads(path, TableReading(known=lambda name: name == "subject")) == [("subject", "attribute", "value")]
