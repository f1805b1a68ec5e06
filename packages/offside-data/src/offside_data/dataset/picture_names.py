"""What pictures are called: by their id, and by their file as the source called it."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from offside_data.errors import UsageError
from offside_data.plugins import unknown_name_message

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset

_ADAPTER = re.compile(r"\w+:(?!//)")
"""What `ingest` writes before a picture's file: the format that it came in."""
_SHOWN = 5


def file_of(source: str | None) -> str:
    """The file that the column `source` of the table of pictures names; empty where it states none."""
    adapter = _ADAPTER.match(source or "")
    return (source or "")[adapter.end() :] if adapter else ""


class PictureNames:
    """The names of a dataset's pictures.

    Args:
        dataset: The dataset.
    """

    def __init__(self, dataset: OffsideDataset) -> None:
        rows = dataset.frame("images", ["image_id", "source"]).select("image_id", "source").rows()
        self.files = {image_id: file_of(source) for image_id, source in rows}
        self._by_file: dict[str, list[str]] = defaultdict(list)
        for image_id, file in self.files.items():
            for name in {file, file.rpartition("/")[2]} - {""}:
                self._by_file[name].append(image_id)
        self._where = str(dataset.path)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self.files

    def name(self, image_id: str) -> str:
        """File and id of a picture, for people; the id alone where no file is known."""
        file = self.files.get(image_id)
        return f"{file} ({image_id})" if file else image_id

    def find(self, text: str) -> str:
        """The id of the picture that a person means by its id, its file's path or, where only one has it, its name.

        Raises:
            UsageError: If there is none, or several pictures' files are called so.
        """
        if text in self.files:
            return text
        found = self._by_file.get(text, [])
        if not found:
            known = [*self.files, *self._by_file] if len(self.files) <= _SHOWN else self._near(text)
            raise UsageError(f"{self._where}: {unknown_name_message('picture', text, known)}")
        if len(found) > 1:
            listed = ", ".join(self.name(image_id) for image_id in sorted(found)[:_SHOWN])
            raise UsageError(f"{self._where}: {len(found)} pictures are called {text!r}: {listed}. Give the id of one.")
        return found[0]

    def _near(self, text: str) -> list[str]:
        import difflib

        near = difflib.get_close_matches(text, [*self.files, *self._by_file], n=_SHOWN)
        return near or sorted(self._by_file or self.files)[:_SHOWN]
