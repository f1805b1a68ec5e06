"""What a dataset and its kept releases hold of a subject: records, pictures and what nearly is one, names, ids, hashes.

All of it is read, little of it is held: columns state by state, pictures row group by row group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from offside_data.dataset.folder import OffsideDataset
from offside_data.dedup.near import pairs_within
from offside_data.dedup.second_look import SecondLook, small_picture
from offside_data.errors import PictureError
from offside_data.images.decode import decode_image
from offside_data.images.hashes.phash import RADIUS
from offside_data.images.hashing import hamming, perceptual_hash, pixels_sha256
from offside_data.processes import Workers, process_count
from offside_data.takedown.names import Traces, id_traces, name_traces, near_traces, picture_traces
from offside_data.takedown.search import Judge, Judgement

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

__all__ = ["RADIUS", "LookAlike", "PictureSearch", "Shown", "SubjectData", "collect", "others_names"]

NAME_ATTRIBUTE = "name"
"""The attribute whose values are a subject's names, in any taxonomy that has it."""
_SHARED_FROM = 1_000
"""Pictures from which on a second process pays for its start."""
_BATCH = 16
"""Pictures that a process hashes at a time."""


class Hashes(NamedTuple):
    """Of a picture's pixels: SHA-256, and the perceptual hash."""

    pixels_sha256: str
    phash: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as a dataset holds it, by the SHA-256 of its encoded bytes."""

    image_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A picture that nearly is one of the subject's.

    Args:
        shown: The picture.
        like: Id of the subject's picture.
        distance: In how many bits their perceptual hashes differ.
    """

    shown: Shown
    like: str
    distance: int


class PictureSearch:
    """Looks through the pictures of datasets; what was decoded once isn't decoded again."""

    def __init__(self) -> None:
        self.hashes: dict[str, Hashes | None] = {}  # By SHA-256 of the bytes; null if they can't be decoded.
        self._small: dict[str, NDArray[np.uint8]] = {}

    def shown_in(self, datasets: Iterable[OffsideDataset]) -> list[Shown]:
        """Every picture of some datasets once, twins included; `hashes` knows them afterwards."""
        found: dict[Shown, None] = {}
        datasets = list(datasets)
        waiting = self._not_hashed(datasets, found)
        listed = sum(len(dataset.frame("images", ["image_id"])) for dataset in datasets)
        with Workers(None, process_count() if listed >= _SHARED_FROM and not self.hashes else 1) as workers:
            for hashed in workers.map(_hash_pictures, waiting):
                self.hashes |= hashed
        return list(found)

    def _not_hashed(
        self, datasets: Iterable[OffsideDataset], found: dict[Shown, None]
    ) -> Iterator[list[tuple[str, bytes]]]:
        asked, batch = set(self.hashes), []
        for image_id, data in _pictures_in(datasets):
            sha256 = hashlib.sha256(data).hexdigest()
            found[Shown(image_id, sha256)] = None
            if sha256 not in asked:
                asked.add(sha256)
                batch.append((sha256, data))
            if len(batch) == _BATCH:
                yield batch
                batch = []
        yield batch

    def keep_small(self, shown: Iterable[Shown], datasets: Iterable[OffsideDataset]) -> None:
        """Keep what the second look needs of some pictures, which may be gone when it looks again."""
        wanted = {one.sha256 for one in shown if self.hashes[one.sha256] is not None} - self._small.keys()
        for image_id, data in _pictures_in(datasets, {one.image_id for one in shown}) if wanted else ():
            sha256 = hashlib.sha256(data).hexdigest()
            if sha256 in wanted and sha256 not in self._small:
                self._small[sha256] = small_picture(data, f"picture {image_id}")

    def look_alikes(
        self, own: Sequence[Shown], others: Sequence[Shown], radius: int, datasets: Sequence[OffsideDataset]
    ) -> Iterator[LookAlike]:
        """Those of `others` that nearly are one of `own`: near by perceptual hash, and the same at a second look.

        Args:
            own: A subject's pictures; those that can be decoded were kept (`keep_small`).
            others: The pictures to look through.
            radius: In bits of the perceptual hash.
            datasets: Where the others lie.
        """
        left = [(shown, hashes) for shown in own if (hashes := self.hashes[shown.sha256]) is not None]
        right = [(shown, hashes) for shown in others if (hashes := self.hashes[shown.sha256]) is not None]
        near = pairs_within([hashes.phash for _, hashes in left], [hashes.phash for _, hashes in right], radius)
        self.keep_small({right[theirs][0] for _, theirs, _ in near}, datasets)
        look = SecondLook()
        for mine, theirs, distance in near:
            (a, first), (b, second) = left[mine], right[theirs]
            small = self._small[a.sha256], self._small[b.sha256]
            if first.pixels_sha256 == second.pixels_sha256 or look.compare(*small).same:
                yield LookAlike(b, a.image_id, distance)

    def is_alike(self, own: Iterable[Shown], sha256: str, data: bytes, radius: int) -> bool:
        """Whether a picture from anywhere, whose hashes are known, nearly is one of `own`; as `look_alikes` has it."""
        hashes, look = self.hashes[sha256], SecondLook()
        if hashes is None:
            return False
        small: NDArray[np.uint8] | None = None
        for shown in own:
            mine = self.hashes[shown.sha256]
            if mine is not None and hamming(mine.phash, hashes.phash) <= radius:
                small = small_picture(data, sha256) if small is None else small
                if look.compare(self._small[shown.sha256], small).same:
                    return True
        return False


