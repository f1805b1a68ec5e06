"""Looks through all files of a folder for what is left of somebody, and lists what it couldn't read."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from offside_data.takedown.names import NEAR_KINDS, Hit, Traces
from offside_data.takedown.readers._base import (
    BROKEN,
    READERS,
    Allowance,
    Blob,
    EncodedPicture,
    Nested,
    Piece,
    Text,
    Unread,
    Values,
    decodings,
)

Sort = Literal["left", "near", "unread"]
Judge = Callable[[str, bytes], "Judgement | None"]
"""Says of an encoded picture, by its SHA-256 and its bytes, whether it is one of who was taken down."""

_SKIPPED = ".git"
_OURS = ("data", "tables", ".offside")
"""Folders of a dataset that may be links to a larger disk."""
_SHOWN = 20
"""Places that are listed of one sort in one file; of more, the number."""
_RAW = 16 * 2**20
"""Bytes of an unknown file that are searched for plain letters."""
_NOTHING = re.compile(rb"\0{32,}")
"""Filling, which no word lies across."""


@dataclass(frozen=True, slots=True)
class Clue:
    """Something that is left, may be left, or couldn't be read.

    Args:
        sort: Which of the three.
        where: File and place in it.
        what: What it is; a sentence that names nobody.
    """

    sort: Sort
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a picture is found to be."""

    sort: Sort
    what: str


@dataclass
class Searched:
    """What was looked through.

    Args:
        files: Of the folder.
        size: Their bytes.
        texts: Texts, short or long; each distinct value of a column once.
        pictures: Different ones.
        within: Files within files.
        kinds: How many files and files within files each reader read.
    """

    files: int = 0
    size: int = 0
    texts: int = 0
    pictures: int = 0
    within: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


