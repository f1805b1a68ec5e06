from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from whole_dataset import WholeDataset

from offside_data.check import check_dataset
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of, records_of
from offside_data.schema import Record, Source
from offside_data.tag import READ, tag_claims, tag_dataset
from offside_data.tagging.table import write_table
from offside_data.tagging.tiers import load_tiers
from offside_data.tagging.untagged import fit_taxonomy, untagged
from offside_data.taxonomy import Taxonomy

TIERS = load_tiers()


def changed(folder: Path, change: Any) -> Path:
    """Change each record of a dataset folder."""
    contents = WholeDataset.read(folder)
    contents.records = [change(record) for record in contents.records]
    contents.taxonomy_text = fit_taxonomy(contents.taxonomy_text, [r.attribute for r in contents.records])
    contents.save(folder)
    return folder


def by_id(folder: Path) -> dict[str, Record]:
    return {record.record_id: record for record in WholeDataset.read(folder).records}


def test_untagged_records_get_everything_back(fresh: OffsideDataset) -> None:
    before = by_id(fresh.path)
    folder = changed(fresh.path, lambda record: untagged(record, "the source doesn't say"))
    assert "untagged" in (folder / "taxonomy.yaml").read_text()
    errors = [f for f in check_dataset(open_dataset(folder)) if f.severity == "error"]
    assert {f.code for f in errors} == {"untagged"}
    report = tag_dataset(folder)
    assert (len(report.changes), report.doubts) == (len(before), ())
    assert by_id(folder) == before
    assert "untagged" not in (folder / "taxonomy.yaml").read_text()
    assert check_dataset(open_dataset(folder), strict=True) == []


def test_a_second_run_changes_nothing(fresh: OffsideDataset) -> None:
    def odd(record: Record) -> Record:
        record = dataclasses.replace(record, value=None, sources=(Source(url="https://x.com/1", tier="media"),))
        return untagged(record, "?") if record.attribute == "club" else record

    folder = changed(fresh.path, odd)
    first = tag_dataset(folder)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = tag_dataset(folder)
    assert (again.changes, again.doubts) == ((), first.doubts)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files


def test_a_dry_run_writes_nothing_and_says_what_it_would(fresh: OffsideDataset) -> None:
    folder = changed(fresh.path, lambda record: untagged(record, "?"))
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    report = tag_dataset(folder, apply=False)
    assert not report.applied
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files
    assert report.changes == tag_dataset(folder).changes


def test_every_change_is_a_decision(fresh: OffsideDataset) -> None:
    folder = changed(fresh.path, lambda record: untagged(record, "?") if record.attribute == "club" else record)
    report = tag_dataset(folder)
    decisions = [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]
    assert len(decisions) == len(report.changes) > 0
    assert {d["what"]["record_id"] for d in decisions} == {c.record_id for c in report.changes}
    assert decisions[0]["kind"] == "tag"
    assert decisions[0]["what"]["changes"]["attribute"] == ["untagged", "club"]
    assert "those of club" in decisions[0]["why"]


@pytest.fixture
def tag(taxonomy: Taxonomy) -> Any:
    def run(*records: Record) -> list[Record]:
        claims = frame_of(records, "multimodal", PictureStore(), READ)
        tagged = tag_claims(claims, taxonomy, TIERS)
        after = records_of(tagged.claims, PictureStore())
        changed = [old for old, new in zip(records_of(claims, PictureStore()), after, strict=True) if old != new]
        assert [change.record_id for change in tagged.changes] == [record.record_id for record in changed]
        return after

    return run


def test_what_stays_open_says_what_it_could_be(tag: Any, make_record: Any) -> None:
    record = untagged(make_record(question="When was it?", answer="On May 1, 2000."), "?")
    (after,) = tag(record)
    assert after.attribute == "untagged"
    assert after.suspect == "attribute: neither question nor answer says what it is about"


