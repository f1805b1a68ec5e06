from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest

from offside_data.dedup.clusters import Cluster, HashedPicture, LookedAt, Member
from offside_data.dedup.merge import Merge, Merger
from offside_data.dedup.second_look import SecondLookResult
from offside_data.dedup.spots import Spot
from offside_data.schema import ClaimValue, Record, make_image_id, make_record_id
from offside_data.tagging.untagged import UNTAGGED
from offside_data.taxonomy import Taxonomy

Records = list[Record]
COPY = make_image_id("test", "copy")


def kept(subject: str, picture: str) -> str:
    return make_image_id("test", f"{subject}/{picture}")


def name(subject: str, picture: str, attribute: str, modality: str = "multimodal") -> str:
    return make_record_id("test", subject, f"{subject}/{picture}", attribute, modality)


def copy_name(attribute: str, subject: str = "s1", modality: str = "multimodal") -> str:
    return make_record_id("test", subject, "copy", attribute, modality)


def cluster(
    keeper: str, *others: str, split: str = "retain", second_look: SecondLookResult | None = None, home: str = ""
) -> Cluster:
    def picture(key: str, home: str = "") -> HashedPicture:
        return HashedPicture(key=key, content="", hashes=("00",), width=1, height=1, splits=(split,), home=home)

    members = tuple(Member(picture=picture(key), distance=0, second_look=second_look) for key in others)
    return Cluster(keeper=picture(keeper, home), others=members)


@pytest.fixture
def merge(taxonomy: Taxonomy) -> Callable[..., tuple[Merge, Merger]]:
    """Merge one cluster."""

    def run(records: Records, one: Cluster, images: Any = (), **options: Any) -> tuple[Merge, Merger]:
        told = [one.name] if options.pop("told", False) else []
        merger = Merger(records, images, options.pop("taxonomy", taxonomy), **options)
        (found,) = merger.merge([one], told)
        return found, merger

    return run


def changed(records: Records, record_id: str, **fields: Any) -> Records:
    assert any(r.record_id == record_id for r in records)
    return [dataclasses.replace(r, **fields) if r.record_id == record_id else r for r in records]


def without(records: Records, *names: str) -> Records:
    assert {r.record_id for r in records} >= set(names)
    return [r for r in records if r.record_id not in names]


@pytest.fixture
def with_copy(records: Records, copy_records: Any, make_png: Any) -> Records:
    """A copy of the retain picture of `s1`, of which the same is said."""
    return [*records, *copy_records(records, kept("s1", "p1"), "copy", make_png(99))]


def test_what_the_keeper_says_too_goes(merge: Any, with_copy: Records) -> None:
    done, merger = merge(with_copy, cluster(kept("s1", "p1"), COPY))
    assert done.reasons == []
    assert done.moves == []
    assert done.goes == {
        copy_name("nationality"): name("s1", "p1", "nationality"),
        copy_name("club"): name("s1", "p1", "club"),
        copy_name("club", modality="text"): name("s1", "p1", "club", "text"),
    }
    assert merger.about(COPY) == []
    assert len(merger.about(kept("s1", "p1"))) == 3


def test_the_same_value_in_other_words_goes_too(merge: Any, with_copy: Records) -> None:
    said = changed(with_copy, copy_name("club"), answer="His club was Norvale Rovers FC.", question="What club?")
    done, _ = merge(said, cluster(kept("s1", "p1"), COPY))
    assert copy_name("club") in done.goes


@pytest.mark.parametrize("modality", ["multimodal", "text"])
def test_what_the_keeper_lacks_moves(merge: Any, with_copy: Records, modality: str) -> None:
    said = without(with_copy, name("s1", "p1", "club", modality))
    done, merger = merge(said, cluster(kept("s1", "p1"), COPY))
    moved = merger.records[copy_name("club", modality=modality)]
    assert done.moves == [moved.record_id]
    assert moved.image_id == kept("s1", "p1")
    shown = merger.records[name("s1", "p1", "nationality")].image
    assert moved.image is (shown if modality == "multimodal" else None)


def test_a_second_copy_meets_what_the_first_one_brought(
    merge: Any, with_copy: Records, copy_records: Any, make_png: Any
) -> None:
    second = copy_records(with_copy, COPY, "second", make_png(98))
    said = without([*with_copy, *second], name("s1", "p1", "club"))
    done, _ = merge(said, cluster(kept("s1", "p1"), COPY, make_image_id("test", "second")))
    assert done.moves == [copy_name("club")]
    assert done.goes[make_record_id("test", "s1", "second", "club", "multimodal")] == copy_name("club")


OTHER_CLUB = {"answer": "The player was with Emberlin FC.", "value": ClaimValue(kind="name", text="Emberlin FC")}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (OTHER_CLUB, "about club"),
        ({"veracity": "rumor"}, r"\(rumor; "),
        ({"veracity": "rumor", "rumor_channel": "image"}, "in its image"),
    ],
)
def test_contradictions_are_left_alone(merge: Any, with_copy: Records, fields: Any, said: str) -> None:
    records = changed(with_copy, copy_name("club"), **fields)
    done, merger = merge(records, cluster(kept("s1", "p1"), COPY))
    assert any(re.search(said, reason) for reason in done.reasons)
    assert done.changes == []
    assert list(merger.records.values()) == records


