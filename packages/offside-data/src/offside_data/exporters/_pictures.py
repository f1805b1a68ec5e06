"""Pictures as files of their own: each once, its bytes as stored, under a name that we made."""

from __future__ import annotations

import hashlib
from pathlib import Path

from offside_data.schema import RecordImage

_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif"}


def picture_suffix(image: RecordImage) -> str:
    """The file ending of a picture's format, whatever its stored name says.

    Raises:
        PictureError: If its bytes are no picture.
    """
    from offside_data.images.decode import open_image

    with open_image(image.bytes, f"the stored picture {image.path!r}") as picture:
        kind = str(picture.format)
    return _SUFFIXES.get(kind, f".{kind.lower()}")


class Pictures:
    """A folder of pictures inside an export.

    Args:
        root: The export's folder.
        folder: The pictures' folder in it, with forward slashes.
    """

    def __init__(self, root: Path, folder: str = "images") -> None:
        self._root, self._folder = root, folder
        self._names: dict[str, str] = {}

    def add(self, image: RecordImage) -> str:
        """Write a picture unless it is there, and return its path in the export, with forward slashes.

        It is named after its content: a name from outside could lead anywhere.

        Raises:
            PictureError: If its bytes are no picture.
        """
        digest = hashlib.sha256(image.bytes).hexdigest()
        if digest not in self._names:
            self._names[digest] = f"{self._folder}/{digest[:20]}{picture_suffix(image)}"
            path = self._root / self._names[digest]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image.bytes)
        return self._names[digest]
