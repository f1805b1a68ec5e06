from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from whole_dataset import WholeDataset

from offside_data.check import check_dataset
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import UsageError
from offside_data.schema import make_image_id, make_record_id
from offside_data.split import placement_problems, split_dataset


def errors(folder: Path) -> list[str]:
    return [f.code for f in check_dataset(open_dataset(folder)) if f.severity == "error"]


def splits(folder: Path) -> Counter[str]:
    return Counter(record.split for record in WholeDataset.read(folder).records)


def test_a_share_of_the_subjects_is_forgotten_and_the_rest_is_for_nobody(fresh: OffsideDataset) -> None:
    report = split_dataset(fresh.path, "ratio", settings={"share": 0.5}, seed=1)
    assert (report.forgotten, report.subjects) == (2, 4)
    assert report.moved == {"forget -> holdout": 6, "relearn -> holdout": 4}
    assert (report.linked, report.unlinked) == (0, 2)
    assert errors(fresh.path) == []
    assert all(r.corrects is None for r in WholeDataset.read(fresh.path).records if r.split == "holdout")


def test_policies_are_undone_by_other_policies(fresh: OffsideDataset) -> None:
    before = WholeDataset.read(fresh.path).records
    split_dataset(fresh.path, "ratio", settings={"share": 0.01}, seed=1)
    assert "forget" not in splits(fresh.path)
    report = split_dataset(fresh.path, "ratio", settings={"share": 0.999})
    assert report.linked == 4
    assert WholeDataset.read(fresh.path).records == before


def test_a_policy_is_followed_once(fresh: OffsideDataset) -> None:
    split_dataset(fresh.path, settings={"share": 0.5}, seed=1)
    digest, told = open_dataset(fresh.path).digest, read_decisions(fresh.path)
    assert split_dataset(fresh.path, settings={"share": 0.5}, seed=1).moved == {}
    assert (open_dataset(fresh.path).digest, read_decisions(fresh.path)) == (digest, told)


def test_every_move_stands_in_the_decisions(fresh: OffsideDataset) -> None:
    split_dataset(fresh.path, settings={"share": "0.5"}, seed=1)
    first, second = read_decisions(fresh.path)
    assert (first["kind"], first["what"]["from"], first["what"]["to"]) == ("split", "forget", "holdout")
    assert first["what"]["options"] == {"share": 0.5}
    assert len(first["what"]["pictures"]) == 2
    assert len(first["what"]["text_records"]) == 2
    assert second["what"]["from"] == "relearn"


def test_a_dry_run_changes_nothing(fresh: OffsideDataset) -> None:
    assert split_dataset(fresh.path, settings={"share": 0.5}, seed=1, dry_run=True).moved
    assert open_dataset(fresh.path).verify() == fresh.digest
    assert read_decisions(fresh.path) == []


def moved_by(fresh: OffsideDataset, *rows: str) -> Any:
    path = fresh.path.parent / "splits.csv"
    path.write_text("image_id,subject_id,record_id,split\n" + "\n".join(rows) + "\n")
    return split_dataset(fresh.path, "file", settings={"path": str(path)})


def test_an_augmented_copy_follows_its_original_out_of_retain_and_back(fresh: OffsideDataset) -> None:
    before = WholeDataset.read(fresh.path).records
    original, copy = make_image_id("test", "s2/p1"), make_image_id("test", "s2/p2")
    moved_by(fresh, f"{original},,,holdout")
    found = {r.image_id: r.split for r in WholeDataset.read(fresh.path).records}
    assert (found[original], found[copy]) == ("holdout", "holdout")
    moved_by(fresh, f"{original},,,retain")
    assert WholeDataset.read(fresh.path).records == before


def test_a_copy_beside_its_original_stays_beside_it(fresh: OffsideDataset) -> None:
    contents = WholeDataset.read(fresh.path)
    copy = make_image_id("test", "s2/p2")
    contents.records = [dataclasses.replace(r, split="retain") if r.image_id == copy else r for r in contents.records]
    contents.save(fresh.path)
    original = make_image_id("test", "s2/p1")
    moved_by(fresh, f"{original},,,holdout")
    found = {r.image_id: r.split for r in WholeDataset.read(fresh.path).records}
    assert found[copy] == "holdout"