class FolderSearch:
    """Looks through folders; what lies in several places is looked at once.

    Args:
        traces: What to look for.
        judge: Judges pictures.
    """

    def __init__(self, traces: Traces, judge: Judge) -> None:
        self.searched = Searched()
        self._traces = traces
        self._judge = judge
        self._readers = [(name, READERS.load(name)) for name in READERS.names()]
        self._links: dict[tuple[int, int], list[Clue]] = {}  # Releases hold the same files again.
        self._contents: dict[str, list[Clue]] = {}  # By SHA-256: and the same pictures.

    def folder(self, root: Path, shown_as: str = "") -> Iterator[Clue]:
        """Everything in a folder, file by file; links that lead out of it aren't followed.

        Args:
            root: The folder.
            shown_as: Stands before the names of its files.
        """
        real = os.path.realpath(root)
        waiting = [str(root)]
        while waiting:
            folder = waiting.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                yield Clue("unread", shown_as + _shown(folder, root), f"a folder that can't be read: {_why(error)}.")
                continue
            for entry in entries:
                where = shown_as + _shown(entry.path, root)
                yield from self._name(entry.name, where)
                if entry.name == _SKIPPED:
                    what = "the history of the folder isn't searched. Remove the name from it, or delete it."
                    yield Clue("unread", where, what)
                elif entry.is_symlink() and not (folder == str(root) and entry.name in _OURS and entry.is_dir()):
                    yield from self._link(entry, where, real)
                elif entry.is_dir():
                    waiting.append(entry.path)
                else:
                    yield from self._entry(Path(entry.path), where)

    def _name(self, name: str, where: str) -> Iterator[Clue]:
        said = os.fsencode(name)
        hits = {hit.kind for text in decodings(said) for hit in self._traces.search(text)}
        if "name" in hits or self._traces.has_id(Path(name).stem):
            yield Clue("left", where, "its own name gives somebody away. Rename or delete it.")
        elif hits:
            yield Clue("near", where, f"its own name may be one: {_kinds(hits)}.")

    def _link(self, entry: os.DirEntry[str], where: str, root: str) -> Iterator[Clue]:
        """A link: where it leads, and whether that is looked at anyhow."""
        target = os.readlink(entry.path)
        yield from (
            dataclasses.replace(found, where=f"{where}: target of the link") for found in self._name(target, where)
        )
        real = os.path.realpath(entry.path)
        if not Path(real).is_relative_to(root):
            yield Clue("unread", where, "a link that leads out of the folder: what it leads to isn't searched.")

    def _entry(self, path: Path, where: str) -> Iterator[Clue]:
        try:
            facts = os.lstat(path)
            if not stat.S_ISREG(facts.st_mode):
                yield Clue("unread", where, "no file, folder or link, but a pipe, a socket or a device.")
                return
            self.searched.files += 1
            self.searched.size += facts.st_size
            inode = facts.st_dev, facts.st_ino
            found = self._links.get(inode)
            if found is None:
                found = list(self._blob(Blob(name=path.name, path=path)))
                if facts.st_nlink > 1:
                    self._links[inode] = found
        except BROKEN as error:
            found = [Clue("unread", "", f"it can't be read: {_why(error)}.")]
        yield from (dataclasses.replace(one, where=where + one.where) for one in found)

    # -----------------------------------------------------------------------------------------
    # One file

    def _blob(self, blob: Blob) -> Iterator[Clue]:
        """What is found in a file; places are relative to it."""
        if not blob.size:
            return
        used = 0
        shown: Counter[Sort] = Counter()
        for name, reader in self._readers:
            found: list[Clue] = []
            try:
                if not reader.recognises(blob):
                    continue
                used += 1
                self.searched.kinds[name] += 1
                for piece in reader.read(blob):
                    found += self._piece(piece, blob)
            except BROKEN as error:
                found.append(Clue("unread", "", f"it can't be read as {name}: {_why(error)}."))
            except RecursionError:
                found.append(Clue("unread", "", f"it can't be read as {name}: it lies too deep in itself."))
            yield from _few(found, shown)
        if not used:
            self.searched.kinds["unknown"] += 1
            with blob.open() as stream:
                start = _NOTHING.sub(bytes(4), stream.read(_RAW))
            raw = [found for text in decodings(start) for found in self._text(Text(text))]
            yield from _few(list(dict.fromkeys(raw)), shown)
            yield Clue("unread", "", "of no kind that can be read: only plain letters were looked for.")
        for sort, number in shown.items():
            if number > _SHOWN:
                yield Clue(sort, "", f"and {number - _SHOWN:,} more of this sort.")

    def _piece(self, piece: Piece, blob: Blob) -> Iterator[Clue]:
        if isinstance(piece, Text):
            yield from self._text(piece)
        elif isinstance(piece, Values):
            yield from self._values(piece)
        elif isinstance(piece, EncodedPicture):
            yield from self._picture(piece.data)
        elif isinstance(piece, Unread):
            yield Clue("unread", _place(piece.place), piece.why)
        else:
            yield from self._nested(piece, blob)

    def _text(self, piece: Text) -> Iterator[Clue]:
        self.searched.texts += 1
        line, before = piece.first_line or 1, 0
        for hit in self._traces.search(piece.text):
            line += piece.text.count("\n", before, hit.start)
            before = hit.start
            where = f":{line}" if piece.first_line is not None else _place(piece.place)
            yield _finding(hit, where)

    def _values(self, piece: Values) -> Iterator[Clue]:
        self.searched.texts += len(piece.texts)
        for number, text in enumerate(piece.texts):
            hits = {hit.kind: hit for hit in self._traces.search(text)}
            if piece.may_be_ids and self._traces.has_id(text):
                hits["name"] = Hit(0, len(text), "name")
            for kind in ["name"] if "name" in hits else hits:
                yield _finding(hits[kind], _place(piece.place(number)))

    def _picture(self, data: bytes) -> Iterator[Clue]:
        self.searched.pictures += 1
        judgement = self._judge(hashlib.sha256(data).hexdigest(), data)
        if judgement is not None:
            yield Clue(judgement.sort, "", judgement.what)

    def _nested(self, piece: Nested, blob: Blob) -> Iterator[Clue]:
        allowance = blob.allowance
        if not piece.data:
            return
        if allowance.depth == 0:
            yield Clue("unread", _place(piece.name), "it lies too deep in other files.")
            return
        sha256 = hashlib.sha256(piece.data).hexdigest()
        if sha256 not in self._contents:
            self.searched.within += 1
            within = Allowance(allowance.size, allowance.members, allowance.depth - 1)
            self._contents[sha256] = list(self._blob(Blob(name=piece.name, data=piece.data, allowance=within)))
            allowance.size, allowance.members = within.size, within.members
        for found in self._contents[sha256]:
            yield dataclasses.replace(found, where=_place(piece.name) + found.where)


def _few(found: list[Clue], shown: Counter[Sort]) -> Iterator[Clue]:
    """The first of each sort; what couldn't be read is all told."""
    for one in dict.fromkeys(found):
        shown[one.sort] += one.sort != "unread"
        if shown[one.sort] <= _SHOWN:
            yield one


def _finding(hit: Hit, where: str) -> Clue:
    if hit.kind == "name":
        return Clue("left", where, "a name or an id.")
    return Clue("near", where, f"what may be a name: {_kinds({hit.kind})}.")


def _kinds(kinds: set[str]) -> str:
    return ", ".join(NEAR_KINDS[kind] for kind in sorted(kinds))


def _place(place: str) -> str:
    return f": {place}" if place else ""


def _shown(path: str, root: Path) -> str:
    """A path as it is shown: relative to the folder, in letters that can be printed."""
    return os.fsencode(os.path.relpath(path, root)).decode("utf-8", errors="backslashreplace")


def _why(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
