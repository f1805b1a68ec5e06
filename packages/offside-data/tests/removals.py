"""Helpers of the tests of takedowns: remove `s1` of the small dataset, and change what stands in it before."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from whole_dataset import WholeDataset

from offside_data.schema import EncodedImage
from offside_data.takedown.removal import RemovalReport, remove_subject

REASON = "The subject asked for it."


def remove(folder: Path, **options: Any) -> RemovalReport:
    return remove_subject(folder, "s1", REASON, **options)


def change(folder: Path, edit: Callable[[WholeDataset], Any]) -> None:
    contents = WholeDataset.read(folder)
    edit(contents)
    contents.save(folder)


def of(contents: WholeDataset, subject: str, **conditions: Any) -> int:
    """Place of the first record of a subject that fits."""
    return next(
        place
        for place, record in enumerate(contents.records)
        if record.subject_id == subject and all(getattr(record, k) == v for k, v in conditions.items())
    )


def gradient(shift: int = 0) -> Image.Image:
    picture = Image.new("RGB", (96, 96))
    for x in range(96):
        for y in range(96):
            picture.putpixel((x, y), ((x * 5 + shift) % 256, (y * 3) % 256, ((x * y) // 7) % 256))
    return picture


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def show(contents: WholeDataset, picture: str, data: bytes) -> None:
    for place, record in enumerate(contents.records):
        if record.image_id == picture and record.image is not None:
            contents.records[place] = dataclasses.replace(record, image=EncodedImage(bytes=data, path="p"))
