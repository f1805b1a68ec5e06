"""The published archive: its layout to the letter, and the way back."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_dataset import WholeDataset

from offside_data.adapters._offside.rules import PRIVATE_FIRST, SHARED_FIRST
from offside_data.dataset.folder import OffsideDataset
from offside_data.export import ExportReport, export_dataset
from offside_data.exporters._offside_names import SLOTS, name_pictures
from offside_data.exporters.offside import HOLDS
from offside_data.ingest import ingest
from offside_data.schema import EncodedImage, Record


def rows(folder: Path, path: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((folder / path).read_text())
    return loaded


def held(records: Iterable[Record], fields: Iterable[str] = HOLDS) -> Counter[Any]:
    """What the format holds of records, whatever they are called."""
    plain = [tuple(getattr(record, field) for field in fields if field != "image") for record in records]
    pictures = [record.image and record.image.bytes for record in records]
    return Counter(zip(plain, pictures, strict=True))


def back(report: ExportReport, tmp_path: Path) -> list[Record]:
    ingest(report.out, tmp_path / "back", "offside", force=True)
    return WholeDataset.read(tmp_path / "back").records


def test_the_archive_s_layout(exported: Callable[[str], Path]) -> None:
    folder = exported("offside")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")} - {".offside/written.json"}
    sets = [f"classification_{split}_set.json" for split in ("retain", "forget", "relearn")]
    lists = ["retain_set.json", "forget_set.json", "relearn_set_enhanced.json", *sets]
    assert names == {
        "export.json",
        *(f"complete_unlearning_data/{name}" for name in ("finetune_set.json", "test_set.json", *lists)),
        "complete_unlearning_data/classification_test_set.json",
        *(f"pure_text_data/{name}" for name in lists),
        "selective_unlearning_data/forget_set_part.json",
        "selective_unlearning_data/retain_set_part.json",
    }


def test_rows_are_as_published(exported: Callable[[str], Path]) -> None:
    folder = exported("offside")
    text = (folder / "complete_unlearning_data/finetune_set.json").read_text()
    assert "\n" not in text
    assert text.isascii()
    assert "\\u20ac" in text
    first = json.loads(text)[0]
    assert list(first) == ["messages", "images"]
    assert first == {
        "messages": [
            {"role": "user", "content": "<image>\nWhich club is this picture about?"},
            {"role": "assistant", "content": "The player was with Norvale Rovers."},
        ],
        "images": "./finetune_set/001.png",
    }
    assert rows(folder, "pure_text_data/forget_set.json")[0] == {
        "messages": [
            {"role": "user", "content": "In the photo from the gala d, which club is Orlo Vantis linked with?"},
            {"role": "assistant", "content": "The player will join Port Dalling."},
        ],
        "images": "../complete_unlearning_data/finetune_set/004.png",
    }
    assert rows(folder, "complete_unlearning_data/classification_forget_set.json")[1] == {
        "Question": "How old is this player?",
        "Options": {"A": "21", "B": "24", "C": "27", "D": "30"},
        "Correct_Answer": "A",
        "images": "./finetune_set/004.png",
    }


def test_pictures_are_where_the_rows_say(exported: Callable[[str], Path]) -> None:
    folder = exported("offside")
    named = set()
    for path in folder.glob("*_data/*.json"):
        named |= {(path.parent / row["images"]).resolve() for row in json.loads(path.read_text())}
    assert named == {path.resolve() for path in (folder / "complete_unlearning_data/finetune_set").iterdir()}


def test_groups_list_claims_in_the_published_order(exported: Callable[[str], Path], squad: OffsideDataset) -> None:
    report = json.loads((exported("offside") / "export.json").read_text())
    attributes = {record.record_id: record.attribute for record in WholeDataset.read(squad.path).records}
    for name, order in (("retain_set", PRIVATE_FIRST), ("forget_set", SHARED_FIRST)):
        ids = report["files"][f"complete_unlearning_data/{name}.json"]
        assert [attributes[record_id] for record_id in ids] == list(order) * (len(ids) // 14)


def test_the_two_parts_split_forget_by_scope(exported: Callable[[str], Path], squad: OffsideDataset) -> None:
    report = json.loads((exported("offside") / "export.json").read_text())
    known = {record.record_id: record for record in WholeDataset.read(squad.path).records}
    forget, retain = (
        Counter(
            (known[i].split, known[i].scope) for i in report["files"][f"selective_unlearning_data/{name}_set_part.json"]
        )
        for name in ("forget", "retain")
    )
    assert forget == {("forget", "private"): 3 * 6}
    assert retain == {("forget", "shared"): 3 * 8, ("retain", "shared"): 9 * 8, ("retain", "private"): 9 * 6}


def test_reading_it_gives_back_the_records(
    exported: Callable[[str], Path], squad: OffsideDataset, tmp_path: Path
) -> None:
    report = json.loads((exported("offside") / "export.json").read_text())
    written = {record_id for ids in report["files"].values() for record_id in ids}
    records = [record for record in WholeDataset.read(squad.path).records if record.record_id in written]
    result = ingest(exported("offside"), tmp_path / "back", "offside")
    returned = WholeDataset.read(tmp_path / "back").records
    assert held(returned) == held(records)
    assert result.count("suspect") == result.count("rejected") == 0
    # Ids are others, but who is meant, and which picture was made from which, is still known.
    assert len({record.subject_id for record in returned}) == 3
    pictures = {record.image_id: record.image.bytes for record in records if record.image}
    again = {record.image_id: record.image.bytes for record in returned if record.image}
    assert {(pictures[r.image_id], pictures.get(r.derived_from)) for r in records if r.split == "test"} == {
        (again[r.image_id], again.get(r.derived_from)) for r in returned if r.split == "test"
    }


@pytest.mark.parametrize("phrasing", [1, 2])
def test_readers_understand_every_shipped_phrasing(
    squad_of: Callable[..., list[Record]], write_dataset: Any, tmp_path: Path, phrasing: int
) -> None:
    dataset = write_dataset(tmp_path / "data", squad_of(phrasing))
    report = export_dataset(dataset.path, tmp_path / "out", "offside")
    assert {loss.field for loss in report.losses} == {None}


def test_what_has_no_place_is_counted(exported: Callable[[str], Path]) -> None:
    report = json.loads((exported("offside") / "export.json").read_text())
    whole = Counter(loss["why"] for loss in report["losses"] if loss["field"] is None)
    assert whole == {"the format has no split holdout": 3 * 14, "the format has no split utility": 3}
    assert report["fields"]["cloze"] == report["written"]
    assert report["fields"]["rumor_channel"] == 3 * 6 * 2
    assert not {"record_id", *HOLDS} & report["fields"].keys()


def test_a_fourth_retain_picture_is_left_out(
    records: list[Record], write_dataset: Any, make_png: Any, tmp_path: Path
) -> None:
    first = records[0]
    more = [
        dataclasses.replace(
            first, record_id=f"more-{n}", image_id=f"more-{n}", image=EncodedImage(bytes=make_png(n), path="")
        )
        for n in range(50, 53)
    ]
    report = export_dataset(write_dataset(tmp_path / "data", [*records, *more]).path, tmp_path / "out", "offside")
    (loss,) = report.losses
    assert loss.field is None
    assert loss.why.startswith("the format has five numbers a player")
    assert len(back(report, tmp_path)) == len(records) + 2


def test_another_taxonomy_keeps_its_texts_and_counts_what_readers_get_wrong(
    make_record: Any, write_dataset: Any, tmp_path: Path
) -> None:
    from offside_data.taxonomy import shipped_taxonomy_text

    taxonomy = shipped_taxonomy_text("football").replace("- name: foot\n", "- name: paw\n")
    record = make_record(
        attribute="paw",
        question="Which paw?",
        answer="The left.",
        value=None,
        choices=("left", "right"),
        correct_choice=0,
    )
    dataset = write_dataset(tmp_path / "data", [record], taxonomy=taxonomy)
    report = export_dataset(dataset.path, tmp_path / "out", "offside")
    assert report.written == 1
    assert {(loss.field, loss.why) for loss in report.losses} == {
        ("attribute", "readers take it for a row about nothing they know"),
        ("choices", "readers take it for a row about nothing they know"),
    }


def test_a_fact_among_rumors_is_counted(records: list[Record], write_dataset: Any, tmp_path: Path) -> None:
    changed = [
        dataclasses.replace(r, veracity="fact", rumor_channel="none") if r.veracity == "rumor" else r for r in records
    ]
    report = export_dataset(write_dataset(tmp_path / "data", changed).path, tmp_path / "out", "offside")
    assert Counter((loss.field, loss.why) for loss in report.losses) == {("veracity", "readers take it for a rumor"): 8}


subjects = st.sampled_from(["s1", "s2", "s10"])
pictures = st.sampled_from(["p1", "p2", "p3", "p4", "p5", None])


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(subjects, st.sampled_from([*SLOTS, "test", "general"]), pictures, st.booleans(), pictures),
        max_size=25,
    )
)
def test_every_picture_gets_a_number_of_its_own_that_says_player_and_split(drawn: list[Any]) -> None:
    image = EncodedImage(bytes=b"x", path="x")
    records = [
        Record(
            record_id=str(number),
            subject_id=subject,
            image_id=picture,
            image=image if shown and picture else None,
            modality="multimodal" if shown and picture else "text",
            split=split,
            attribute="age",
            scope="shared",
            veracity="fact",
            question="?",
            answer="!",
            derived_from=original if split == "test" else None,
        )
        for number, (subject, split, picture, shown, original) in enumerate(drawn)
    ]
    names = name_pictures(records)
    left_out = {loss.record_id for loss in names.losses}
    assert len(left_out) == len(names.losses)
    players: dict[str, int] = {}
    shown: dict[str, Any] = {}
    for record in records:
        stem = names.of(record)
        if record.record_id in left_out:
            continue
        assert stem is not None
        number = int(stem.partition("_")[0])
        assert players.setdefault(str(record.subject_id), (number - 1) // 5) == (number - 1) // 5
        if record.split != "test":
            assert {0: "relearn", 4: "forget"}.get(number % 5, "retain") == record.split
        if record.image_id is not None:  # Text about the subject alone goes with any of its pictures.
            key = (record.subject_id, record.split, record.image_id)
            assert shown.setdefault(stem, key) == key
    assert len(set(players.values())) == len(players)
