"""SQLite: every value of every table, the schema, and what deleted rows left in the file."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from offside_data.images.decode import MAX_BYTES
from offside_data.takedown.readers._base import Blob, Nested, Piece, Text, Unread, Values, decodings

_MAGIC = b"SQLite format 3\0"
_WAL_AT, _WAL = 18, 2
_ROWS = 10_000


def recognises(blob: Blob) -> bool:
    """By its signature."""
    return blob.head.startswith(_MAGIC)


def read(blob: Blob) -> Iterator[Piece]:
    """The schema, the rows, and all bytes as texts."""
    with blob.file() as path:
        connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True)
        connection.text_factory = bytes
        try:
            schema = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
            yield Values.of({_text(value): "schema" for row in schema for value in row if value is not None})
            for kind, name, sql in schema:
                if _text(kind) == "table" and sql is not None:
                    yield from _rows(connection, _text(name))
        finally:
            connection.close()
    if blob.size > MAX_BYTES:
        yield Unread("too large to be searched for what deleted rows left. VACUUM it.", "free pages")
    else:
        for said in decodings(blob.content):
            yield Text(said, "free pages")
    if blob.path is not None and blob.path.with_name(f"{blob.path.name}-wal").exists():
        yield Unread("changes wait in its -wal file. Let its program finish, then search again.")


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[Piece]:
    quoted = table.replace('"', '""')
    rows = connection.execute(f'SELECT * FROM "{quoted}"')
    names = [_text(column[0]) for column in rows.description]
    first = 1
    while some := rows.fetchmany(_ROWS):
        found: dict[str, str] = {}
        for number, row in enumerate(some, first):
            said = [_text(value) for value in row if isinstance(value, bytes | str | int)]
            found.setdefault("\n".join(said), f"table {table}, row {number}")
            for name, value in zip(names, row, strict=True):
                if isinstance(value, bytes | str | int):
                    found.setdefault(_text(value), f"table {table}, row {number}, {name}")
                if isinstance(value, bytes) and not _is_text(value):
                    yield Nested(f"table {table}, row {number}, {name}", value)
        yield Values.of(found)
        first += len(some)


def _text(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _is_text(value: bytes) -> bool:
    try:
        return b"\0" not in value and bool(value.decode("utf-8") or True)
    except UnicodeDecodeError:
        return False


def example(text: str) -> tuple[str, bytes]:
    """A table of one row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "notes.db")
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE notes (id INTEGER, said TEXT)")
        connection.execute("INSERT INTO notes VALUES (1, ?)", (text,))
        connection.commit()
        connection.close()
        return path.name, path.read_bytes()
