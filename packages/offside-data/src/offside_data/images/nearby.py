"""Pictures that aren't where their source says: the same name in another Unicode form, case or sub-folder."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from offside_data.adapters._base import Picture, Remark
from offside_data.adapters._pictures import NearNames, picture_key

MOST_FILES = 200_000
"""So many files are looked through: a spreadsheet may lie in somebody's home folder."""
_SHOWN = 20
_SUGGESTED = 5


@dataclass(frozen=True, slots=True)
class Nearby:
    """What was found of pictures that weren't where they should be.

    Args:
        found: The file of each that only one can be, by `image_id`.
        remarks: What a person should know about that.
        suggestions: For pictures that several could be, or none, what a person may have meant.
    """

    found: dict[str, Path] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    suggestions: list[str] = field(default_factory=list)

    @property
    def advice(self) -> str:
        """The suggestions, as sentences that end a message."""
        more = f" and {len(self.suggestions) - _SUGGESTED} more" if len(self.suggestions) > _SUGGESTED else ""
        shown = "; ".join(self.suggestions[:_SUGGESTED])
        return f" Is one of these meant? {shown}{more}." if shown else ""


def look_nearby(pictures: Sequence[Picture], roots: Sequence[Path]) -> Nearby:
    """Look for pictures under names that differ from theirs in Unicode form, case or folder.

    Args:
        pictures: Those that lie nowhere under their own name.
        roots: The folders to look in, with all that is in them.
    """
    nearby, told = Nearby(), list[str]()
    names = [(root, NearNames(_files(root))) for root in dict.fromkeys(map(Path, roots))]
    for picture in pictures:
        key = picture_key(picture.key)
        candidates = {
            os.path.realpath(root / path): (root, path)
            for root, known in names
            for wanted in _as_written(picture, root, key)
            for path in known.find(wanted)
        }
        if len(candidates) == 1:
            ((root, path),) = candidates.values()
            nearby.found[picture.image_id] = root / path
            told.append(f"{key} in another Unicode form" if _same_form(key, path) else f"{key} is {path}")
            continue
        paths = [path for _, path in candidates.values()]
        paths = paths or [path for _, known in names for path in known.similar(key)]
        if paths:
            nearby.suggestions.append(f"{key}: {' or '.join(paths[:3])}")
    if told:
        more = f", and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        why = (
            f"{len(told)} pictures are found under names that differ in Unicode form, case or folder "
            f"({', '.join(told[:_SHOWN])}{more})"
        )
        nearby.remarks.append(Remark(kind="note", file=Path(roots[0]).name, index=None, why=why))
    return nearby


def _same_form(key: str, path: str) -> bool:
    """Whether two paths look the same to a person."""
    return unicodedata.normalize("NFC", key) == unicodedata.normalize("NFC", path)


def _as_written(picture: Picture, root: Path, key: str) -> list[str]:
    """The paths in a folder that a picture was looked for at; else what its source writes."""
    return [path.relative_to(root).as_posix() for path in picture.paths if path.is_relative_to(root)] or [key]


def _files(root: Path) -> Iterator[str]:
    """Paths of the files below a folder, hidden ones left out, links to folders not followed."""
    left = MOST_FILES
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                left -= 1
                if left < 0:
                    return
                yield Path(folder, name).relative_to(root).as_posix()
