"""Folders as `datasets` lays them out: which split a file belongs to, by the names on its way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath

from offside_data.adapters._tables.cells import SPLIT_WORDS
from offside_data.schema import SPLITS

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif")
"""Endings of files that are taken for pictures; whether they can be used is found out later."""
SHOWN = 20
"""How many names a remark lists."""
_OF_DATASETS = sorted((SPLIT_WORDS.keys() - set(SPLITS)) | {"test"}, key=len, reverse=True)
_KEYWORD = re.compile(rf"(?:^|[-._ 0-9])({'|'.join(_OF_DATASETS)})(?:[-._ 0-9]|$)")


def split_word(name: str) -> str | None:
    """The name of a split that a file or folder is called by.

    A split of ours is the whole name; words of `datasets` stand between stops, dashes, blanks or digits.
    """
    if name in SPLITS:
        return name
    found = _KEYWORD.search(name)
    return found[1] if found else None


def folder_split(path: PurePosixPath) -> str | None:
    """The name of a split that a folder on the way to a file is called by; the innermost counts."""
    return next((word for folder in reversed(path.parts[:-1]) if (word := split_word(folder))), None)


def files_in(folder: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    """All files of a folder in order, with their paths inside it; hidden ones and `__folders__` are left out."""
    for path in sorted(folder.rglob("*")):
        inside = PurePosixPath(path.relative_to(folder).as_posix())
        if path.is_file() and not any(part.startswith((".", "__")) for part in inside.parts):
            yield inside, path


def is_picture(path: PurePath) -> bool:
    """Whether a file is called like a picture."""
    return path.suffix.lower() in PICTURES


def listed(names: Sequence[str], what: str) -> str:
    """`2 pictures (a.jpg, b.jpg)`, long lists cut off."""
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {what} ({', '.join(names[:SHOWN])}{more})"
