"""Pictures of a dataset as data URIs: decoded, made small and encoded anew, so that nothing else gets in."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from offside_data.errors import SourceError
from offside_data.images.decode import verify_image

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset

LONGEST_SIDE = 168
"""Of a thumbnail: a card shows it at 112 points, and each picture stands in the page once."""
SPLITS = ("forget", "retain", "test", "relearn", "utility")
PictureKey = tuple[str, str]
"""image_id and variant: `plain`, or the twin shown instead (`blank`, `swapped`)."""


def data_uris(dataset: OffsideDataset, wanted: Iterable[PictureKey]) -> dict[PictureKey, str]:
    """Encode the pictures wanted; one that can't be read is left out."""
    missing = set(wanted)
    found = {}
    for key, data in (_twins(dataset, missing) | _plain(dataset, missing)).items():
        uri = encode(data, key[0])
        if uri is not None:
            found[key] = uri
    return found


def _plain(dataset: OffsideDataset, wanted: set[PictureKey]) -> dict[PictureKey, bytes]:
    left = {image_id for image_id, variant in wanted if variant == "plain"}
    found: dict[PictureKey, bytes] = {}
    for split in SPLITS:
        if not left or not dataset.has("multimodal", split):
            continue
        records = dataset.records("multimodal", split)
        for index, image_id in enumerate(records["image_id"]):
            if image_id in left:
                left.discard(image_id)
                picture = records[index]["image"]
                if picture is not None:
                    found[image_id, "plain"] = picture["bytes"]
    return found


def _twins(dataset: OffsideDataset, wanted: set[PictureKey]) -> dict[PictureKey, bytes]:
    if all(variant == "plain" for _, variant in wanted):
        return {}
    images = dataset.images()
    facts = images.select_columns(["twin_of", "twin"])
    found = {}
    for index, row in enumerate(facts):
        key = (row["twin_of"], row["twin"])
        if key in wanted:
            picture = images[index]["image"]
            if picture is not None:
                found[key] = picture["bytes"]
    return found


def encode(data: bytes, where: str) -> str | None:
    """A small PNG or JPEG as a data URI; null when the bytes aren't a picture."""
    from PIL import Image

    try:
        verify_image(data, where)
    except SourceError:
        return None
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    drawn = max(picture.size) <= LONGEST_SIDE
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    out = io.BytesIO()
    if drawn:
        picture.save(out, "PNG", optimize=True)
    else:
        picture.save(out, "JPEG", quality=85)
    kind = "png" if drawn else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"
