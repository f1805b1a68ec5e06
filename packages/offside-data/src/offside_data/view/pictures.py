"""The pictures of a view as files: small ones for the grid, and ones that are large enough to look at.

Files are named by number. No file carries metadata: nobody's camera, place or time is published by a view.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from offside_data.errors import PictureError
from offside_data.images.decode import open_image
from offside_data.images.strip import strip_metadata
from offside_data.images.thumbnails import thumbnail
from offside_data.processes import Workers, process_count
from offside_data.view.reading import PictureGroup, read_pictures

FOLDER = "pictures"
THUMBNAIL_SIDE = 256
"""Longest side of a picture in the grid, in pixels."""
LARGE_SIDE = 1024
"""Longest side of a picture to look at, in pixels."""
PER_FOLDER = 1_000
"""Pictures of a sub-folder."""
LARGE_BYTES = 512 * 1024
"""A picture of a larger file is encoded anew, whatever its size in pixels."""
THUMBNAIL_BYTES = 48 * 1024
"""A small picture of at most so many bytes is its own thumbnail."""
BROWSER_FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif"}
"""Formats that every browser shows, and the ending of their files."""
_FEW = 500
"""Pictures that are written in less time than it takes to start processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What became of a picture.

    Args:
        number: Its number.
        ending: Ending of the large file; empty if there is none.
        thumbnail: Whether the grid has a file of its own; else it shows the large one.
        problem: Why it can't be shown; empty if it can.
    """

    number: int
    ending: str = ""
    thumbnail: bool = False
    problem: str = ""


def picture_file(number: int, ending: str) -> str:
    """Path of the picture to look at, below the view's folder; the page knows the same rule."""
    return f"{FOLDER}/{number // PER_FOLDER}/{number}.{ending}"


def thumbnail_file(number: int) -> str:
    """Path of the picture for the grid."""
    return f"{FOLDER}/{number // PER_FOLDER}/{number}-small.jpg"


def render_all(groups: Sequence[PictureGroup], numbers: Mapping[str, int], folder: Path) -> Iterator[Rendered]:
    """Write the files of all pictures, by several processes; each holds the pictures of one row group at a time.

    Args:
        groups: Where the pictures lie.
        numbers: Number of each picture by image_id.
        folder: The view's folder.

    Yields:
        What became of each picture that is stored.

    Raises:
        DatasetError: If a file isn't readable, or a process was killed.
    """
    for place in sorted({number // PER_FOLDER for number in numbers.values()}):
        (folder / FOLDER / str(place)).mkdir(parents=True, exist_ok=True)
    jobs = [(group, {key: numbers[key] for key in group.rows}) for group in groups]
    with Workers(folder, process_count() if len(numbers) > _FEW else 1) as workers:
        yield from itertools.chain.from_iterable(workers.map(_render_group, jobs))


def _render_group(folder: Path, job: tuple[PictureGroup, Mapping[str, int]]) -> list[Rendered]:
    """Write the files of one group's pictures.

    Raises:
        DatasetError: If the file isn't readable.
    """
    group, numbers = job
    return [_render(data, numbers[key], folder) for key, data in read_pictures(group)]


def _render(data: bytes, number: int, folder: Path) -> Rendered:
    try:
        large, ending, side = shown_picture(data)
        small = side > THUMBNAIL_SIDE or len(large) > THUMBNAIL_BYTES
        (folder / picture_file(number, ending)).write_bytes(large)
        if small:
            (folder / thumbnail_file(number)).write_bytes(thumbnail(data, THUMBNAIL_SIDE))
    except PictureError as error:
        return Rendered(number=number, problem=error.reason)
    return Rendered(number=number, ending=ending, thumbnail=small)


def shown_picture(data: bytes) -> tuple[bytes, str, int]:
    """The picture to look at, the ending of its file, and its longest side in pixels.

    Raises:
        PictureError: If it can't be decoded.
    """
    with open_image(data, "the picture") as picture:
        side, ending = max(picture.size), BROWSER_FORMATS.get(str(picture.format))
    if ending is None or side > LARGE_SIDE or len(data) > LARGE_BYTES:
        return thumbnail(data, LARGE_SIDE), "jpg", min(side, LARGE_SIDE)
    return strip_metadata(data), ending, side