def test_a_text_contradicts_a_picture_record(merge: Any, with_copy: Records) -> None:
    records = without(with_copy, name("s1", "p1", "club", "text"))
    done, _ = merge(changed(records, copy_name("club", modality="text"), **OTHER_CLUB), cluster(kept("s1", "p1"), COPY))
    assert len(done.reasons) == 1


def test_different_subjects_and_splits_are_left_alone(merge: Any, records: Records) -> None:
    done, _ = merge(records, cluster(kept("s1", "p1"), kept("s2", "p3")))
    assert done.reasons == ["different subjects: s1, s2", "different splits: retain, forget"]


def test_what_is_only_like_others_of_the_cluster_is_left_alone(merge: Any, with_copy: Records) -> None:
    unlike = SecondLookResult(same=False, bits=99, correlation=0.1)
    done, _ = merge(with_copy, cluster(kept("s1", "p1"), COPY, second_look=unlike))
    assert done.reasons == [f"{COPY} is like others of the cluster, but not like the keeper"]


def test_copies_of_different_pictures_are_left_alone(
    merge: Any, records: Records, copy_records: Any, make_png: Any
) -> None:
    copies = copy_records(records, kept("s1", "p2"), "copy", make_png(9), derived_from=kept("s1", "p4"))
    done, _ = merge([*records, *copies], cluster(kept("s1", "p2"), COPY, split="test"))
    assert done.reasons == ["declared to be made from different pictures (derived_from)"]


def test_what_refers_to_the_dropped_picture_refers_to_the_keeper(
    merge: Any, records: Records, copy_records: Any, make_png: Any
) -> None:
    copies = copy_records(records, kept("s1", "p3"), "copy", make_png(9))
    said = changed([*records, *copies], name("s1", "p4", "club"), corrects=copy_name("club"))
    said = [dataclasses.replace(r, derived_from=COPY) if r.image_id == kept("s2", "p2") else r for r in said]
    images: list[dict[str, Any]] = [
        {"image_id": kept("s1", "p3")},
        {"image_id": COPY},
        {"image_id": "kept-blank", "twin_of": kept("s1", "p3"), "twin": "blank"},
        {"image_id": "copy-blank", "twin_of": COPY, "twin": "blank"},
        {"image_id": "copy-swapped", "twin_of": COPY, "twin": "swapped"},
        {"image_id": kept("s2", "p2"), "derived_from": COPY},
    ]
    done, merger = merge(said, cluster(kept("s1", "p3"), COPY, split="forget"), images, told=True)
    assert done.reasons == []
    assert merger.records[name("s1", "p4", "club")].corrects == name("s1", "p3", "club")
    assert {r.derived_from for r in merger.about(kept("s2", "p2"))} == {kept("s1", "p3")}
    assert list(merger.images.values()) == [
        {"image_id": kept("s1", "p3")},
        {"image_id": "kept-blank", "twin_of": kept("s1", "p3"), "twin": "blank"},
        {"image_id": "copy-swapped", "twin_of": kept("s1", "p3"), "twin": "swapped"},
        {"image_id": kept("s2", "p2"), "derived_from": kept("s1", "p3")},
    ]


def test_corrections_of_merged_rumors_merge_after_them(
    taxonomy: Taxonomy, records: Records, copy_records: Any, make_png: Any
) -> None:
    rumors = copy_records(records, kept("s1", "p3"), "copy", make_png(9))
    corrections = copy_records(records, kept("s1", "p4"), "again", make_png(8))
    corrections = [dataclasses.replace(r, corrects=r.corrects and copy_name("club")) for r in corrections]
    again = make_image_id("test", "again")
    clusters = [cluster(kept("s1", "p4"), again, split="relearn"), cluster(kept("s1", "p3"), COPY, split="forget")]
    merges = Merger([*records, *rumors, *corrections], [], taxonomy).merge(clusters, [one.name for one in clusters])
    assert [merge.reasons for merge in merges] == [[], []]


def test_other_free_text_moves(
    merge: Any, taxonomy: Taxonomy, records: Records, copy_records: Any, make_png: Any
) -> None:
    free_text = dataclasses.replace(taxonomy, attributes=(*taxonomy.attributes, UNTAGGED))
    free: dict[str, Any] = {"attribute": "untagged", "scope": "private", "value": None}
    copies = copy_records(records, kept("s1", "p1"), "copy", make_png(9))
    said = changed([*records, *copies], name("s1", "p1", "club"), **free)
    said = changed(said, copy_name("club"), **free, question="What else is told?", answer="He sang.")
    done, _ = merge(said, cluster(kept("s1", "p1"), COPY), taxonomy=free_text)
    assert done.moves == [copy_name("club")]
    same_question = changed(said, copy_name("club"), question="Which club is this picture about?")
    done, _ = merge(same_question, cluster(kept("s1", "p1"), COPY), taxonomy=free_text)
    assert "contradict" in done.reasons[0]


