from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest
from edits import change, find, records, refusal

from offside_data.check import check_dataset
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import change_dataset
from offside_data.dataset.undo import undo
from offside_data.edit import edit_rows
from offside_data.errors import UsageError
from offside_data.schema import Record, Source
from offside_data.tagging.untagged import UNTAGGED, fit_taxonomy, untagged


def test_an_attribute_brings_scope_question_and_value(fresh: OffsideDataset) -> None:
    claim = find(fresh, attribute="nationality", split="retain")
    with change_dataset(fresh) as writing:
        asked = dataclasses.replace(claim, question=fresh.taxonomy["nationality"].questions[1])
        writing.update_records([asked], ["question"])
    change(fresh, record_id=claim.record_id, attribute="birth_place")
    after = records(fresh.path)[claim.record_id]
    assert (after.attribute, after.scope) == ("birth_place", "shared")
    assert after.question == fresh.taxonomy["birth_place"].questions[0]
    assert after.value == claim.value


def test_a_correction_turned_into_a_fact_corrects_nothing(fresh: OffsideDataset) -> None:
    correction = find(fresh, veracity="correction", modality="multimodal")
    assert correction.corrects is not None
    change(fresh, record_id=correction.record_id, veracity="Confirmed")
    after = records(fresh.path)[correction.record_id]
    assert (after.veracity, after.corrects) == ("fact", None)


def linked(dataset: OffsideDataset) -> tuple[Record, Record]:
    """A picture's correction and the rumour that it corrects."""
    correction = find(dataset, veracity="correction", modality="multimodal")
    return correction, records(dataset.path)[correction.corrects or ""]


def mismatches(folder: Path) -> list[str]:
    return [issue.where for issue in check_dataset(open_dataset(folder)) if issue.code.startswith("corrects-")]


def test_what_is_no_rumor_any_more_is_corrected_by_nothing(fresh: OffsideDataset) -> None:
    correction, rumor = linked(fresh)
    report = change(fresh, record_id=rumor.record_id, veracity="fact")
    after = records(fresh.path)
    assert (after[correction.record_id].corrects, after[correction.record_id].veracity) == (None, "correction")
    (told,) = (c for c in report.changes if c.record_id == correction.record_id)
    assert (told.fields, told.because) == ({"corrects": (rumor.record_id, None)}, rumor.record_id)
    assert any(note.startswith(f"{correction.record_id} no longer corrects {rumor.record_id}") for note in report.notes)
    assert mismatches(fresh.path) == []
    assert report.decision is not None
    undo(fresh.path, report.decision["id"])
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_texts_are_parted_where_the_text_of_a_rumor_follows_it(league: OffsideDataset) -> None:
    before = records(league.path)
    _, rumor = linked(league)
    about = ("text", rumor.image_id, rumor.attribute)
    text = next(r for r in before.values() if (r.modality, r.image_id, r.attribute) == about)
    corrections = {name for name, r in before.items() if r.corrects in (rumor.record_id, text.record_id)}
    assert len(corrections) == 2
    change(league, record_id=rumor.record_id, veracity="fact")
    after = records(league.path)
    assert after[text.record_id].veracity == "fact"
    assert {after[name].corrects for name in corrections} == {None}
    assert {n for n, r in before.items() if r.corrects} - {n for n, r in after.items() if r.corrects} == corrections
    assert mismatches(league.path) == []


@pytest.mark.parametrize("end", ["correction", "rumor"])
@pytest.mark.parametrize(("attribute", "value"), [("market_value", "€5m"), ("nationality", "Belmora")])
def test_a_correction_and_its_rumor_about_two_things_are_parted(
    fresh: OffsideDataset, end: str, attribute: str, value: str
) -> None:
    correction, rumor = linked(fresh)
    assert rumor.attribute == "club"
    name = (correction if end == "correction" else rumor).record_id
    change(fresh, record_id=name, attribute=attribute, value=value)
    assert records(fresh.path)[correction.record_id].corrects is None
    assert mismatches(fresh.path) == []


def test_a_row_that_names_what_is_no_rumor_any_more_is_refused(fresh: OffsideDataset) -> None:
    correction, rumor = linked(fresh)
    rows = [
        {"record_id": correction.record_id, "corrects": rumor.record_id},
        {"record_id": rumor.record_id, "veracity": "fact"},
    ]
    with pytest.raises(UsageError, match=rf"row 1: .*can't correct '{rumor.record_id}'.*leave the cell empty"):
        edit_rows(fresh.path, rows, reason="x")
    # A row with a claim follows nothing, but to correct what is none is no claim of its own.
    rows[0] = {"record_id": correction.record_id, "answer": correction.answer}
    edit_rows(fresh.path, rows, reason="x")
    assert records(fresh.path)[correction.record_id].corrects is None


def test_other_changes_leave_links_alone(fresh: OffsideDataset) -> None:
    correction, rumor = linked(fresh)
    change(fresh, record_id=rumor.record_id, rumor_channel="picture", suspect="look at it")
    change(fresh, record_id=correction.record_id, url="https://news.example/2")
    assert records(fresh.path)[correction.record_id].corrects == rumor.record_id