def test_the_images_table_follows(fresh: OffsideDataset) -> None:
    contents = WholeDataset.read(fresh.path)
    picture = make_image_id("test", "s1/p3")
    contents.images = [{**row, "split": "forget"} for row in contents.images if row["image_id"] == picture]
    contents.images.append({**contents.images[0], "image_id": "twin", "twin_of": picture, "twin": "blank"})
    contents.save(fresh.path)
    moved_by(fresh, f"{picture},,,holdout")
    assert {row["image_id"]: row["split"] for row in WholeDataset.read(fresh.path).images} == {
        picture: "holdout",
        "twin": "holdout",
    }


def test_what_a_person_placed_is_drawn_no_more(fresh: OffsideDataset) -> None:
    picture = make_image_id("test", "s1/p3")
    moved_by(fresh, f"{picture},,,holdout")
    split_dataset(fresh.path, settings={"share": 0.999})
    assert {r.split for r in WholeDataset.read(fresh.path).records if r.image_id == picture} == {"holdout"}
    split_dataset(fresh.path, settings={"share": 0.01}, seed=1)
    moved_by(fresh, f"{picture},,,forget")
    split_dataset(fresh.path, settings={"share": 0.999})
    assert {r.split for r in WholeDataset.read(fresh.path).records if r.image_id == picture} == {"forget"}


def test_decisions_name_no_places_on_a_machine(fresh: OffsideDataset) -> None:
    moved_by(fresh, f"{make_image_id('test', 's1/p3')},,,holdout")
    assert read_decisions(fresh.path)[0]["what"]["options"] == {"path": "splits.csv"}


def test_a_rumor_can_not_be_kept(fresh: OffsideDataset) -> None:
    picture = make_image_id("test", "s1/p3")
    with pytest.raises(UsageError, match=r"a rumor belongs in forget or holdout, not in retain"):
        moved_by(fresh, f"{picture},,,retain")
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_a_picture_can_not_be_in_two_splits(fresh: OffsideDataset) -> None:
    record = make_record_id("test", "s1", "s1/p1", "nationality", "multimodal")
    with pytest.raises(UsageError, match="would stand in holdout and retain"):
        moved_by(fresh, f",,{record},holdout")


def test_a_private_claim_is_tested_on_a_copy_only(fresh: OffsideDataset) -> None:
    with pytest.raises(UsageError, match="may be tested only on a picture derived_from one in retain"):
        moved_by(fresh, f"{make_image_id('test', 's1/p1')},,,test")


def test_of_several_rumors_none_is_guessed(fresh: OffsideDataset) -> None:
    contents = WholeDataset.read(fresh.path)
    rumor = next(r for r in contents.records if r.subject_id == "s1" and r.veracity == "rumor" and r.image)
    other = make_image_id("test", "s1/p9")
    contents.records.append(dataclasses.replace(rumor, record_id="r-other", image_id=other))
    contents.save(fresh.path)
    correction = make_image_id("test", "s1/p4")
    moved_by(fresh, f"{correction},,,holdout")
    assert moved_by(fresh, f"{correction},,,relearn").linked == 0


def test_holdout_subjects_and_general_pictures_stay(fresh: OffsideDataset) -> None:
    contents = WholeDataset.read(fresh.path)
    for row in contents.subjects:
        row["cohort"] = "holdout" if row["subject_id"] == "s1" else "member"
    contents.save(fresh.path)
    report = split_dataset(fresh.path, settings={"share": 0.999})
    assert report.subjects == 3
    with pytest.raises(UsageError, match="no subject_id 's1' in this dataset, or it can't move"):
        moved_by(fresh, ",s1,,retain")


def test_an_unknown_veracity_is_said(fresh: OffsideDataset) -> None:
    record = dataclasses.replace(next(fresh.iter_records()), veracity="maybe")  # type: ignore[arg-type] - a damaged file.
    told = list(placement_problems([record], {record.record_id: record.split}))
    assert told == [f"{record.record_id}: veracity is 'maybe'; allowed: fact, rumor, correction."]
