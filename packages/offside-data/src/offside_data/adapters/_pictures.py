"""Pictures as a source has them: what a cell says of one, and where one that is named may lie."""

from __future__ import annotations

import difflib
import functools
import os
import posixpath
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from offside_data.adapters._values import UnusableError, kind_of, unpack

Shorten = Literal["no", "name", "folders"]
"""How a path may be shortened: not at all, to its file name alone, or by its first folders one after the other."""
_LONGEST_NAME = 255
"""Bytes of a file's or folder's name that a file system takes."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """What a cell says of a picture: its encoded bytes, where it lies, or both, the path then being its name."""

    data: bytes | None = None
    path: str | None = None


def as_pixels(value: Any, what: str) -> Pixels:
    """A picture's cell: `{bytes, path}`, bytes alone, or a path.

    Raises:
        UnusableError: If it is none of these, or empty.
    """
    if isinstance(value, Mapping):
        data, path = value.get("bytes"), value.get("path")
        value = data if data is not None else path
    if isinstance(value, bytes) and value:
        return Pixels(data=value)
    if isinstance(value, str) and value.strip() and "\0" not in value:
        return Pixels(path=value)
    if value is None or (isinstance(value, str | bytes) and not value.strip()):
        raise UnusableError(f"{what} is missing: the cell holds no picture")
    raise UnusableError(f"{what} must be bytes or a path, is {kind_of(value)}")


def as_pixels_list(value: Any, what: str) -> list[Pixels | UnusableError]:
    """The pictures of a cell that may hold one or a list of them; for each that can't be used, why.

    Raises:
        UnusableError: If the cell holds none at all.
    """
    value = unpack(value, what) if hasattr(value, "tolist") else value
    if not isinstance(value, list | tuple):
        return [as_pixels(value, what)]
    if not value:
        raise UnusableError(f"{what} is missing: the list of pictures is empty")
    found: list[Pixels | UnusableError] = []
    for place, item in enumerate(value):
        try:
            found.append(as_pixels(item, f"{what}[{place}]"))
        except UnusableError as problem:
            found.append(problem)
    return found


@functools.lru_cache(maxsize=2**12)  # The rows about one picture stand together.
def picture_key(path: str) -> str:
    """A picture's path in one spelling, for ever: with slashes, without `./`."""
    return posixpath.normpath(path.replace("\\", "/")) if path else ""


@functools.lru_cache(maxsize=2**12)
def is_path(path: str) -> bool:
    """Whether a file system can have such a path."""
    return "\0" not in path and all(len(part.encode()) <= _LONGEST_NAME for part in path.split("/"))


def places_of(
    path: str, folders: Sequence[Path], *, shorten: Shorten, within: Sequence[Path] | None = None
) -> tuple[Path, ...]:
    """Where a picture may lie, the likeliest place first.

    Args:
        path: As the source writes it.
        folders: Where it may start, the likeliest first.
        shorten: What is tried besides the path as it is written.
        within: Folders that it is never outside of; default: those where it may start.
    """
    written = PurePosixPath(picture_key(path))
    parts = [part for part in written.parts if part != written.anchor]
    if shorten == "folders":
        ends = [PurePosixPath(*parts[skipped:]) for skipped in range(len(parts))]
    else:
        ends = [] if written.is_absolute() or "://" in path else [written]
        ends += [PurePosixPath(written.name)] if shorten == "name" else []
    return confined([folder / end for end in ends for folder in folders], within or folders)


def folded_name(path: str) -> str:
    """A path without regard to case and to the form in which Unicode writes its letters."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


class NearNames:
    """Paths that are there, found by one that is written otherwise.

    A Mac writes `é` as two characters where others write one, a camera `IMG_1.JPG` where a person writes `img_1.jpg`,
    and pictures move into sub-folders.

    Args:
        paths: Those that are there, with slashes.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = list(paths)
        self._known: list[dict[str, list[str]]] = [{} for _ in _FOLDS]
        for path in self._paths:
            for known, fold in zip(self._known, _FOLDS, strict=True):
                known.setdefault(fold(path), []).append(path)

    def find(self, path: str) -> list[str]:
        """What a path may mean: the paths that differ least from it, all that differ alike.

        In other folders, it is looked for below its own alone: elsewhere another picture may have its name.
        """
        folder = folded_name(posixpath.dirname(path))
        for known, fold in zip(self._known, _FOLDS, strict=True):
            found = known.get(fold(path), [])
            if folder:
                found = [one for one in found if folded_name(one).startswith(f"{folder}/")]
            if found:
                return found
        return []

    def similar(self, path: str) -> list[str]:
        """A few paths with a similar file name."""
        names = self._known[-1]
        near = difflib.get_close_matches(_FOLDS[-1](path), names, n=_SIMILAR, cutoff=_LIKE)
        return [path for name in near for path in names[name]][:_SIMILAR]


_FOLDS: tuple[Callable[[str], str], ...] = (
    lambda path: path,
    lambda path: unicodedata.normalize("NFC", path),
    folded_name,
    lambda path: unicodedata.normalize("NFC", posixpath.basename(path)),
    lambda path: folded_name(posixpath.basename(path)),
)
"""How a path may differ, the least first: not at all, by Unicode form, by case too, by its folders, by all of these."""
_SIMILAR = 3
_LIKE = 0.8


def confined(candidates: Iterable[Path], folders: Iterable[Path]) -> tuple[Path, ...]:
    """Those of some paths that lie in one of `folders` as they are written, each once, in order.

    Links are followed only when a picture is read, and confined there again (`images.decode.read_bytes`).
    """
    allowed = [os.path.abspath(folder) for folder in folders]
    inside = [
        path
        for path in candidates
        if any(os.path.commonpath([os.path.abspath(path), folder]) == folder for folder in allowed)
    ]
    return tuple(dict.fromkeys(inside))
