"""Merge what records say about pictures that show the same, into the one that is kept.

Per cluster and attribute: where the keeper says the same, the dropped picture's record goes; where the keeper says
nothing, the record moves to the keeper and keeps its id; where they contradict, or where subjects or splits differ,
the cluster is left alone and a person has to look.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from offside_data.checks.questions import normalised
from offside_data.dataset.storage import Row
from offside_data.dataset.undo import RowChange, record_change
from offside_data.dedup.clusters import Cluster, HashedPicture
from offside_data.dedup.second_look import SecondLookResult
from offside_data.schema import SPLITS, VISUAL_CHANNELS, Record
from offside_data.tagging.values import same_value
from offside_data.taxonomy import Attribute, Taxonomy

_SHOWN_SPOTS = 2


@dataclass(kw_only=True)
class Merge:
    """What becomes of a cluster.

    Args:
        cluster: The cluster.
        goes: Records that go, each with the record of the keeper that says the same.
        moves: Records that move to the keeper.
        reasons: Why a person has to look first; then nothing is changed.
        tellable: Whether a person who says that it is one picture settles all of these.
        records: Each record touched, as it was and as it is; null where it wasn't or isn't.
        images: The same of rows of the table of pictures.
    """

    cluster: Cluster
    goes: dict[str, str] = field(default_factory=dict)
    moves: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    tellable: bool = False
    records: dict[str, tuple[Record | None, Record | None]] = field(default_factory=dict)
    images: dict[str, tuple[Row | None, Row | None]] = field(default_factory=dict)

    @property
    def changes(self) -> list[RowChange]:
        """Every row touched, as `save_undo` takes them."""
        records = [record_change(before, after) for before, after in self.records.values()]
        return records + [RowChange("images", before, after) for before, after in self.images.values()]


class Merger:
    """Records and table of pictures of a dataset, which merging changes.

    Args:
        records: All records; where only a plan is wanted, they may lack their pictures.
        images: Rows of the table of pictures.
        taxonomy: What the attributes mean.
        elsewhere: The dataset that the keepers lie in, if it is another one; it isn't changed.
    """

    def __init__(
        self,
        records: Iterable[Record],
        images: Iterable[Row],
        taxonomy: Taxonomy,
        elsewhere: Merger | None = None,
    ) -> None:
        self.records = {record.record_id: record for record in records}
        self.images = {row["image_id"]: row for row in images}
        self.taxonomy = taxonomy
        self.elsewhere = elsewhere
        self._about: dict[str | None, dict[str, None]] = defaultdict(dict)
        self._correcting: dict[str | None, dict[str, None]] = defaultdict(dict)
        self._derived: dict[str | None, dict[str, None]] = defaultdict(dict)
        for record in self.records.values():
            self._index(record)

    def merge(self, clusters: Iterable[Cluster], told: Collection[str] = ()) -> list[Merge]:
        """Merge all clusters that can be; those of forget pictures before those of their corrections.

        Args:
            clusters: The clusters.
            told: Names of those of which a person said that they are one picture.
        """

        def place(cluster: Cluster) -> tuple[int, str]:
            return min(SPLITS.index(split) for split in cluster.others[0].picture.splits), cluster.keeper.key

        return [self._merge(cluster, cluster.name in told) for cluster in sorted(clusters, key=place)]

    def about(self, picture: str) -> list[Record]:
        """The records about a picture, text records about its occasion among them."""
        return [self.records[name] for name in self._about[picture]]

    def _merge(self, cluster: Cluster, told: bool) -> Merge:
        merge = Merge(cluster=cluster, reasons=list(self._obstacles(cluster)))
        if not merge.reasons:
            self._compare_claims(merge)
        if not merge.reasons and self.elsewhere is not None:
            merge.reasons += self._ties(merge)
        doubts = [] if told else list(self._doubts(cluster))
        merge.tellable = bool(doubts) and not merge.reasons
        merge.reasons += doubts
        if not merge.reasons:
            self._carry_out(merge)
        return merge

    # -----------------------------------------------------------------------------------------
    # Whether it can be done

    def _obstacles(self, cluster: Cluster) -> Iterator[str]:
        records = [record for picture in cluster.pictures for record in self._home(picture).about(picture.key)]
        subjects = sorted({record.subject_id or "no subject" for record in records})
        if len(subjects) > 1:
            yield f"different subjects: {', '.join(subjects)}"
        splits = [split for split in SPLITS if any(record.split == split for record in records)]
        if len(splits) > 1:
            yield f"different splits: {', '.join(splits)}"
        if len({self._home(picture).origin(picture.key) for picture in cluster.pictures}) > 1:
            yield "declared to be made from different pictures (derived_from)"

    def _doubts(self, cluster: Cluster) -> Iterator[str]:
        """Why pictures that are alike may still say different things; a person who looks at them can tell."""
        for member in cluster.others:
            look = member.second_look
            if look is not None and look.look_alike:
                yield f"{member.picture.name} and {cluster.keeper.name} {differ_at(look)}"
            elif not member.like_keeper:
                yield f"{member.picture.name} is like others of the cluster, but not like the keeper"
        for pair in cluster.look_alikes:
            yield f"{pair.a.name} and {pair.b.name} {differ_at(pair.second_look)}"
        visual = [
            picture.name
            for picture in cluster.pictures
            if any(record.rumor_channel in VISUAL_CHANNELS for record in self._home(picture).about(picture.key))
        ]
        if visual:
            yield f"a rumour can be read in {' and in '.join(visual)}"

    def _home(self, picture: HashedPicture) -> Merger:
        return self.elsewhere if picture.home and self.elsewhere is not None else self

    def origin(self, picture: str) -> str | None:
        """The picture that one is declared to be made from."""
        return next((record.derived_from for record in self.about(picture) if record.derived_from), None)

    def _compare_claims(self, merge: Merge) -> None:
        keeper = merge.cluster.keeper
        claims: dict[str, list[Record]] = defaultdict(list)
        for record in self._home(keeper).about(keeper.key):
            claims[_key(record)].append(record)
        for member in merge.cluster.others:
            for record in self.about(member.picture.key):
                rivals = claims[_key(record)]
                alike = (rival for rival in rivals if rival.modality == record.modality)
                same = next((rival for rival in alike if self._same_claim(record, rival)), None)
                contrary = next((rival for rival in rivals if self._contradicts(record, rival)), None)
                if same is not None:
                    merge.goes[record.record_id] = same.record_id
                elif contrary is not None:
                    merge.reasons.append(_contradiction(record, contrary))
                elif keeper.home:
                    merge.reasons.append(f"{keeper.home} doesn't say what record {record.record_id} does")
                else:
                    merge.moves.append(record.record_id)
                    rivals.append(record)

    def _same_claim(self, a: Record, b: Record) -> bool:
        if a.veracity != b.veracity or not self._same_answer(a, b):
            return False
        return a.modality != b.modality or (a.rumor_channel, a.corrects) == (b.rumor_channel, b.corrects)

    def _contradicts(self, record: Record, rival: Record) -> bool:
        """Whether only one of two records about one attribute of one picture can stand."""
        if self._same_claim(record, rival):
            return False
        attribute = self._attribute(record)
        several = attribute is not None and attribute.kind == "text"
        return not several or normalised(record.question) == normalised(rival.question)

    def _same_answer(self, a: Record, b: Record) -> bool:
        if normalised(a.answer) == normalised(b.answer):
            return True
        attribute = self._attribute(a)
        return bool(attribute and a.value and b.value and same_value(a.value, b.value, attribute))

    def _attribute(self, record: Record) -> Attribute | None:
        name = record.attribute
        return self.taxonomy[name] if name is not None and name in self.taxonomy else None

    def _ties(self, merge: Merge) -> Iterator[str]:
        """What here refers to a picture or record that would only be left in another dataset."""
        dropped = {member.picture.key for member in merge.cluster.others}
        for key in sorted(dropped):
            yield from (f"record {name} is about a picture made from {key}" for name in self._derived[key])
        for gone in merge.goes:
            corrections = [name for name in self._correcting[gone] if name not in merge.goes]
            yield from (f"record {name} corrects {gone}" for name in corrections)

    # -----------------------------------------------------------------------------------------
    # Doing it

    def _carry_out(self, merge: Merge) -> None:
        keeper = merge.cluster.keeper
        if not keeper.home:
            image = next((record.image for record in self.about(keeper.key) if record.image is not None), None)
            origin = self.origin(keeper.key)
            for name in merge.moves:
                shown = image if self.records[name].modality == "multimodal" else None
                self._change(merge, name, image_id=keeper.key, image=shown, derived_from=origin)
        for name, same in merge.goes.items():
            for correction in list(self._correcting[name]):
                self._change(merge, correction, corrects=same)
            self._remove(merge, name)
        for member in merge.cluster.others:
            dropped = member.picture.key
            for name in list(self._derived[dropped]):
                self._change(merge, name, derived_from=keeper.key)
            self._move_rows(merge, dropped, keeper)

    def _change(self, merge: Merge, name: str, **fields: Any) -> None:
        before = self._remove(merge, name)
        after = dataclasses.replace(before, **fields)
        self.records[name] = after
        self._index(after)
        merge.records[name] = (merge.records[name][0], after)

    def _remove(self, merge: Merge, name: str) -> Record:
        record = self.records.pop(name)
        for index, key in self._indices(record):
            del index[key][name]
        merge.records[name] = (merge.records.get(name, (record, None))[0], None)
        return record

    def _move_rows(self, merge: Merge, dropped: str, keeper: HashedPicture) -> None:
        """Rows of the table of pictures that are the dropped picture's, or name it."""
        twins = {row.get("twin") for row in self.images.values() if row.get("twin_of") == keeper.key}
        for name, row in list(self.images.items()):
            after: Row | None = row
            if name == dropped or (row.get("twin_of") == dropped and (keeper.home or row.get("twin") in twins)):
                after = None
            elif row.get("twin_of") == dropped:
                after = {**row, "twin_of": keeper.key}
            elif row.get("derived_from") == dropped:
                after = {**row, "derived_from": keeper.key}
            if after is row:
                continue
            merge.images[name] = (merge.images.get(name, (row, None))[0], after)
            if after is None:
                del self.images[name]
            else:
                self.images[name] = after

    def _index(self, record: Record) -> None:
        for index, key in self._indices(record):
            index[key][record.record_id] = None

    def _indices(self, record: Record) -> Sequence[tuple[dict[str | None, dict[str, None]], str | None]]:
        return (
            (self._about, record.image_id),
            (self._correcting, record.corrects),
            (self._derived, record.derived_from),
        )


def differ_at(look: SecondLookResult) -> str:
    """Where look-alikes differ, as the end of a sentence."""
    return f"differ, most likely in the text they show: {'; '.join(map(str, look.spots[:_SHOWN_SPOTS]))}"


def _key(record: Record) -> str:
    """What two records must share to be about the same thing in a picture."""
    return record.attribute or f"question {normalised(record.question)}"


def _contradiction(record: Record, rival: Record) -> str:
    about = record.attribute or repr(record.question)
    said = []
    for one in (record, rival):
        role = ", ".join(word for word in (one.veracity, one.corrects and f"corrects {one.corrects}") if word)
        channel = "" if one.rumor_channel == "none" else f", in its {one.rumor_channel}"
        said.append(f"{one.answer!r} ({role}{channel}; {one.record_id})")
    return f"they contradict each other about {about}: {said[0]} and {said[1]}"