def test_the_role_decides_the_veracity_of_what_was_untagged(tag: Any, make_record: Any) -> None:
    asked = {"question": "What is the fee?", "answer": "The fee was €3.00m.", "split": "forget"}
    (rumor,) = tag(untagged(make_record(**asked), "?"))
    assert (rumor.attribute, rumor.veracity, rumor.rumor_channel) == ("fee", "rumor", "text")
    told = {"split": "forget", "veracity": "rumor", "rumor_channel": "text"}
    (fact,) = tag(untagged(make_record(**told), "?"))
    assert (fact.attribute, fact.veracity, fact.rumor_channel) == ("nationality", "fact", "none")
    (stated,) = tag(untagged(make_record(**{**asked, "veracity": "correction"}), "?"))
    assert (stated.veracity, stated.rumor_channel) == ("correction", "none")


def test_a_shared_fact_as_text_is_about_no_picture(tag: Any, make_record: Any) -> None:
    (after,) = tag(untagged(make_record(modality="text", image=None), "?"))
    assert (after.attribute, after.image_id) == ("nationality", None)


def test_a_correction_without_a_target_finds_its_rumor(tag: Any, make_record: Any) -> None:
    asked = {"question": "What is the fee?", "attribute": "fee", "scope": "private", "value": None, "choices": ()}
    asked |= {"correct_choice": None, "perturbed_answers": ()}
    rumor = make_record(**asked, record_id="a", split="forget", veracity="rumor", answer="The fee was €3.00m.")
    new = make_record(**asked, record_id="b", split="relearn", veracity="correction", answer="The fee was €5.00m.")
    assert tag(rumor, untagged(new, "?"))[1].corrects == "a"
    assert tag(untagged(rumor, "?"), new)[1].corrects == "a"
    second = dataclasses.replace(rumor, record_id="c", image_id="another")
    assert tag(rumor, untagged(new, "?"), second)[1].corrects is None


def test_an_attribute_that_its_words_contradict_is_doubtful(tag: Any, make_record: Any) -> None:
    (after,) = tag(make_record(attribute="birth_place", suspect="an odd picture"))
    assert after.attribute == "birth_place"
    assert after.suspect == (
        "an odd picture; attribute: its words and the value in its answer are those of nationality, "
        "not those of birth_place"
    )
    (mended,) = tag(dataclasses.replace(after, attribute="nationality"))
    assert mended.suspect == "an odd picture"


def test_known_sources_get_their_tier_and_fictional_ones_stay(tag: Any, make_record: Any) -> None:
    sources = (
        Source(url="https://x.com/1", tier="media"),
        Source(publisher="BBC", tier="fictional"),
        Source(url="https://norvale.example", tier="media"),
    )
    (after,) = tag(make_record(sources=sources))
    assert [source.tier for source in after.sources] == ["social", "fictional", "media"]


def test_the_subjects_table_gets_the_facts(fresh: OffsideDataset) -> None:
    tag_dataset(changed(fresh.path, lambda record: untagged(record, "?")))
    rows = {row["subject_id"]: row["facts"] for row in open_dataset(fresh.path).subjects()}
    assert rows["s1"] == [{"attribute": "nationality", "text": "Avaria"}]


def test_the_table_lists_everything_doubtful(fresh: OffsideDataset, tmp_path: Path) -> None:
    def odd(record: Record) -> Record:
        if record.subject_id == "s1" and record.split == "retain":
            if record.attribute == "nationality":
                return dataclasses.replace(record, answer='He "is, well", nothing.', suspect="an odd picture")
            return untagged(dataclasses.replace(record, question="Which?", answer="It was so."), "?")
        source = Source(url="https://www.norvale.example/1", tier="media")
        return dataclasses.replace(record, sources=(source,)) if record.subject_id == "s2" else record

    folder = changed(fresh.path, odd)
    report = tag_dataset(folder)
    write_table(tmp_path / "doubts.csv", report.doubt_table)
    with (tmp_path / "doubts.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted({row["topic"] for row in rows}) == ["attribute", "record", "source", "value"]
    assert len(rows) == len(report.doubts)
    (value,) = (row for row in rows if row["topic"] == "value")
    assert value["answer"] == 'He "is, well", nothing.'
    assert value["reason"] == "the answer doesn't state its value, 'Avaria'"
    (source,) = (row for row in rows if row["topic"] == "source")
    assert source["reason"] == "norvale.example has no known tier; media as given, 10 times"