def _pictures_in(
    datasets: Iterable[OffsideDataset], image_ids: Collection[str] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Id and encoded bytes of all pictures, or of some, in records and tables; few are in memory at a time.

    Other than `OffsideDataset.encoded_pictures`, this gives all of them if one id stands for several.
    """
    import polars as pl

    for dataset in datasets:
        for part in (part for part in dataset.parts() if not part.startswith("text/") and part != "subjects"):
            for batch in dataset.batches(part, ["image_id", "image"]):
                rows = batch.drop_nulls("image")
                if image_ids is not None:
                    rows = rows.filter(pl.col("image_id").is_in(image_ids))
                shown = rows.select("image_id", pl.col("image").struct.unnest())
                for (file, group), places in shown.group_by("file", "group", maintain_order=True):
                    pictures = dataset.pictures.images(int(str(file)), int(str(group)))
                    indices = pictures.indices.to_pylist()
                    named = places.select("image_id", "row").iter_rows()
                    for image_id, index in dict.fromkeys((image_id, indices[row]) for image_id, row in named):
                        if index is not None:
                            yield str(image_id), pictures.dictionary[index].as_py()


def _hash_pictures(_: None, pictures: list[tuple[str, bytes]]) -> dict[str, Hashes | None]:
    """The hashes of pictures by SHA-256 of their bytes; null for one that can't be decoded (`check` finds those)."""
    found: dict[str, Hashes | None] = {}
    for sha256, data in pictures:
        try:
            picture = decode_image(data)
            found[sha256] = Hashes(pixels_sha256(picture), perceptual_hash("phash", picture))
        except PictureError:
            found[sha256] = None
    return found


# ---------------------------------------------------------------------------------------------
# All of a subject


@dataclass
class SubjectData:
    """What datasets hold of one subject.

    Args:
        subject_id: The subject.
        names: What it is called.
        records: Ids of the records about it or about its pictures, and of others' records that name it.
        pictures: Ids of the pictures that show it.
        shown: Those pictures that are listed as the subject's.
        look_alikes: The others.
        search: What was looked at.
    """

    subject_id: str
    names: set[str] = field(default_factory=set)
    records: set[str] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)
    shown: list[Shown] = field(default_factory=list)
    look_alikes: list[LookAlike] = field(default_factory=list)
    search: PictureSearch = field(default_factory=PictureSearch)

    def __bool__(self) -> bool:
        return bool(self.records or self.pictures or self.names)

    def traces(self) -> set[str]:
        """Everything that would give the subject away."""
        found = id_traces(self.subject_id)
        for name in self.names:
            found |= name_traces(name) | near_traces(name)
        for name in self.records | self.pictures:
            found |= id_traces(name)
        for shown in [*self.shown, *(alike.shown for alike in self.look_alikes)]:
            hashes = self.search.hashes[shown.sha256]
            found |= picture_traces(shown.sha256, hashes.pixels_sha256 if hashes else None)
        return found

    def judge(self, traces: Traces, radius: int) -> Judge:
        """Judges pictures: whether one is the subject's, or nearly is one of those that were listed as its own.

        Args:
            traces: Of everybody who was taken down.
            radius: In bits of the perceptual hash.
        """

        def judge(sha256: str, data: bytes) -> Judgement | None:
            if traces.has_picture(sha256):
                return Judgement("left", f"a picture, SHA-256 {sha256}.")
            if sha256 not in self.search.hashes:
                self.search.hashes |= _hash_pictures(None, [(sha256, data)])
            hashes = self.search.hashes[sha256]
            if hashes is None:
                return Judgement("unread", "a picture that can't be decoded, so it can't be compared.")
            if traces.has_picture(hashes.pixels_sha256):
                return Judgement("left", f"a picture, SHA-256 {sha256}.")
            if self.search.is_alike(self.shown, sha256, data, radius):
                return Judgement("left", f"it nearly is a picture of the subject, SHA-256 {sha256}.")
            return None

        return judge


