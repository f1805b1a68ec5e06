"""The proof of a takedown: nothing that would give the subject away is left in a dataset folder.

Looked through are all files but those of a `.git`: every string of every column and every picture in Parquet (by its
bytes, its pixels, its metadata), the strings of JSON, all other texts, the names of files and folders.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from offside_data.dataset.folder import open_dataset
from offside_data.dataset.pictures import open_parquet
from offside_data.errors import DatasetError, PictureError
from offside_data.images.decode import BROKEN, FORMATS, MAX_BYTES, decode_image
from offside_data.images.hashing import pixels_sha256
from offside_data.issues import Issue
from offside_data.parsing import parse_json
from offside_data.release.snapshots import all_snapshots
from offside_data.takedown.tombstones import Traces, read_tombstones

CODE = "taken-down"
"""Code of all issues of the proof."""
_SKIPPED = ".git"
_IFDS = (0x8769, 0x8825, 0xA005)  # Parts of EXIF beside the main one: the camera's, the position, the format's.


def prove_takedowns(folder: Path) -> Iterator[Issue]:
    """What is left in a dataset folder of anybody who was taken down from it, by the tombstones."""
    traces = read_tombstones(folder)
    if traces:
        states = [folder, *(snapshot.folder for snapshot in all_snapshots(folder))]
        names = {name for state in states for name in open_dataset(state).frame("subjects", ["name"])["name"] if name}
        yield from leftovers(folder, traces.sparing(names))


def leftovers(folder: Path, traces: Traces) -> Iterator[Issue]:
    """What is left of those who were taken down, file by file; messages don't repeat the name.

    Args:
        folder: A dataset folder.
        traces: What to look for; `sparing` the names of the subjects that stay.
    """
    search = _Search(traces)
    for path in sorted(folder.rglob("*")):
        where = path.relative_to(folder)
        if where.parts[0] == _SKIPPED:
            continue
        if traces.has_id(path.stem) or traces.names_in(path.name):
            yield _issue(str(where), "its own name gives somebody away. Rename or delete it.")
        if path.is_file():
            yield from search.file(path, str(where))


def _issue(where: str, message: str) -> Issue:
    return Issue("error", CODE, where, f"left of a subject who was taken down: {message}")


class _Search:
    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._pictures: dict[str, str] = {}  # Releases hold the same pictures again.
        self._files: dict[tuple[int, int], list[tuple[str, str]]] = {}  # Many are links to the same file.

    def file(self, path: Path, where: str) -> Iterator[Issue]:
        if path.suffix == ".parquet":
            yield from self._table(path, where)
            return
        if path.stat().st_size > MAX_BYTES:
            yield Issue("warning", CODE, where, f"larger than {MAX_BYTES // 2**20} MiB, so it wasn't searched.")
            return
        data = path.read_bytes()
        if b"\0" in data[:4096]:
            message = self._picture(data)
            if message:
                yield _issue(where, message)
        elif path.suffix in (".json", ".jsonl", ".ndjson"):
            yield from self._json(data.decode("utf-8", errors="replace"), where)
        else:
            yield from self._text(data.decode("utf-8", errors="replace"), where)

    def _text(self, text: str, where: str) -> Iterator[Issue]:
        for start, _ in self._traces.spans(html.unescape(text)):
            line = html.unescape(text).count("\n", 0, start) + 1
            yield _issue(f"{where}:{line}", "a name or an id. Correct the text by hand.")

    def _json(self, text: str, where: str) -> Iterator[Issue]:
        try:
            values = [(where, parse_json(text))]
        except ValueError:
            values = []
            for number, line in enumerate(text.splitlines(), 1):
                with contextlib.suppress(ValueError):
                    values.append((f"{where}:{number}", parse_json(line)))
            if not values:
                yield from self._text(text, where)
        for place, value in values:
            if any(self._traces.has_id(string) or self._traces.names_in(string) for string in _strings(value)):
                yield _issue(place, "a name or an id.")

    def _table(self, path: Path, where: str) -> Iterator[Issue]:
        stat = path.stat()
        inode = stat.st_dev, stat.st_ino
        try:
            if inode not in self._files:
                self._files[inode] = list(self._columns(path))
        except (DatasetError, pa.ArrowException, OSError) as error:
            yield _issue(where, f"it can't be read, so nobody knows what is in it: {error}.")
            return
        yield from (_issue(f"{where}:{column}", message) for column, message in self._files[inode])

    def _columns(self, path: Path) -> Iterator[tuple[str, str]]:
        """Columns of a Parquet file and what is wrong with them, row group by row group."""
        told = set()
        pictures = ["image.bytes"] if "image" in open_parquet(path).schema_arrow.names else []
        with open_parquet(path, pictures) as file:
            for group in range(file.num_row_groups):
                for column, values in _leaves(file.read_row_group(group)):
                    for message in self._values(column, values):
                        if (column, message) not in told:
                            told.add((column, message))
                            yield column, message

    def _values(self, column: str, values: pa.Array) -> Iterator[str]:
        known = [value for value in values.unique().to_pylist() if value]
        if not pa.types.is_string(values.type) and not pa.types.is_large_string(values.type):
            yield from filter(None, map(self._picture, known))
        elif any(map(self._traces.names_in, known)) or (_holds_ids(column) and any(map(self._traces.has_id, known))):
            yield "a name or an id."

    def _picture(self, data: bytes) -> str:
        """What is wrong with a picture; empty if nothing is."""
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in self._pictures:
            message = ""
            if self._traces.has_picture(sha256, _pixels_of(data)):
                message = f"a picture, SHA-256 {sha256}."
            elif any(map(self._traces.names_in, metadata_texts(data))):
                message = f"a name in the metadata of a picture, SHA-256 {sha256}."
            self._pictures[sha256] = message
        return self._pictures[sha256]


def _pixels_of(data: bytes) -> str | None:
    """SHA-256 of a picture's pixels; null if it can't be decoded (`check` finds those)."""
    try:
        return pixels_sha256(decode_image(data))
    except PictureError:
        return None


def _holds_ids(column: str) -> bool:
    return column.endswith("_id") or column in ("corrects", "derived_from", "twin_of")


def _leaves(table: pa.Table) -> Iterator[tuple[str, pa.Array]]:
    """The columns of strings and of bytes of a table, those inside structs and lists, too."""

    def within(name: str, array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
        if pa.types.is_dictionary(array.type):
            yield from within(name, array.dictionary)
        elif pa.types.is_struct(array.type):
            for number, field in enumerate(array.type):
                yield from within(f"{name}.{field.name}", array.field(number))
        elif pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
            yield from within(name, array.values)
        elif pa.types.is_string(array.type) or pa.types.is_large_string(array.type) or pa.types.is_binary(array.type):
            yield name, array

    for name in table.column_names:
        for chunk in table.column(name).chunks:
            yield from within(name, chunk)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def metadata_texts(data: bytes) -> list[str]:
    """The texts in a picture's metadata: comments, EXIF, IPTC, XMP; none if it isn't readable."""
    with contextlib.suppress(*BROKEN, Image.DecompressionBombError):
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            picture.load()  # A PNG may have texts after its pixels.
            exif = picture.getexif()
            values = [value for key, value in picture.info.items() if key != "icc_profile"]
            values += [*exif.values(), *(value for part in _IFDS for value in exif.get_ifd(part).values())]
        return list(_texts(values))
    return []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        for encoding in ("utf-8", "utf-16-le"):
            yield value.decode(encoding, errors="ignore")
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, Iterable):
        for item in value:
            yield from _texts(item)
