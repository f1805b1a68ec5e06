"""Hashes of pictures: of their bytes, of their pixels, and perceptual ones that change little with the picture.

All are of what a viewer shows (`decode.decode_image`), so turning a picture by its EXIF or stripping its metadata
changes none but that of the bytes.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from offside_data.errors import DatasetError, PictureError, UsageError
from offside_data.images.decode import decode_image, open_image, orientation, read_bytes, reduce_jpeg, shown_pixels
from offside_data.images.parts import add_part, read_parts
from offside_data.plugins import Registry
from offside_data.processes import process_pool
from offside_data.progress import track

HASHES = Registry(
    "offside_data.images.hashes",
    "hash",
    needs={"__doc__": str, "compute": Callable, "DRAFT": int | None, "RADIUS": int},
)
"""All perceptual hashes, ours and third parties'."""

_PART = 1_000
"""Files of a part of the store: so many at most are hashed again after an interruption."""
_BATCH = 16
"""Files that a worker takes at a time."""
_LYING = 5
"""From this orientation on, width and height change places."""


@dataclass(frozen=True, slots=True)
class ImageHashes:
    """What `tables/images.parquet` says of a picture's bytes.

    Args:
        sha256: Of the encoded bytes.
        pixels_sha256: Of the size and the RGB pixels; it survives another lossless encoding.
        phash: Perceptual hash (frequencies), 16 hex digits.
        dhash: Perceptual hash (brightness steps), 16 hex digits.
        width: In pixels.
        height: In pixels.
    """

    sha256: str
    pixels_sha256: str
    phash: str
    dhash: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHashes:
    """Hashes of a picture's file.

    Args:
        path: The file, as it was given.
        size: In bytes; with the time of its last change it tells whether the file is still the same.
        changed: That time, in nanoseconds.
        sha256: Of the encoded bytes; empty if they can't be read.
        width: Of the upright picture, in pixels; 0 if it can't be used.
        height: The same.
        hashes: Perceptual hashes by name; empty if the picture can't be used.
        reduced: Whether the hashes were made of a JPEG that was decoded at a fraction of its size.
        problem: Why the picture can't be used.
    """

    path: str
    size: int = 0
    changed: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0
    hashes: dict[str, str] = field(default_factory=dict)
    reduced: bool = False
    problem: str | None = None


def perceptual_hash(name: str, picture: Image.Image) -> str:
    """A perceptual hash of a decoded picture, as hex digits.

    Raises:
        PluginError: If there is none of that name.
    """
    return str(HASHES.load(name).compute(picture))


def require_radius(radius: int, name: str) -> None:
    """Make sure that a radius tells near hashes from others.

    Args:
        radius: In how many bits two hashes may differ.
        name: Of the hash.

    Raises:
        PluginError: If there is no such hash.
        UsageError: If it is negative, or if hashes have no more bits, so that all would be near.
    """
    bits = 4 * len(perceptual_hash(name, Image.linear_gradient("L")).partition(",")[0])
    if not 0 <= radius < bits:
        raise UsageError(
            f"--radius {radius}: {name} has {bits} bits, so give 0 to {bits - 1}. Its own radius is "
            f"{HASHES.load(name).RADIUS}; far above that, pictures that have nothing in common are near."
        )


def turned_hash(name: str, picture: Image.Image) -> str:
    """The perceptual hash of a picture and of the seven ways to turn and mirror it, joined by commas.

    Raises:
        PluginError: If there is none of that name.
    """
    turned = [picture, *(picture.transpose(turn) for turn in Image.Transpose)]
    return ",".join(perceptual_hash(name, one) for one in turned)


def hash_image(data: bytes, picture: Image.Image | None = None) -> ImageHashes:
    """All hashes of an encoded picture; `picture` saves decoding it if its pixels are at hand.

    Raises:
        PictureError: If it has to be decoded and can't be.
    """
    if picture is None:
        picture = decode_image(data)
    grey = picture.convert("L")  # Both hashes begin with that.
    return ImageHashes(
        sha256=hashlib.sha256(data).hexdigest(),
        pixels_sha256=pixels_sha256(picture),
        phash=perceptual_hash("phash", grey),
        dhash=perceptual_hash("dhash", grey),
        width=picture.width,
        height=picture.height,
    )