def collect(
    subject_id: str, datasets: Sequence[OffsideDataset], *, aliases: Collection[str] = (), radius: int = RADIUS
) -> SubjectData:
    """Find what several states of a dataset hold of a subject; nothing if they don't know it.

    Args:
        subject_id: The subject.
        datasets: The dataset as it is, and as it was released.
        aliases: Other names of the subject.
        radius: How far pictures may differ that are looked at a second time, in bits of the perceptual hash.
    """
    found = SubjectData(subject_id)
    origins: set[tuple[str, str]] = set()
    for dataset in datasets:
        _add_listed(dataset, found, origins)
    if not found:
        return found
    found.names |= set(aliases)
    _add_relatives(origins, found)
    pictures = found.search.shown_in(datasets)
    found.shown = [shown for shown in pictures if shown.image_id in found.pictures]
    others = [shown for shown in pictures if shown.image_id not in found.pictures]
    found.search.keep_small(found.shown, datasets)
    found.look_alikes = list(found.search.look_alikes(found.shown, others, radius, datasets))
    found.pictures |= {alike.shown.image_id for alike in found.look_alikes}
    _add_relatives(origins, found)
    naming = Traces.of({trace for name in found.names for trace in name_traces(name)})
    for dataset in datasets:
        spared = naming.sparing(others_names(dataset.frame("subjects", ["subject_id", "name"]), subject_id))
        found.records |= set(_about_pictures(dataset, found.pictures))
        found.records |= set(_that_name(dataset, spared))
    return found


def others_names(subjects: pl.DataFrame, subject_id: str) -> list[str]:
    """Names of the other subjects of a table."""
    return [name for other, name in subjects.select("subject_id", "name").iter_rows() if name and other != subject_id]


def _add_listed(dataset: OffsideDataset, found: SubjectData, origins: set[tuple[str, str]]) -> None:
    """Add what is listed as the subject's, and of all pictures from which other one they were made."""
    import polars as pl

    of_subject = pl.col("subject_id") == found.subject_id
    subjects = dataset.frame("subjects", ["subject_id", "name"]).filter(of_subject)
    images = dataset.frame("images", ["image_id", "subject_id", "derived_from", "twin_of"])
    claims = dataset.claims(["record_id", "subject_id", "image_id", "derived_from", "attribute", "value"])
    own = claims.filter(of_subject)
    named = own.filter((pl.col("attribute") == NAME_ATTRIBUTE) & pl.col("value").is_not_null())
    found.names |= {name for name in subjects["name"] if name}
    found.names |= {text for text in named["value"].struct.field("text") if text}
    found.records |= set(own["record_id"])
    found.pictures |= set(own["image_id"].drop_nulls()) | set(images.filter(of_subject)["image_id"])
    for frame, column in ((images, "derived_from"), (images, "twin_of"), (claims, "derived_from")):
        origins |= set(frame.select("image_id", column).drop_nulls().unique().iter_rows())


def _add_relatives(origins: Collection[tuple[str, str]], found: SubjectData) -> None:
    """Add the pictures that were made from the subject's: augmented copies and twins."""
    size = -1
    while size < len(found.pictures):
        size = len(found.pictures)
        found.pictures |= {picture for picture, origin in origins if origin in found.pictures}


def _about_pictures(dataset: OffsideDataset, pictures: Collection[str]) -> pl.Series:
    """Ids of the records about some pictures or such that are made from them."""
    import polars as pl

    is_about = pl.col("image_id").is_in(pictures) | pl.col("derived_from").is_in(pictures)
    return dataset.claims(["record_id", "image_id", "derived_from"]).filter(is_about)["record_id"]


def _that_name(dataset: OffsideDataset, traces: Traces) -> Iterator[str]:
    """Ids of the records that are about who is called so, because a name stands in what they say."""
    import polars as pl

    said = (*("question", "answer", "cloze", "agreed_value"), "text")
    for part in dataset.record_parts() if traces else ():
        for batch in dataset.batches(part, ["record_id", "question", "answer", "cloze", "agreed_value", "value"]):
            texts = batch.with_columns(pl.col("value").struct.field("text"))
            named = [
                pl.col(name).is_in([text for text in texts[name].drop_nulls().unique() if traces.names_in(text)])
                for name in said
            ]
            yield from texts.filter(pl.any_horizontal(named))["record_id"]
