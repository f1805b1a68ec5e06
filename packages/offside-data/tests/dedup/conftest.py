"""Datasets with planted duplicates, and copies of pictures as they come about in the wild."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from offside_data.dataset.folder import OffsideDataset
from offside_data.schema import EncodedImage, Record, make_image_id, make_record_id


def encode(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(picture: Image.Image) -> bytes:
    return encode(picture, "JPEG", quality=40)


def half(picture: Image.Image) -> bytes:
    return encode(picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS))


def brighter(picture: Image.Image) -> bytes:
    return encode(picture.point([min(255, round(level * 1.12)) for level in range(256)] * 3))


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "exact": lambda picture: encode(picture, "PNG", compress_level=1),
    "jpeg": jpeg,
    "half": half,
    "brighter": brighter,
}


@pytest.fixture(scope="session")
def copies() -> dict[str, Callable[[Image.Image], bytes]]:
    """Ways to copy a picture."""
    return COPIES


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """A picture's bytes in a format."""
    return encode


def picture_id(subject: str, picture: str) -> str:
    return make_image_id("test", f"{subject}/{picture}")


def shows(records: Iterable[Record], image_id: str, data: bytes) -> list[Record]:
    """The records with another picture under an id."""
    image = EncodedImage(bytes=data, path=f"{image_id}.png")
    return [dataclasses.replace(r, image=image) if r.image_id == image_id and r.image else r for r in records]


def copied(records: Iterable[Record], image_id: str, name: str, data: bytes, **changes: Any) -> list[Record]:
    """Records about a copy of a picture: what is said about the picture, under ids of their own."""
    new = make_image_id("test", name)
    image = EncodedImage(bytes=data, path=f"{new}.png")
    found = []
    for record in records:
        if record.image_id == image_id:
            fields: dict[str, Any] = {
                "record_id": make_record_id("test", record.subject_id, name, record.attribute, record.modality),
                "image_id": new,
                "image": image if record.image else None,
            }
            if record.modality == "text":
                fields["question"] = f"In the photo {name}: {record.question}"
            found.append(dataclasses.replace(record, **{**fields, **changes}))
    return found


@pytest.fixture(scope="session")
def copy_records() -> Callable[..., list[Record]]:
    """Records about a copy of a picture."""
    return copied


@pytest.fixture
def with_scenes(records: list[Record], make_scene: Any) -> list[Record]:
    """`records` with pictures that can be recognised; each picture that one was made from looks like another."""
    for number, image_id in enumerate(sorted({r.image_id for r in records if r.image_id})):
        records = shows(records, image_id, encode(make_scene(number)))
    return records


@pytest.fixture
def scene_of(with_scenes: list[Record]) -> Callable[[str], Image.Image]:
    """The picture of an id."""

    def find(image_id: str) -> Image.Image:
        data = next(r.image.bytes for r in with_scenes if r.image_id == image_id and r.image)
        return Image.open(io.BytesIO(data)).convert("RGB")

    return find


@pytest.fixture
def plant(
    with_scenes: list[Record], scene_of: Any, tmp_path: Path, write_dataset: Any
) -> Callable[..., OffsideDataset]:
    """Write the dataset with copies of pictures: `(subject, picture, name of the copy, kind, changes)`."""

    def make(*copies: tuple[Any, ...], drop: Iterable[str] = (), name: str = "planted") -> OffsideDataset:
        kept = [r for r in with_scenes if r.record_id not in set(drop)]
        for subject, picture, copy, kind, *changes in copies:
            origin = picture_id(subject, picture)
            data = COPIES[kind](scene_of(origin))
            kept += copied(with_scenes, origin, copy, data, **(changes[0] if changes else {}))
        dataset: OffsideDataset = write_dataset(tmp_path / name, kept)
        return dataset

    return make