def test_a_correction_names_another_rumor(fresh: OffsideDataset) -> None:
    correction = find(fresh, veracity="correction", modality="multimodal", subject_id="s1")
    other = find(fresh, veracity="rumor", modality="multimodal", subject_id="s2")
    assert "which is no rumor about the same" in refusal(
        fresh, record_id=correction.record_id, corrects=other.record_id
    )
    text = find(fresh, veracity="rumor", modality="text", subject_id="s1")
    change(fresh, record_id=correction.record_id, corrects=text.record_id)
    assert records(fresh.path)[correction.record_id].corrects == text.record_id


def test_a_rumor_channel_follows_the_picture(fresh: OffsideDataset) -> None:
    rumor = find(fresh, veracity="rumor", modality="multimodal", subject_id="s2")
    change(fresh, record_id=rumor.record_id, rumor_channel="picture")
    now = records(fresh.path)
    assert now[rumor.record_id].rumor_channel == "image"
    twin = next(r for r in now.values() if r.modality == "text" and r.image_id == rumor.image_id)
    assert twin.rumor_channel == "both"


def test_a_source_is_added_and_changed(fresh: OffsideDataset) -> None:
    name = next(fresh.iter_records()).record_id
    change(fresh, record_id=name, link="https://news.example/1", retrieved_on=datetime.date(2024, 7, 1))
    (source,) = records(fresh.path)[name].sources
    assert source == Source(url="https://news.example/1", tier="social", retrieved_on="2024-07-01")
    change(fresh, record_id=name, source_type="newspaper", publisher="The News", licence="CC-BY")
    (source,) = records(fresh.path)[name].sources
    assert (source.tier, source.publisher, source.url) == ("media", "The News", "https://news.example/1")


def test_a_picture_moves_with_all_its_records(fresh: OffsideDataset) -> None:
    moving = [r for r in fresh.iter_records() if r.split == "relearn" and r.subject_id == "s1"]
    rows = [{"record_id": r.record_id, "split": "holdout"} for r in moving]
    report = edit_rows(fresh.path, rows, reason="never to be seen")
    now = records(fresh.path)
    assert {now[r.record_id].split for r in moving} == {"holdout"}
    assert {now[r.record_id].corrects for r in moving} == {None}
    images = {row["image_id"]: row["split"] for row in open_dataset(fresh.path).table_rows("images")}
    assert images[moving[0].image_id or ""] == "holdout"
    assert report.decision is not None
    undo(fresh.path, report.decision["id"])
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_a_private_text_moves_with_its_picture(fresh: OffsideDataset) -> None:
    moving = [r for r in fresh.iter_records() if r.split == "forget" and r.subject_id == "s1"]
    rows = [{"record_id": r.record_id, "split": "holdout"} for r in moving if r.modality == "multimodal"]
    edit_rows(fresh.path, rows, reason="a test")
    assert {records(fresh.path)[r.record_id].split for r in moving} == {"holdout"}


def test_a_test_picture_loses_its_original(fresh: OffsideDataset) -> None:
    moving = [r for r in fresh.iter_records() if r.split == "retain" and r.subject_id == "s1"]
    with pytest.raises(UsageError, match=r"may be tested only on a picture derived_from one in retain[\s\S]*--policy"):
        edit_rows(fresh.path, [{"record_id": r.record_id, "split": "forget"} for r in moving], reason="a test")


def test_subjects_held_out_stay(league: OffsideDataset) -> None:
    unseen = {s["subject_id"] for s in league.table_rows("subjects") if s["cohort"] == "holdout"}
    record = next(r for r in league.iter_records() if r.subject_id in unseen)
    assert "is of the cohort holdout and can't move" in refusal(league, record_id=record.record_id, split="retain")


def test_records_about_nobody(league: OffsideDataset) -> None:
    general = find(league, split="general")
    assert "is about nobody and has no attribute" in refusal(league, record_id=general.record_id, attribute="fee")
    assert "has no attribute that says how to read it" in refusal(league, record_id=general.record_id, value="red")
    assert "are about nobody" in refusal(league, record_id=general.record_id, split="retain")
    change(league, record_id=general.record_id, answer="Something else.")
    after = records(league.path)[general.record_id]
    assert (after.answer, after.choices, after.correct_choice) == ("Something else.", (), None)


def test_an_untagged_record_is_tagged(fresh: OffsideDataset) -> None:
    claim = find(fresh, attribute="club", split="retain", modality="multimodal")
    with change_dataset(fresh) as writing:
        writing.set_taxonomy(fit_taxonomy(writing.taxonomy_text, [UNTAGGED.name]))
        writing.update_records([untagged(claim, "a test")], ["attribute", "scope", "value", "suspect"])
    dataset = open_dataset(fresh.path)
    assert "has no attribute that says how to read it" in refusal(dataset, record_id=claim.record_id, value="Ostholm")
    report = change(dataset, record_id=claim.record_id, attribute="club")
    after = records(fresh.path)[claim.record_id]
    assert (after.attribute, after.value, after.suspect, after.question) == ("club", claim.value, None, claim.question)
    assert UNTAGGED.name not in open_dataset(fresh.path).taxonomy
    assert report.decision is not None
    undo(fresh.path, report.decision["id"])
    assert open_dataset(fresh.path).verify() == dataset.digest
