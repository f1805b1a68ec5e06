"""Pictures on their way into a dataset: found, verified, normalised and hashed; what can't be used, quarantined."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from offside_data.adapters._base import Imported, Picture, Remark
from offside_data.dataset.journal import work_folder
from offside_data.dataset.pictures import PictureSpool
from offside_data.errors import MissingImagesError, PictureError, SourceError, listed
from offside_data.files import write_text
from offside_data.images.ahead import BATCH, PictureWork, SeenPicture
from offside_data.images.decode import MAX_BYTES, read_bytes
from offside_data.images.hashing import hash_image
from offside_data.images.nearby import Nearby, look_nearby
from offside_data.images.normalise import normalise_image
from offside_data.progress import track
from offside_data.schema import EncodedImage, RecordImage

QUARANTINE = "quarantine"
"""Sub-folder of a dataset's working area: pictures that can't be used, and `quarantine.jsonl`, which says why."""
SHOWN = 30
"""How many pictures an error message lists."""
_NAMED = 5
_NEVER_COPIED = ("missing", "unreadable", "outside")


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoadedPicture:
    """A picture as the dataset stores it, and what `tables/images.parquet` says of its bytes."""

    image: RecordImage
    columns: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadPicture:
    """A picture that can't be used.

    Args:
        picture: Which.
        path: Where it lies; null if it is embedded or missing.
        problem: Why.
    """

    picture: Picture
    path: Path | None
    problem: PictureError

    def __str__(self) -> str:
        return f"{self.problem.where}: {self.problem.kind}: {self.problem.reason}"

    def to_json(self) -> dict[str, str]:
        """The picture and its fault as plain values, without places on this machine."""
        return {
            "image_id": self.picture.image_id,
            "source": self.picture.key,
            "problem": self.problem.kind,
            "reason": self.problem.reason,
        }


@dataclass(frozen=True, slots=True)
class Intake:
    """What came of the pictures.

    Args:
        loaded: The usable ones by `image_id`.
        bad: The others.
        remarks: What was changed about the usable ones.
    """

    loaded: dict[str, LoadedPicture] = field(default_factory=dict)
    bad: list[BadPicture] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def load_pictures(
    imported: Imported, work: PictureWork, *, skip_bad: bool, spool: PictureSpool | None = None
) -> Intake:
    """Load the pictures that multimodal records need.

    Args:
        imported: What an adapter read.
        work: The processes that load them; they end with it.
        skip_bad: Go on without pictures that can't be used, as long as there are others.
        spool: Takes their bytes; without, they are held in memory.

    Raises:
        MissingImagesError: If some aren't there; counts them and says where they were looked for.
        SourceError: If some can't be used; lists them.
    """
    needed = {record.image_id for record in imported.records if record.modality == "multimodal"}
    wanted = [picture for picture in imported.pictures if picture.image_id in needed]
    found = {p.image_id: next((path for path in p.paths if os.path.isfile(path)), None) for p in wanted}
    intake = Intake()
    lost = [p for p in wanted if p.data is None and found[p.image_id] is None]
    nearby = look_nearby(lost, work.roots) if lost else Nearby()
    found |= nearby.found
    intake.remarks.extend(nearby.remarks)
    missing = [p for p in lost if p.image_id not in nearby.found]
    if missing and not (skip_bad and len(missing) < len(wanted)):
        raise MissingImagesError(_missing_message(missing, len(wanted)) + nearby.advice)
    # In the order in which they are stored, so that whoever writes the records reads the spool from front to back.
    ordered = sorted(wanted, key=lambda picture: (picture.split, picture.image_id)) if spool else wanted
    changes: dict[str, tuple[str, ...]] = {}
    with work:
        seen = work.seen()
        places = ((picture, found[picture.image_id]) for picture in ordered)
        jobs = ((picture, place, seen.pop(place, None) if place else None) for picture, place in places)
        came = work.workers(len(ordered)).map(_load_some, batched(jobs, BATCH))
        for picture, (result, path) in track(chain.from_iterable(came), "pictures", total=len(wanted)):
            if isinstance(result, PictureError):
                intake.bad.append(BadPicture(picture=picture, path=path, problem=result))
                continue
            image, columns, changes[picture.image_id] = result
            stored = image if spool is None else spool.add(image.bytes, image.path)
            intake.loaded[picture.image_id] = LoadedPicture(stored, columns)
    place = {picture.image_id: number for number, picture in enumerate(wanted)}
    intake.bad.sort(key=lambda bad: place[bad.picture.image_id])
    for picture in wanted:
        for why in changes.get(picture.image_id, ()):
            intake.remarks.append(Remark(kind="note", file=picture.key, index=None, why=why))
    if intake.bad and not (skip_bad and intake.loaded):
        raise SourceError(_bad_message(intake.bad, len(wanted)))
    return intake


Loaded = tuple[EncodedImage, dict[str, Any], tuple[str, ...]]


def _load_some(
    roots: Sequence[Path], jobs: Iterable[tuple[Picture, Path | None, SeenPicture | None]]
) -> list[tuple[Picture, tuple[Loaded | PictureError, Path | None]]]:
    """What came of some pictures, each with the file that it was read from."""
    found: list[tuple[Picture, tuple[Loaded | PictureError, Path | None]]] = []
    for picture, path, seen in jobs:
        result: Loaded | PictureError
        try:
            result = _load(picture, path, roots, seen)
        except PictureError as error:
            result = error
        found.append((picture, (result, path)))
    return found


def _load(picture: Picture, path: Path | None, roots: Sequence[Path], seen: SeenPicture | None) -> Loaded:
    if picture.data is not None:
        data, name = picture.data, picture.key
    elif path is not None:
        data, name = read_bytes(path, roots), str(path)
    else:
        raise PictureError(picture.key, "missing", "there is no such file.")
    if seen is not None and picture.data is None and hashlib.sha256(data).hexdigest() == seen.hashes.sha256:
        return EncodedImage(bytes=data, path=seen.name), dataclasses.asdict(seen.hashes), seen.changes
    normal = normalise_image(data, name)
    hashes = hash_image(normal.image.bytes, normal.pixels)
    return normal.image, dataclasses.asdict(hashes), normal.changes


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items in lists of `size`; the last one may be shorter."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def _missing_message(missing: list[Picture], wanted: int) -> str:
    keys = ", ".join(picture.key for picture in missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
    folders = list(dict.fromkeys(str(path.parent) for picture in missing for path in picture.paths))
    others = "leave their records out with --skip-bad, " if len(missing) < wanted else ""
    return (
        f"{len(missing)} of {wanted} distinct pictures are missing ({keys}). Looked in: "
        f"{', '.join(folders) or 'no folder'}. Put the pictures there, name their folder with "
        f"--image-dir, {others}or import the texts alone with --without-images."
    )


def _bad_message(bad: list[BadPicture], wanted: int) -> str:
    shown = listed(bad, shown=SHOWN)
    way_out = "Replace them" + (", or leave their records out with --skip-bad." if len(bad) < wanted else ".")
    return f"{len(bad)} of {wanted} pictures can't be used:\n{shown}\n{way_out}"


# ---------------------------------------------------------------------------------------------
# Without the bad ones


def reject_records(imported: Imported, bad: Sequence[BadPicture]) -> None:
    """Take the records that need a bad picture out of an import; see `Imported.leave_out`."""
    reasons = {b.picture.image_id: f"its picture {b.picture.key} can't be used: {b.problem.reason}" for b in bad}
    imported.leave_out(
        {
            record.record_id: reasons[record.image_id]
            for record in imported.records
            if record.modality == "multimodal" and record.image_id in reasons
        },
        pictures=reasons.keys(),
    )


def write_quarantine(folder: Path, bad: Sequence[BadPicture]) -> None:
    """Copy bad pictures into the working area of a dataset folder, with a line of the reason for each."""
    if not bad:
        return
    quarantine = work_folder(folder, QUARANTINE)
    quarantine.mkdir(parents=True)
    lines = [{**item.to_json(), "file": _copy(item, quarantine)} for item in bad]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_text(quarantine / "quarantine.jsonl", text)


def _copy(item: BadPicture, quarantine: Path) -> str | None:
    """Copy a bad picture; gives its name, null where it can't be copied or is none of the source's."""
    suffix = re.sub(r"[^\w.]", "", PurePosixPath(item.picture.key).suffix)[:10]
    target = quarantine / (re.sub(r"\W", "_", item.picture.image_id) + suffix)
    if item.picture.data is not None:
        target.write_bytes(item.picture.data)
        return target.name
    if item.path is not None and item.problem.kind not in _NEVER_COPIED:
        with contextlib.suppress(OSError):
            if item.path.stat().st_size <= MAX_BYTES:
                shutil.copyfile(item.path, target)
                return target.name
    return None
