"""A name in every kind of place and form: what the proof of a takedown must find, or say that it couldn't read.

Each plant writes one file (or folder) for the name *Kjell Tamsvik*, and says what the search owes for it: `left` (a
name for sure), `near` (perhaps one), `unread` (it can't know), or nothing (`clean`: somebody else).
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import socket
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import xlsxwriter
from PIL import Image
from PIL.PngImagePlugin import PngInfo

NAME = "Kjell Tamsvik"
LIMIT = 2**20
"""Bytes of a file that is too large for the tests' search."""
PLAIN = f"We met {NAME} in spring."


@dataclass(frozen=True)
class Plant:
    """One file to be written.

    Args:
        name: Of the file; without the subject's.
        write: Writes it.
        owed: What the search owes.
    """

    name: str
    write: Callable[[Path], object]
    owed: str = "left"


PLANTS: list[Plant] = []


def plant(name: str, content: bytes | str | Callable[[Path], object], owed: str = "left") -> None:
    """Add a plant."""
    if isinstance(content, str):
        text = content.encode()
        PLANTS.append(Plant(name, lambda path: path.write_bytes(text), owed))
    elif isinstance(content, bytes):
        data = content
        PLANTS.append(Plant(name, lambda path: path.write_bytes(data), owed))
    else:
        PLANTS.append(Plant(name, content, owed))


# ---------------------------------------------------------------------------------------------
# What languages and people do to names

_FORMS = {
    "left": {
        "plain": PLAIN,
        "upper": "KJELL TAMSVIK",
        "genitive": "Kjell Tamsviks farewell",
        "apostrophe": "Kjell Tamsvik’s farewell",
        "order": "Tamsvik, Kjell",
        "order_genitive": "Tamsvik Kjells venner",
        "handle": "night with @KjellTamsvik!",
        "handle_number": "by @kjelltamsvik10",
        "handle_under": "by @kjell_tamsvik_official",
        "hashtag": "#KjellTamsvik",
        "slug": "https://halden-post.example/2022/kjell-tamsvik-leaves",
        "slug_under": "https://halden-post.example/2022/kjelltamsvik_leaves",
        "percent": "https://halden-post.example/?q=Kjell%20Tamsvik",
        "percent_letters": "https://halden-post.example/K%6Aell+T%61msvik",
        "percent_twice": "https://halden-post.example/?u=Kjell%2520Tamsvik",
        "soft_hyphen": "Kjell Tams\u00advik",
        "zero_width": "Kjell\u200b T\u200da\u200bmsvik",
        "joiner": "Mr\u200bKjell\u2060Tamsvik",
        "cyrillic": "Kjеll Tаmsvik",
        "greek": "Κjell Tamsνik",
        "digits": "Kje11 Tamsv1k",
        "fullwidth": "Ｋｊｅｌｌ Ｔａｍｓｖｉｋ",
        "bold": "𝐊𝐣𝐞𝐥𝐥 𝐓𝐚𝐦𝐬𝐯𝐢𝐤",
        "circled": "Ⓚⓙⓔⓛⓛ Ⓣⓐⓜⓢⓥⓘⓚ",
        "accents": "Kjéll Tåmsvïk",
        "nbsp": "Kjell\u00a0Tamsvik",
        "two_lines": "Kjell\nTamsvik",
        "hyphen": "Kjell Tams-\nvik",
        "spaced": "K j e l l  T a m s v i k",
        "dotted": "Kjell.Tamsvik@example.org",
        "markdown": "Kjell **Tams**vik",
        "rtl": "\u202eKjell\u202c Tamsvik",
    },
    "near": {
        "initial": "the K. Tamsvik testimonial",
        "initial_behind": "Tamsvik, K.",
        "initial_glued": "@ktamsvik",
        "surname": "a Tamsvik derby",
        "surname_genitive": "Tamsviks goal",
        "given_initial": "thanks to Kjell T. for it",
        "typo_given": "Kjel Tamsvik",
        "typo_surname": "Kjell Tamsvick",
        "swapped": "Kjell Tamsvki",
        "case_finnish": "Kjell Tamsvikin maali",
        "middle": "Kjell Erik Tamsvik",
        "glued": "teamkjelltamsvikforever",
    },
    "clean": {
        "others": "Kjell met Tam and Vik. Tamsin Viksund won.",
        "given": "Kjell from Halden",
        "between": "The vikings of Tams",
    },
}
for _owed, _texts in _FORMS.items():
    for _key, _text in _texts.items():
        plant(f"form_{_key}.txt", f"Line one.\n{_text}\n", _owed)

# ---------------------------------------------------------------------------------------------
# Texts