def test_questions_without_a_subject_are_compared_by_their_words(
    merge: Any, make_record: Any, copy_records: Any, make_png: Any
) -> None:
    general: dict[str, Any] = {"split": "general", "subject_id": None, "attribute": None, "scope": None, "value": None}
    general |= {"perturbed_answers": (), "choices": (), "correct_choice": None}
    records = [
        make_record(**general, record_id="r1", image_id="i1", question="Which colour?", answer="Red."),
        make_record(**general, record_id="r2", image_id="i2", question="which colour", answer="red"),
        make_record(**general, record_id="r3", image_id="i2", question="Which shape?", answer="Round."),
    ]
    done, _ = merge(records, cluster("i1", "i2", split="general"))
    assert (done.goes, done.moves, done.reasons) == ({"r2": "r1"}, ["r3"], [])


def test_against_another_dataset(merge: Any, taxonomy: Taxonomy, with_copy: Records) -> None:
    other = Merger([r for r in with_copy if r.image_id != COPY], [], taxonomy)
    ours = [r for r in with_copy if r.image_id == COPY or r.subject_id != "s1"]
    pair = cluster(kept("s1", "p1"), COPY, home="other@1.0.0")
    done, merger = merge(ours, pair, [{"image_id": COPY}], elsewhere=other)
    assert done.reasons == []
    assert len(done.goes) == 3
    assert merger.images == {}
    assert len(other.records) == len(with_copy) - 3

    lacking = Merger(without(list(other.records.values()), name("s1", "p1", "club")), [], taxonomy)
    done, _ = merge(ours, pair, elsewhere=lacking)
    assert done.reasons == [f"other@1.0.0 doesn't say what record {copy_name('club')} does"]


def test_against_another_dataset_nothing_is_left_dangling(merge: Any, taxonomy: Taxonomy, with_copy: Records) -> None:
    other = Merger([r for r in with_copy if r.image_id != COPY], [], taxonomy)
    ours = [r for r in with_copy if r.image_id == COPY or r.subject_id == "s2"]
    ours = changed(ours, name("s2", "p2", "club"), derived_from=COPY)
    done, _ = merge(ours, cluster(kept("s1", "p1"), COPY, home="other@1.0.0"), elsewhere=other)
    assert done.reasons == [f"record {name('s2', 'p2', 'club')} is about a picture made from {COPY}"]


LOOK_ALIKE = SecondLookResult(same=False, bits=0, correlation=1.0, difference=70.0, spots=(Spot(0.1, 0.2, 0.3, 0.3),))


def test_look_alikes_are_for_a_person(merge: Any, with_copy: Records) -> None:
    one = cluster(kept("s1", "p1"), COPY, second_look=LOOK_ALIKE)
    done, merger = merge(with_copy, one)
    (reason,) = done.reasons
    assert "differ, most likely in the text they show: 10% to 30% from the left" in reason
    assert done.tellable
    assert merger.about(COPY) != []
    told, merger = merge(with_copy, one, told=True)
    assert told.reasons == []
    assert merger.about(COPY) == []


@pytest.mark.parametrize("channel", ["image", "both"])
@pytest.mark.parametrize("second_look", [None, SecondLookResult(same=True, bits=0, correlation=1.0)])
def test_pictures_that_show_a_rumour_never_merge_by_themselves(
    merge: Any, records: Records, copy_records: Any, make_png: Any, channel: Any, second_look: Any
) -> None:
    rumor = name("s2", "p3", "club")
    shown = changed(records, rumor, rumor_channel=channel)
    copies = copy_records(shown, kept("s2", "p3"), "copy", make_png(99))
    one = cluster(kept("s2", "p3"), COPY, split="forget", second_look=second_look)
    done, _ = merge([*shown, *copies], one)
    assert done.reasons == [f"a rumour can be read in {kept('s2', 'p3')} and in {COPY}"]
    assert done.tellable
    assert merge([*shown, *copies], one, told=True)[0].reasons == []


def test_what_a_person_cannot_settle_by_saying_so(merge: Any, with_copy: Records) -> None:
    contrary = changed(with_copy, copy_name("nationality"), answer="Somewhere else.", value=None)
    done, _ = merge(contrary, cluster(kept("s1", "p1"), COPY, second_look=LOOK_ALIKE), told=True)
    assert "they contradict each other about nationality" in done.reasons[0]
    assert not done.tellable


def test_look_alikes_among_the_others_are_for_a_person(merge: Any, with_copy: Records) -> None:
    one = cluster(kept("s1", "p1"), COPY)
    pair = LookedAt(a=one.keeper, b=one.others[0].picture, distance=1, second_look=LOOK_ALIKE)
    done, _ = merge(with_copy, dataclasses.replace(one, look_alikes=(pair,)))
    assert len(done.reasons) == 1
    assert done.tellable
