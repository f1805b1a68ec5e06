"""Is every picture there, readable, the same wherever it stands, and listed."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import Inspection, Item
from offside_data.errors import SourceError
from offside_data.images.decode import verify_image
from offside_data.issues import Issue


def run(inspection: Inspection) -> Iterator[Issue]:
    """Check pictures of records and of the table of pictures."""
    asked = list(inspection.of("multimodal"))
    yield from _missing(asked)
    shown = [item for item in [*asked, *inspection.items.get("images", ())] if _sha256(item)]
    yield from _unreadable(shown, inspection.pictures)
    yield from _differing(shown)
    yield from _unlisted(inspection)


def _sha256(item: Item) -> str | None:
    image: dict[str, str | None] | None = item.row["image"]
    return image["sha256"] if image else None


def _missing(asked: list[Item]) -> Iterator[Issue]:
    missing = [item for item in asked if not _sha256(item)]
    if missing and len(missing) == len(asked):
        message = (
            f"none of the {len(asked)} picture records has its picture, so no model can be shown them. "
            "Ingest again without --without-images once the pictures are there."
        )
        yield Issue("warning", "images-absent", "multimodal", message)
        return
    for item in missing:
        image = item.row["image"]
        stored = f"only the path {image['path']!r} is stored, not the bytes" if image else "there is none"
        message = f"it asks about picture {item.row['image_id']}, but {stored}."
        yield Issue("error", "image-missing", item.name, message)


def _unreadable(shown: list[Item], pictures: dict[str, bytes]) -> Iterator[Issue]:
    seen = set()
    for item in shown:
        sha256 = _sha256(item)
        if sha256 is None or sha256 in seen:
            continue
        seen.add(sha256)
        try:
            verify_image(pictures[sha256], f"picture {item.row['image_id']} of {item.name}")
        except SourceError as error:
            yield Issue("error", "image-unreadable", str(item.row["image_id"]), str(error))


def _differing(shown: list[Item]) -> Iterator[Issue]:
    known: dict[str, str | None] = {}
    differing = {
        item.row["image_id"] for item in shown if known.setdefault(item.row["image_id"], _sha256(item)) != _sha256(item)
    }
    for picture in sorted(map(str, differing)):
        message = "stands for pictures with different bytes; one image_id is one picture."
        yield Issue("error", "image-differs", picture, message)


def _unlisted(inspection: Inspection) -> Iterator[Issue]:
    table = {item.name: item for item in inspection.items.get("images", ())}
    unlisted = set()
    wrong = set()
    for item in inspection.records:
        picture, sha256 = item.row["image_id"], _sha256(item)
        if picture is None:
            continue
        if picture not in table:
            unlisted.add(picture)
        elif sha256 and table[picture].row["sha256"] not in (None, sha256):
            wrong.add(picture)
    for picture in sorted(unlisted):
        message = "has records but no row in tables/images.parquet."
        yield Issue("warning", "image-unlisted", picture, message)
    for picture in sorted(wrong):
        message = "tables/images.parquet states another sha256 than that of the picture's bytes."
        yield Issue("error", "image-hash", picture, message)