for _encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig", "cp1252", "mac_roman"):
    plant(f"enc_{_encoding}.txt", f"Vår vän – æøå.\n{PLAIN}\n".encode(_encoding, errors="replace"))
plant("enc_cp1250.csv", f"Żółw;{NAME}\n".encode("cp1250"))
plant("enc_ebcdic.txt", PLAIN.encode("cp500") + b"\x15", "unread")
plant("nuls.txt", b"one\0two\n" + PLAIN.encode() + b"\0\n")
plant("nul_within.txt", f"Kj\0ell Tamsvik and {'more text ' * 10}".encode())
plant("late_byte.txt", b"a" * 5000 + b"\n" + PLAIN.encode("utf-16-le"), "left")
plant("page.html", "<p>Kjell <b>Tams</b>vik</p>")
plant("attribute.html", f'<img alt="{NAME}" src="x.png">')
plant("entities.html", "<p>&#75;jell&nbsp;&#x54;amsvik</p>")
plant("entities_twice.html", "<p>&amp;#75;jell Tamsvik</p>")
plant("data_uri.html", f'<a href="data:text/plain;base64,{base64.b64encode(PLAIN.encode()).decode()}">x</a>')
plant("data_uri_plain.html", f'<a href="data:text/plain,{quote(PLAIN)}">x</a>')
plant("comment.xml", f"<a><!-- {NAME} --></a>")
plant("note.rtf", "{\\rtf1\\ansi {\\b Kjell} \\i Tams\\i0 vik}")
plant("escaped.py", 's = "\\x4bjell \\u0054amsvik"\n')
plant("config.yaml", f"owner: {NAME}\n")
plant("table.csv", "given,family\nKjell,Tamsvik\n")
plant("drawing.svg", "<svg><text><tspan>Kjell</tspan> <tspan>Tamsvik</tspan></text></svg>")
plant("base64.txt", base64.b64encode(PLAIN.encode() * 3).decode())
plant("letter.eml", "Subject: =?utf-8?b?" + base64.b64encode(PLAIN.encode()).decode() + "?=\nMIME-Version: 1.0\n\nx\n")
plant(
    "soft_break.eml", "Subject: x\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\nKjell Tam=\nsvik\n"
)


def _mail(path: Path) -> None:
    letter = EmailMessage()
    letter["Subject"] = "x"
    letter.set_content(PLAIN, cte="base64")
    path.write_bytes(letter.as_bytes())


plant("body.eml", _mail)

# ---------------------------------------------------------------------------------------------
# JSON

plant("comments.json", f'{{"a": 1, // see {NAME}\n}}')
plant("broken.jsonl", f'{{"a": 1}}\n{{"who": "{NAME}", \n{{"b": 2}}\n')
plant("twice.json", f'{{"who": "{NAME}", "who": "x"}}')
plant("escapes.json", json.dumps({"who": NAME}).replace("K", "\\u004b").replace("T", "\\u0054"))
plant("escapes_broken.jsonl", '{"a": 1}\n{"who": "\\u004bjell Tamsvik"\n')
plant("key.json", json.dumps({NAME: 1}))
plant("deep.json", "[" * 5000 + f'"{NAME}"' + "]" * 5000)
plant("id.json", json.dumps({"subject": "kt"}))
plant("utf16.json", json.dumps({"who": NAME}).encode("utf-16"))
plant("embedded.json", json.dumps({"picture": base64.b64encode(PLAIN.encode()).decode()}))

# ---------------------------------------------------------------------------------------------
# Containers