def pixels_sha256(picture: Image.Image) -> str:
    """SHA-256 of a picture's size and RGB pixels."""
    digest = hashlib.sha256(f"{picture.width}x{picture.height} RGB ".encode())
    digest.update((picture if picture.mode == "RGB" else picture.convert("RGB")).tobytes())
    return digest.hexdigest()


def hamming(first: str, second: str) -> int:
    """In how many bits two perceptual hashes (hex) differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


# ---------------------------------------------------------------------------------------------
# Many files


def hash_files(
    paths: Sequence[str | Path],
    store: Path | None = None,
    *,
    hashes: Sequence[str] = ("phash",),
    draft: bool = True,
    workers: int = 1,
) -> Iterator[FileHashes]:
    """Hash many pictures, one after the other, with progress on stderr and in little memory.

    Args:
        paths: The files, each once.
        store: A folder that keeps the results. What it holds of a file that is still the same (size, time of
            change) isn't made again, so an interrupted call goes on where it was; other files may come and go.
        hashes: Names of perceptual hashes.
        draft: Decode JPEGs at a fraction of their size where all these hashes allow it.
        workers: Processes that hash; 1 = this one.

    Yields:
        The hashes of each file, in the order of `paths`. Files that can't be used have a `problem`.

    Raises:
        PluginError: If there is no such hash.
        UsageError: If `workers` isn't positive.
        DatasetError: If the store isn't readable, or a worker was killed.
    """
    if workers < 1:
        raise UsageError(f"workers {workers}: give 1 or more.")
    plan = _Plan(tuple(str(path) for path in paths), tuple(hashes), _shortest_side(hashes) if draft else None)
    return track(_hash_all(plan, store, workers), "hashing", total=len(paths))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be hashed and how; `side` is the shortest to which a JPEG may be reduced."""

    paths: tuple[str, ...]
    hashes: tuple[str, ...]
    side: int | None

    def is_served_by(self, row: FileHashes) -> bool:
        """Whether an earlier result is as good as a new one."""
        return row.problem is None and row.hashes.keys() >= set(self.hashes) and not (row.reduced and self.side is None)


def _shortest_side(names: Sequence[str]) -> int | None:
    sides = [HASHES.load(name).DRAFT for name in names]
    return None if None in sides else max(sides, default=None)


def _hash_all(plan: _Plan, store: Path | None, workers: int) -> Iterator[FileHashes]:
    known = {}
    for row in read_parts(store) if store else ():
        earlier = FileHashes(**row)
        if plan.is_served_by(earlier):
            known[earlier.path, earlier.size, earlier.changed] = earlier
    hash_file = functools.partial(_hash_file, names=plan.hashes, side=plan.side)
    with process_pool(workers) as pool:
        run: Any = map if pool is None else functools.partial(pool.map, chunksize=_BATCH)
        for start in range(0, len(plan.paths), _PART):
            part = plan.paths[start : start + _PART]
            rows = [known.get((path, *_stamp(path))) for path in part]
            try:
                new = list(run(hash_file, [path for path, row in zip(part, rows, strict=True) if row is None]))
            except BrokenProcessPool as error:
                raise DatasetError("a process that hashes pictures was killed. Run it again with fewer.") from error
            if store and new:
                add_part(store, [dataclasses.asdict(row) for row in new])
            fresh = iter(new)
            yield from (next(fresh) if row is None else row for row in rows)


def _stamp(path: str) -> tuple[int, int]:
    """Size and time of change of a file; zeros if it isn't there."""
    try:
        stat = os.stat(path)
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _hash_file(path: str, names: tuple[str, ...], side: int | None) -> FileHashes:
    size, changed = _stamp(path)
    sha256 = ""
    try:
        data = read_bytes(Path(path))
        sha256 = hashlib.sha256(data).hexdigest()
        with open_image(data, path) as picture:
            width, height = picture.size if orientation(picture) < _LYING else reversed(picture.size)
            reduced = side is not None and reduce_jpeg(picture, "L", side)
            picture.load()
            pixels = shown_pixels(picture, path)
    except PictureError as error:
        return FileHashes(path=path, size=size, changed=changed, sha256=sha256, problem=f"{error.kind}: {error.reason}")
    return FileHashes(
        path=path,
        size=size,
        changed=changed,
        sha256=sha256,
        width=width,
        height=height,
        hashes={name: perceptual_hash(name, pixels) for name in names},
        reduced=reduced,
    )
