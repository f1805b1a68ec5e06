"""Does a picture stand in two splits: under one id, with equal pixels, or nearly the same."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from offside_data.checks._base import Inspection, Item
from offside_data.dedup.clusters import Cluster, Picture
from offside_data.dedup.dataset import DedupConfig, radius_of
from offside_data.dedup.find import find_duplicates
from offside_data.errors import PictureError
from offside_data.issues import Issue
from offside_data.schema import SPLITS

_ADVICE = "Keep it in one split, or say with derived_from that one was made from the other."


def run(inspection: Inspection) -> Iterator[Issue]:
    """Compare the pictures of all splits, as `dedup` does; copies that say what they were made from are no leak."""
    config = DedupConfig(hash="phash")  # Which the table of pictures states.
    pictures, encoded = _pictures(inspection)

    def read(positions: Collection[int]) -> Iterator[tuple[int, bytes]]:
        yield from ((i, encoded[i]) for i in positions if i in encoded)

    for picture in pictures:
        if len(picture.splits) > 1:
            message = f"the same picture stands in {' and '.join(picture.splits)}. {_ADVICE}"
            yield Issue("error", "picture-leak", picture.key, message)
    found = find_duplicates(pictures, read, radius=radius_of(config), look=config.look)
    for cluster in found.clusters:
        yield from _across_splits(cluster)


def _across_splits(cluster: Cluster) -> Iterator[Issue]:
    """An issue for each picture that stands in another split than the first one does."""
    first, *others = sorted(cluster.pictures, key=lambda p: (SPLITS.index(p.splits[0]), p.key))
    for picture in others:
        if picture.splits != first.splits:
            alike = "has the same pixels as" if picture.content == first.content else "shows the same as"
            message = (
                f"it stands in {' and '.join(picture.splits)} and {alike} {first.key} in "
                f"{' and '.join(first.splits)}. {_ADVICE}"
            )
            yield Issue("error", "picture-leak", picture.key, message)


def _pictures(inspection: Inspection) -> tuple[list[Picture], dict[int, bytes]]:
    """Each picture that picture records are about, and the bytes of those that are stored, by position."""
    table = {item.name: item.row for item in inspection.items.get("images", ())}
    groups: dict[tuple[str, str | None], list[Item]] = defaultdict(list)
    for item in inspection.of("multimodal"):
        image = item.row["image"]
        if item.row["image_id"] is not None and item.row["split"] in SPLITS:
            groups[item.row["image_id"], image and image["sha256"]].append(item)
    pictures: list[Picture] = []
    encoded: dict[int, bytes] = {}
    for (key, sha256), items in sorted(groups.items(), key=lambda group: (group[0][0], group[0][1] or "")):
        if sha256 is not None:
            encoded[len(pictures)] = inspection.pictures[sha256]
        row = table.get(key, {})
        splits = {item.row["split"] for item in items}
        pictures.append(
            Picture(
                key=key,
                **_hashes(key, sha256, row, encoded.get(len(pictures))),
                origin=next((i.row["derived_from"] for i in items if i.row["derived_from"]), row.get("derived_from")),
                splits=tuple(split for split in SPLITS if split in splits),
            )
        )
    return pictures, encoded


def _hashes(key: str, sha256: str | None, row: dict[str, Any], data: bytes | None) -> dict[str, Any]:
    """What is needed to compare a picture: as its row states, unless that is of other bytes, else from the pixels."""
    from offside_data.images.hashing import hash_image

    stated = row if sha256 is None or row.get("sha256") in (None, sha256) else {}
    content, phash = stated.get("pixels_sha256"), stated.get("phash")
    if data is not None and (content is None or phash is None):
        with contextlib.suppress(PictureError):  # Another check says so.
            made = hash_image(data)
            content, phash = content or made.pixels_sha256, phash or made.phash
    return {
        "content": content or sha256 or f"unknown, of {key}",
        "hashes": (phash,) if phash else (),
        "width": 0,  # Nothing is dropped, so nobody asks which one is larger.
        "height": 0,
    }