def zipped(*members: tuple[str, bytes | str], comment: bytes = b"") -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(name: str, content: bytes, mode: str = "w") -> bytes:
    """A tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


plant("plain.zip", zipped(("a.txt", PLAIN)))
plant("member.zip", zipped((f"{NAME}.txt", "x")))
plant("comment.zip", zipped(("a.txt", "x"), comment=PLAIN.encode()))
plant("nested.zip", zipped(("b.zip", zipped(("a.txt", PLAIN)))))
plant(
    "deep.zip",
    (lambda data: [data := zipped(("x.zip", data)) for _ in range(12)][-1])(zipped(("a.txt", PLAIN))),
    "unread",
)
plant("renamed.dat", zipped(("a.txt", PLAIN)))
plant("document.docx", zipped(("word/document.xml", "<w:p><w:t>Kjell Tams</w:t></w:r><w:r><w:t>vik</w:t></w:p>")))
plant("bundle.tar", tarred("a.txt", PLAIN.encode()))
plant("bundle_name.tar", tarred(f"{NAME}.txt", b"x"))
plant("bundle.tar.gz", tarred("a.txt", PLAIN.encode(), "w:gz"))
plant("bundle.tar.xz", tarred("a.txt", PLAIN.encode(), "w:xz"))
plant("note.gz", gzip.compress(PLAIN.encode()))
plant("note.bz2", bz2.compress(PLAIN.encode()))
plant("note.xz", lzma.compress(PLAIN.encode()))
plant("note.zst", lambda path: _zstd(path))
plant("bomb.gz", lambda path: _bomb(path), "unread")
plant("broken.zip", zipped(("a.txt", PLAIN))[:-30], "unread")
plant("cut.gz", gzip.compress(os.urandom(5000) + PLAIN.encode())[:-200], "unread")
plant("secret.7z", b"7z\xbc\xaf\x27\x1c" + os.urandom(500), "unread")


def _zstd(path: Path) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(PLAIN.encode())


def _bomb(path: Path) -> None:
    block = zlib.compressobj(wbits=31)
    with path.open("wb") as stream:
        for _ in range(3):
            stream.write(block.compress(b"\0" * LIMIT))
        stream.write(block.compress(PLAIN.encode()) + block.flush())


def _encrypted(path: Path) -> None:
    data = bytearray(zipped(("a.txt", PLAIN)))
    for place in (data.index(b"PK\3\4") + 6, data.index(b"PK\1\2") + 8):
        data[place] |= 1
    path.write_bytes(data)


plant("encrypted.zip", _encrypted, "unread")


def _sheet(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Players")
        sheet.write("A1", PLAIN)


def _sheet_comment(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"author": NAME})
        book.add_worksheet("Players").write("A1", "x")


def _sheet_rich(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet, bold = book.add_worksheet("Players"), book.add_format({"bold": True})
        sheet.write_rich_string("A1", "Kjell ", bold, "Tams", "vik")


def _sheet_tab(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet(NAME).write("A1", "x")


plant("players.xlsx", _sheet)
plant("author.xlsx", _sheet_comment)
plant("rich.xlsx", _sheet_rich)
plant("tab.xlsx", _sheet_tab)


def database(path: Path, *statements: str, encoding: str = "UTF-8") -> None:
    """An SQLite file."""
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA encoding = '{encoding}'")
    connection.execute("PRAGMA secure_delete = OFF")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


plant("notes.db", lambda path: database(path, "CREATE TABLE t (a)", f"INSERT INTO t VALUES ('{NAME}')"))
plant("wide.db", lambda p: database(p, "CREATE TABLE t (a)", f"INSERT INTO t VALUES ('{NAME}')", encoding="UTF-16le"))
plant("columns.db", lambda p: database(p, "CREATE TABLE t (a, b)", "INSERT INTO t VALUES ('Kjell', 'Tamsvik')"))
plant("table.db", lambda path: database(path, f'CREATE TABLE "{NAME}" (a)'))
plant("deleted.db", lambda p: database(p, "CREATE TABLE t (a)", f"INSERT INTO t VALUES ('{NAME}')", "DELETE FROM t"))
plant("blob.db", lambda p: database(p, "CREATE TABLE t (a)", f"INSERT INTO t VALUES (x'{zipped(('a', PLAIN)).hex()}')"))

# ---------------------------------------------------------------------------------------------
# Tables


def _parquet(table: pa.Table) -> Callable[[Path], object]:
    return lambda path: pq.write_table(table, path)


_MAP = pa.array([[("who", NAME)]], pa.map_(pa.string(), pa.string()))
plant("column.parquet", _parquet(pa.table({NAME: [1]})))
plant("value.parquet", _parquet(pa.table({"a": [NAME]})))
plant("metadata.parquet", _parquet(pa.table({"a": [1]}).replace_schema_metadata({"author": NAME})))
plant("map.parquet", _parquet(pa.table({"a": _MAP})))
plant("binary.parquet", _parquet(pa.table({"a": [PLAIN.encode()]})))
plant("large.parquet", _parquet(pa.table({"a": pa.array([NAME], pa.large_string())})))
plant("view.parquet", _parquet(pa.table({"a": pa.array([NAME], pa.string_view())})))
plant("dictionary.parquet", _parquet(pa.table({"a": pa.array([NAME]).dictionary_encode()})))
plant("struct.parquet", _parquet(pa.table({"a": [{"b": [{"c": NAME}]}]})))
plant("fixed.parquet", _parquet(pa.table({"a": pa.array([NAME.encode()], pa.binary(len(NAME)))})))
plant("broken.parquet", b"PAR1 and nothing", "unread")
plant("table.feather", lambda path: pa.feather.write_feather(pa.table({"a": [NAME]}), path))
plant("table.orc", lambda path: pa.orc.write_table(pa.table({"a": [NAME]}), str(path)))


def _stream(path: Path) -> None:
    table = pa.table({"a": [NAME]})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


plant("stream.arrow", _stream)

# ---------------------------------------------------------------------------------------------
# Pictures


def picture(kind: str, **options: object) -> bytes:
    """A small picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunk(name: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk."""
    data = picture("PNG")
    return data[:33] + chunk(name, content) + data[33:]


def with_segments(*segments: tuple[int, bytes]) -> bytes:
    """A JPEG with more segments."""
    more = b"".join(bytes((0xFF, m)) + struct.pack(">H", len(c) + 2) + c for m, c in segments)
    data = picture("JPEG")
    return data[:2] + more + data[2:]


def _exif(tag: int, value: object, part: int | None = None) -> bytes:
    exif = Image.Exif()
    (exif if part is None else exif.get_ifd(part))[tag] = value
    return picture("JPEG", exif=exif)


def _png_info(keyword: str, text: str, *, packed: bool = False, wide: bool = False) -> bytes:
    info = PngInfo()
    if wide:
        info.add_itxt(keyword, text, zip=packed)
    else:
        info.add_text(keyword, text, zip=packed)
    return picture("PNG", pnginfo=info)


plant("description.jpg", _exif(0x010E, NAME))
plant("user_comment_utf16.jpg", _exif(0x9286, b"UNICODE\0" + NAME.encode("utf-16-be"), 0x8769))
plant("user_comment_utf16le.jpg", _exif(0x9286, b"UNICODE\0" + NAME.encode("utf-16-le"), 0x8769))
plant("xp_author.jpg", _exif(0x9C9D, NAME.encode("utf-16-le")))
plant("comment.jpg", with_segments((0xFE, PLAIN.encode())))
plant("second_comment.jpg", with_segments((0xFE, b"first"), (0xFE, PLAIN.encode())))
plant("app5.jpg", with_segments((0xE5, PLAIN.encode())))
plant("app13.jpg", with_segments((0xED, b"Photoshop 3.0\0" + PLAIN.encode())))
plant("trailing.jpg", picture("JPEG") + PLAIN.encode())
plant("trailing_zip.jpg", picture("JPEG") + zipped(("a.txt", PLAIN)))
plant("text.png", _png_info("Comment", NAME))
plant("keyword.png", _png_info(NAME, "x"))
plant("packed.png", _png_info("Comment", PLAIN, packed=True))
plant("itxt.png", _png_info("Comment", PLAIN, wide=True))
plant("itxt_packed.png", _png_info("Comment", PLAIN * 3, wide=True, packed=True))
plant("private.png", with_chunk(b"prVt", PLAIN.encode()))
plant("trailing.png", picture("PNG") + PLAIN.encode())
plant("comment.gif", picture("GIF", comment=PLAIN.encode()))
plant(
    "second_comment.gif", picture("GIF", comment=b"x")[:-1] + b"!\xfe" + bytes((len(PLAIN),)) + PLAIN.encode() + b"\0;"
)
plant("exif.webp", picture("WEBP", exif=b"Exif\0\0" + _exif(0x010E, NAME)[30:200]))
plant("xmp.webp", picture("WEBP", xmp=f"<x>{NAME}</x>".encode()))
plant("description.tif", picture("TIFF", description=NAME))
plant("trailing.bmp", picture("BMP") + PLAIN.encode())

# ---------------------------------------------------------------------------------------------
# The file system, and what can't be read


def _folder(path: Path) -> None:
    path.mkdir()
    (path / f"{NAME}.txt").write_text("x")


def _outside(path: Path) -> None:
    target = path.parent.parent / "outside.txt"
    target.write_text(PLAIN)
    path.symlink_to(target)


plant("folder", _folder)
plant("pipe", os.mkfifo, "unread")
plant("link.txt", _outside, "unread")
plant("telling_link", lambda path: path.symlink_to(f"nowhere/{NAME}"))
plant("huge.txt", lambda path: _huge(path), "unread")
plant("unknown.bin", os.urandom(3000) + b"\0\1\2\3" * 50, "unread")
plant("unknown_plain.bin", b"\0\1\2\3" * 50 + PLAIN.encode() + b"\0\1\2\3" * 50)
plant(".DS_Store", b"\0\0\0\1Bud1" + b"\0\3" * 30 + NAME.encode("utf-16-be"))


def _huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(3 * LIMIT)


def _bytes_name(path: Path) -> None:
    path.mkdir()
    with open(os.fsencode(path) + b"/\xe9 Kjell Tamsvik", "wb") as stream:
        stream.write(b"x")


plant("odd_name", _bytes_name)


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


plant("socket", _socket, "unread")
