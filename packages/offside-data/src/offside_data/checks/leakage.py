"""Does a picture stand in two splits: under one id, with equal pixels, or nearly the same."""

from __future__ import annotations

import contextlib
import functools
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offside_data.checks._base import CheckedDataset
from offside_data.dataset.picture_names import file_of
from offside_data.dedup.clusters import Cluster, HashedPicture, LookedAt
from offside_data.dedup.declared import declared_apart
from offside_data.dedup.find import Told, find_duplicates
from offside_data.dedup.pictures import claims_about
from offside_data.errors import DatasetError, PictureError
from offside_data.images.hashes.phash import RADIUS
from offside_data.issues import Issue
from offside_data.schema import SPLITS

if TYPE_CHECKING:
    import polars as pl

_ADVICE = "Keep it in one split, or say with derived_from that one was made from the other."
_STATED = ("pixels_sha256", "phash")
"""What the table of pictures states and is needed to compare them."""
_SHOWN = 3


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Compare the pictures of all splits, as `dedup` does; copies that say what they were made from are no leak."""
    shown = _with_hashes(_shown(checked), checked)
    pictures = [_picture(row) for row in shown.iter_rows(named=True)]
    hashes: list[str | None] = shown["picture_sha256"].to_list()

    def read(positions: Collection[int]) -> Iterator[tuple[int, bytes]]:
        wanted: dict[str, list[int]] = defaultdict(list)
        for position in positions:
            if sha256 := hashes[position]:
                wanted[sha256].append(position)
        for sha256, data in checked.encoded(wanted):
            yield from ((position, data) for position in wanted[sha256])

    for picture in pictures:
        if len(picture.splits) > 1:
            message = f"the same picture stands in {' and '.join(picture.splits)}. {_ADVICE}"
            yield Issue("error", "picture-leak", picture.key, message)
    told = Told(apart=_declared_apart(checked), claims=functools.partial(claims_about, checked.dataset))
    found = find_duplicates(pictures, read, radius=RADIUS, told=told)
    for cluster in found.clusters:
        yield from _across_splits(cluster)
    yield from _look_alikes(found.look_alikes)


def _declared_apart(checked: CheckedDataset) -> set[frozenset[str]]:
    try:
        return declared_apart(checked.dataset.path)
    except DatasetError:  # Another issue says so.
        return set()


def _across_splits(cluster: Cluster) -> Iterator[Issue]:
    """An issue for each picture that stands in another split than the first one does."""
    first, *others = sorted(cluster.pictures, key=lambda p: (SPLITS.index(p.splits[0]), p.key))
    for picture in others:
        if picture.splits != first.splits and not _look_alike(cluster, picture, first):
            alike = "has the same pixels as" if picture.content == first.content else "shows the same as"
            called = f"{picture.file} " if picture.file else "it "
            message = (
                f"{called}stands in {' and '.join(picture.splits)} and {alike} {first.name} in "
                f"{' and '.join(first.splits)}. {_ADVICE}"
            )
            yield Issue("error", "picture-leak", picture.key, message)


def _look_alike(cluster: Cluster, a: HashedPicture, b: HashedPicture) -> bool:
    """Whether two pictures of a cluster differ in some place, though both are like a third one."""
    pairs = [(member.picture, cluster.keeper, member.second_look) for member in cluster.others]
    pairs += [(pair.a, pair.b, pair.second_look) for pair in cluster.look_alikes]
    return any({x.key, y.key} == {a.key, b.key} and look is not None and look.look_alike for x, y, look in pairs)


def _look_alikes(pairs: Sequence[LookedAt]) -> Iterator[Issue]:
    """One issue for the look-alikes of each two splits: screenshots of one template may be many."""
    by_splits: dict[tuple[str, str], list[LookedAt]] = defaultdict(list)
    for pair in pairs:
        first, second = sorted((SPLITS.index(picture.splits[0]), picture.splits[0]) for picture in (pair.a, pair.b))
        if pair.a.splits != pair.b.splits:
            by_splits[first[1], second[1]].append(pair)
    for splits, found in sorted(by_splits.items()):
        shown = "; ".join(f"{pair.a.name} and {pair.b.name}" for pair in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        message = (
            f"{len(found):,} pairs of pictures are the same but for some place, most likely the text they show: "
            f"{shown}{more}. Look at them with offside-data dedup: if two are one picture, it is a leak; if not, "
            "say so with --not-duplicates, or waive this for all of them."
        )
        yield Issue("warning", "picture-look-alike", " and ".join(splits), message)


def _shown(checked: CheckedDataset) -> pl.DataFrame:
    """Each picture that picture records are about, with its splits, its origin, and what the table says of it."""
    import polars as pl

    col = pl.col
    multimodal = col("part").cast(pl.String).str.starts_with("multimodal/")
    asked = checked.records.filter(multimodal, col("image_id").is_not_null(), col("split").is_in(SPLITS))
    groups = asked.group_by("image_id", "picture_sha256").agg(
        col("split").cast(pl.String).unique(),
        col("derived_from").replace("", None).drop_nulls().first(),
    )
    columns = ("image_id", "sha256", "derived_from", "source", *_STATED)
    table = checked.tables["images"].unique("image_id", keep="last").select(*columns)
    groups = groups.join(table, on="image_id", how="left", suffix="_of_row")
    # Hashes of other bytes say nothing.
    believed = col("picture_sha256").is_null() | col("sha256").is_null() | (col("sha256") == col("picture_sha256"))
    return groups.select(
        *(
            "image_id",
            "picture_sha256",
            "split",
            pl.coalesce("derived_from", "derived_from_of_row").alias("derived_from"),
            "source",
        ),
        *(pl.when(believed).then(name) for name in _STATED),
    ).sort("image_id", "picture_sha256", nulls_last=False)


def _with_hashes(shown: pl.DataFrame, checked: CheckedDataset) -> pl.DataFrame:
    """The same with hashes of the pixels where none are stated."""
    import polars as pl

    from offside_data.images.hashing import hash_image

    lacking = shown.filter(pl.any_horizontal(pl.col(name).is_null() for name in _STATED))["picture_sha256"].drop_nulls()
    made: list[tuple[str, str, str]] = []
    for sha256, data in checked.encoded(lacking.unique().to_list()):
        with contextlib.suppress(PictureError):  # Another check says so.
            hashes = hash_image(data)
            made.append((sha256, hashes.pixels_sha256, hashes.phash))
    new = pl.DataFrame(made, dict.fromkeys(("picture_sha256", *_STATED), pl.String), orient="row")
    joined = shown.join(new, on="picture_sha256", how="left", maintain_order="left", suffix="_made")
    return joined.with_columns(pl.coalesce(name, f"{name}_made").alias(name) for name in _STATED)


def _picture(row: Mapping[str, Any]) -> HashedPicture:
    return HashedPicture(
        key=row["image_id"],
        content=row["pixels_sha256"] or row["picture_sha256"] or f"unknown, of {row['image_id']}",
        hashes=(row["phash"],) if row["phash"] else (),
        width=0,  # Nothing is dropped, so nobody asks which one is larger.
        height=0,
        origin=row["derived_from"],
        splits=tuple(split for split in SPLITS if split in row["split"]),
        file=file_of(row["source"]),
    )
