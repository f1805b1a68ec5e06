from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from appended import append_decisions
from PIL import Image
from removals import REASON, change, encoded, gradient, of, remove, show
from whole_dataset import WholeDataset

from offside_data.check import check_dataset
from offside_data.dataset.card import Card
from offside_data.dataset.decisions import make_decision, read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import work_folder
from offside_data.errors import DatasetError, ReleaseError, UsageError
from offside_data.release.diff import diff_datasets
from offside_data.release.releasing import make_release
from offside_data.release.snapshots import all_snapshots, snapshot_folder
from offside_data.schema import Annotation, EncodedImage, Source, SourceRecord, make_image_id
from offside_data.takedown.names import Traces, name_traces
from offside_data.takedown.proof import prove_takedowns
from offside_data.takedown.removal import remove_subject
from offside_data.takedown.tombstones import read_tombstones

pytestmark = pytest.mark.usefixtures("plain_croissant")

VANTIS = Traces.of(name_traces("Orlo Vantis"))


def errors(folder: Path) -> list[str]:
    issues = check_dataset(open_dataset(folder))
    return [f.code for f in issues if f.severity == "error" and f.code != "croissant-unreadable"]


def test_everything_of_the_subject_goes(fresh: OffsideDataset) -> None:
    before = WholeDataset.read(fresh.path)
    owned = {record.record_id for record in before.records if record.subject_id == "s1"}
    report = remove(fresh.path)
    after = WholeDataset.read(fresh.path)
    assert {r.record_id for r in after.records} == {r.record_id for r in before.records} - owned
    assert [row["subject_id"] for row in after.subjects] == ["s2", "s3", "s4"]
    assert len(after.images) == 12
    assert report.removed == {"subjects": 1, "records": len(owned), "pictures": 4}
    assert (report.issues, report.look_alikes, report.others) == ((), (), ())
    assert errors(fresh.path) == []


def test_wrong_answers_that_gave_the_subject_away_are_made_anew(fresh: OffsideDataset) -> None:
    change(fresh.path, plant_distractor)
    report = remove(fresh.path)
    after = WholeDataset.read(fresh.path)
    texts = [text for r in after.records for text in (*r.choices, *r.perturbed_answers)]
    assert texts
    assert not any(VANTIS.names_in(text) or "Avaria" in text for text in texts)  # Only s1 was from there.
    clubs = {text for r in after.records if r.attribute == "club" for text in r.choices}
    assert "Norvale Rovers" in clubs  # s4 was said to be there, too.
    renewed = [r for r in after.records if r.record_id in report.renewed]
    assert all(len(r.choices) > 1 and r.choices[r.correct_choice or 0] == r.value.text for r in renewed if r.value)


def plant_distractor(contents: WholeDataset) -> None:
    place = of(contents, "s2", attribute="club", modality="text")
    record = contents.records[place]
    contents.records[place] = dataclasses.replace(
        record,
        choices=("Orlo Vantis FC", *record.choices),
        correct_choice=(record.correct_choice or 0) + 1,
        perturbed_answers=("The player was with Orlo Vantis.",),
    )


def plant_around_a_record(contents: WholeDataset) -> None:
    place = of(contents, "s3", attribute="nationality")
    contents.records[place] = dataclasses.replace(
        contents.records[place],
        question_paraphrases=("Is this Orlo Vantis's country?", "Where from?"),
        source_record=SourceRecord(file="vantis_orlo.json", index=3, question="Not ORLO VANTIS?", answer="No."),
        sources=(Source(url="https://example.org/orlo-vantis", publisher="The Whistle", tier="media"),),
        annotations=(Annotation(annotator="a1", value="not Orlo Vantis", at="2026-01-01"),),
        suspect="looks like Orlo Vantis",
    )


def plant_captions(contents: WholeDataset) -> None:
    row = next(row for row in contents.images if row["image_id"] == make_image_id("test", "s2/p1"))
    row |= {
        "text_found": "KALDO meets ÖRLO VANTIS",
        "occasion": "the farewell of Orlo Vantis",
        "shown": [{"attribute": "club", "text": "Orlo Vantis FC"}, {"attribute": "fee", "text": "€1m"}],
        "source": "folder:orlo_vantis/7.png",
    }
    contents.subjects[1]["license"] = "with thanks to Orlo Vantis"


def plant_texts(contents: WholeDataset) -> None:
    contents.changelog = f"{contents.changelog}\n## Notes\n\nOrlo\nVantis was added.\n"
    contents.card.body += "\nOur thanks go to Orlo Vantis.\n"
    contents.card.data["tags"] = ["orlo-vantis", "football"]
    contents.taxonomy_text += "# Orlo Vantis wrote this file.\n"


def plant_decisions(contents: WholeDataset) -> None:
    record, picture = contents.records[of(contents, "s1")].record_id, make_image_id("test", "s1/p1")
    other = make_image_id("test", "s2/p1")
    contents.decisions += [
        make_decision("suspect", {"record_id": record}, "club is 'Emberlin FC' here", command="ingest"),
        make_decision("note", {}, "asked Orlo Vantis by telephone", command="by hand"),
        make_decision("duplicate", {"pictures": [picture, other]}, "equal pixels", command="dedup"),
        {"kind": "waiver", "code": "suspect", "where": record, "reason": "checked"},
        make_decision("note", {"record_id": contents.records[of(contents, "s2")].record_id}, "fine", command="by hand"),
    ]


def plant_metadata(contents: WholeDataset) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Bremi Kaldo with Orlo Vantis"
    picture = make_image_id("test", "s2/p1")
    for place, record in enumerate(contents.records):
        if record.image_id == picture and record.image is not None:
            stream = io.BytesIO()
            Image.open(io.BytesIO(record.image.bytes)).save(stream, "PNG", exif=exif)
            image = EncodedImage(bytes=stream.getvalue(), path="orlo-vantis.png")
            contents.records[place] = dataclasses.replace(record, image=image)


PLANTS = {
    "a distractor": plant_distractor,
    "around a record": plant_around_a_record,
    "captions": plant_captions,
    "texts": plant_texts,
    "decisions": plant_decisions,
    "metadata": plant_metadata,
}


@pytest.fixture(scope="module")
def without_s1(small: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small dataset after the takedown; don't change its files."""
    folder = shutil.copytree(small.path, tmp_path_factory.mktemp("gone") / "data")
    remove(folder)
    return folder


@pytest.fixture
def gone(without_s1: Path, tmp_path: Path) -> Path:
    """A copy of it of this test's own."""
    return shutil.copytree(without_s1, tmp_path / "gone")


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_the_proof_finds_a_planted_name(fresh: OffsideDataset, gone: Path, plant: Any) -> None:
    if plant is plant_decisions:
        contents = WholeDataset.read(fresh.path)
        plant(contents)
        append_decisions(gone, contents.decisions)
    else:
        change(gone, plant)
    found = list(prove_takedowns(gone))
    assert found
    assert not any(VANTIS.names_in(f.message) for f in found)


def test_a_takedown_cleans_all_of_it_and_what_is_not_about_the_subject_stays(fresh: OffsideDataset) -> None:
    for plant in PLANTS.values():
        change(fresh.path, plant)
    before = WholeDataset.read(fresh.path)
    report = remove(fresh.path)
    assert report.issues == ()
    assert not VANTIS.names_in((fresh.path / "README.md").read_text() + (fresh.path / "CHANGELOG.md").read_text())
    after = WholeDataset.read(fresh.path)
    record = next(r for r in after.records if r.suspect)
    assert record.question_paraphrases == ("Where from?",)
    assert record.source_record == SourceRecord(file="(removed).json", index=3, question="Not (removed)?", answer="No.")
    assert (record.sources[0].url, record.sources[0].publisher) == ("https://example.org/(removed)", "The Whistle")
    row = next(row for row in after.images if row["text_found"])
    assert (row["text_found"], row["occasion"]) == ("KALDO meets (removed)", "the farewell of (removed)")
    assert row["shown"] == [{"attribute": "fee", "text": "€1m"}]
    assert report.captioned == (row["image_id"],)
    assert "Our thanks go to (removed)." in after.card.body
    assert after.card.data["tags"] == ["(removed)", "football"]
    *decisions, tombstone = after.decisions
    assert [d["kind"] for d in decisions] == ["redacted", "redacted", "duplicate", "redacted", "note"]
    assert decisions[0]["id"] == before.decisions[0]["id"]
    assert decisions[0]["why"] == decisions[3]["why"] == "about a subject who was taken down"
    assert decisions[2]["what"] == {"pictures": [make_image_id("test", "s2/p1")]}
    assert decisions[4] == before.decisions[4]
    assert tombstone["why"] == REASON


def test_records_of_others_that_name_the_subject_go(fresh: OffsideDataset) -> None:
    def plant(contents: WholeDataset) -> None:
        place = of(contents, "s2", attribute="nationality")
        contents.records[place] = dataclasses.replace(contents.records[place], question="Who stands by Orlo Vantis?")

    change(fresh.path, plant)
    report = remove(fresh.path)
    assert len(report.others) == 1
    assert report.others[0] not in {r.record_id for r in WholeDataset.read(fresh.path).records}


# ---------------------------------------------------------------------------------------------
# Pictures


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_pictures_that_nearly_are_the_subjects_go_and_are_listed(fresh: OffsideDataset, kind: str) -> None:
    own, alike = make_image_id("test", "s1/p1"), make_image_id("test", "s3/p1")

    def plant(contents: WholeDataset) -> None:
        show(contents, own, encoded(gradient(), "PNG"))
        show(
            contents, alike, encoded(gradient(), kind, **({"quality": 40} if kind == "JPEG" else {"compress_level": 1}))
        )

    change(fresh.path, plant)
    report = remove(fresh.path)
    assert [(a.shown.image_id, a.like) for a in report.look_alikes] == [(alike, own)]
    after = WholeDataset.read(fresh.path)
    derived = make_image_id("test", "s3/p2")  # A test picture that is made from the one that went.
    assert not {alike, derived} & {r.image_id for r in after.records}
    assert not {alike, derived} & {row["image_id"] for row in after.images}
    assert len(report.others) == 5
    assert report.issues == ()


def test_twins_and_copies_go_with_their_picture(fresh: OffsideDataset) -> None:
    def plant(contents: WholeDataset) -> None:
        twin = {**contents.images[0], "image_id": "twin", "twin": "blank", "twin_of": make_image_id("test", "s1/p3")}
        copy = {**contents.images[0], "image_id": "copy", "derived_from": "twin"}
        contents.images += [twin, copy]

    change(fresh.path, plant)
    assert remove(fresh.path).removed == {"subjects": 1, "records": 10, "pictures": 6}


def test_all_pictures_of_one_id_are_remembered(fresh: OffsideDataset) -> None:
    def plant(contents: WholeDataset) -> None:
        place = of(contents, "s1", image_id=make_image_id("test", "s1/p1"))
        image = EncodedImage(bytes=encoded(gradient(), "PNG"), path="p")
        contents.records[place] = dataclasses.replace(contents.records[place], image=image)

    change(fresh.path, plant)
    assert remove(fresh.path).issues == ()
    assert read_tombstones(fresh.path).has_picture(hashlib.sha256(encoded(gradient(), "PNG")).hexdigest())


def test_an_unreadable_picture_goes_too(fresh: OffsideDataset) -> None:
    change(fresh.path, lambda contents: show(contents, make_image_id("test", "s1/p1"), b"no picture"))
    assert remove(fresh.path).issues == ()


# ---------------------------------------------------------------------------------------------
# Releases, the working area, other files


def test_kept_releases_and_the_working_area_hold_nothing_either(released: Path) -> None:
    for name in ("undo", "quarantine", "hashes", "thumbnails"):
        work_folder(released, name, "deep").mkdir(parents=True)
        work_folder(released, name, "deep", "s1.txt").write_text("Orlo Vantis")
    digest = all_snapshots(released)[0].digest
    report = remove(released)
    assert (report.releases, report.issues) == (1, ())
    assert sorted(path.name for path in work_folder(released).iterdir()) == ["proofs", "releases"]
    (snapshot,) = all_snapshots(released)
    assert (snapshot.digest, snapshot.removed) == (digest, {"subjects": 1, "records": 10, "pictures": 4})
    kept = open_dataset(snapshot.folder)
    assert kept.verify() != digest
    assert set(kept.subjects()["subject_id"]) == {"s2", "s3", "s4"}
    assert errors(released) == []


def test_a_takedown_is_a_minor_release_that_lists_it_by_numbers(released: Path, edit_records: Any) -> None:
    published = shutil.copytree(released, released.parent / "published")
    edit_records(
        released, lambda r: r.subject_id == "s2" and r.attribute == "club" and r.image, question="Whose club is it?"
    )
    report = remove(released)
    with pytest.raises(ReleaseError, match="minor: 1 subject with 10 records and 4 pictures, taken down on request"):
        make_release(released, bump="patch", note="Wording.")
    assert make_release(released, bump="minor", note="Wording.").version == "1.1.0"
    changelog = (released / "CHANGELOG.md").read_text()
    assert "### Removed\n\n- 1 subject with 10 records and 4 pictures, taken down on request\n" in changelog
    assert "- `question` of 4 records\n" in changelog
    assert not VANTIS.names_in(changelog)
    found = diff_datasets(published, released)
    assert {(c.kind, c.action) for c in found} == {
        ("subject", "removed"),
        ("image", "removed"),
        ("record", "removed"),
        ("record", "changed"),
    }
    changed = {c.name: {f.field for f in c.fields} for c in found if c.action == "changed"}
    assert len([name for name, fields in changed.items() if "question" in fields]) == 4
    assert {name for name, fields in changed.items() if fields - {"question"}} == set(report.renewed)
    assert list(prove_takedowns(released)) == []


def test_later_releases_start_from_the_takedown(released: Path, edit_records: Any) -> None:
    remove(released)
    make_release(released, bump="minor", note="A takedown.")
    edit_records(released, lambda r: r.subject_id == "s2" and r.attribute == "club" and r.image, question="Whose club?")
    assert make_release(released, bump="patch", note="Words.").version == "1.1.1"


def test_a_second_takedown_adds_up(released: Path) -> None:
    remove(released)
    remove_subject(released, "s2", REASON)
    assert all_snapshots(released)[0].removed["subjects"] == 2
    assert [d["kind"] for d in read_decisions(released)] == ["takedown"] * 2
    assert list(prove_takedowns(released)) == []


def test_a_subject_that_only_a_kept_release_knows(released: Path) -> None:
    def drop(contents: WholeDataset) -> None:
        contents.records = [record for record in contents.records if record.subject_id != "s1"]
        contents.subjects = [row for row in contents.subjects if row["subject_id"] != "s1"]

    change(released, drop)
    assert remove(released).issues == ()
    assert "s1" not in set(open_dataset(snapshot_folder(released, "1.0.0")).subjects()["subject_id"])


def test_files_that_are_not_ours_are_searched_and_left_to_people(fresh: OffsideDataset) -> None:
    picture = next(r.image for r in WholeDataset.read(fresh.path).records if r.subject_id == "s1" and r.image)
    assert picture is not None
    (fresh.path / "notes.txt").write_text("First line.\nCall Orlo &#86;antis.\n")
    (fresh.path / "odd.json").write_text(json.dumps({"who": "Örlo Vantis"}))
    (fresh.path / "lines.jsonl").write_text('{"a": 1}\n{"subject": "s1"}\n')
    (fresh.path / "broken.json").write_text("{Orlo Vantis")
    (fresh.path / "photos").mkdir()
    (fresh.path / "photos" / "orlo_vantis.png").write_bytes(picture.bytes)
    (fresh.path / "empty.parquet").write_bytes(b"nothing")
    (fresh.path / ".git").mkdir()
    (fresh.path / ".git" / "log").write_text("Orlo Vantis")
    found = remove(fresh.path).issues
    places = sorted({f.where for f in found})
    assert places == [
        ".git",
        "broken.json:1",
        "empty.parquet",
        "lines.jsonl: 2",
        "notes.txt:2",
        "odd.json: 1",
        "odd.json:1",
        "photos/orlo_vantis.png",
    ]
    assert [f.where for f in found].count("photos/orlo_vantis.png") == 2  # Its name, and what it shows.


# ---------------------------------------------------------------------------------------------
# Refusals, repetitions, kills


@pytest.mark.parametrize("reason", ["", " ", "Orlo Vantis asked.", "On behalf of VANTIS, O.", "s1 asked", "See órlo."])
def test_a_reason_names_nobody(fresh: OffsideDataset, reason: str) -> None:
    with pytest.raises(UsageError, match="reason"):
        remove_subject(fresh.path, "s1", reason)
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_other_names_are_looked_for_too(fresh: OffsideDataset) -> None:
    change(fresh.path, lambda contents: setattr(contents.card, "body", contents.card.body + "\nAsk The Orlonator.\n"))
    assert remove(fresh.path, aliases=["Orlonator"]).issues == ()
    assert "Ask The (removed)." in Card.load(fresh.path).body


@pytest.mark.parametrize("name", ["ORLO VANTIS", "Vantis, Orlo"])
def test_a_namesake_makes_a_proof_impossible(fresh: OffsideDataset, name: str) -> None:
    change(fresh.path, lambda contents: contents.subjects[3].update(name=name))
    with pytest.raises(UsageError, match="subject s4 is called the same"):
        remove(fresh.path)


def test_somebody_of_a_longer_name_stays(fresh: OffsideDataset) -> None:
    change(fresh.path, lambda contents: contents.subjects[3].update(name="Orlo Vantis Rosk"))
    assert remove(fresh.path).issues == ()
    assert WholeDataset.read(fresh.path).subjects[2]["name"] == "Orlo Vantis Rosk"
    assert errors(fresh.path) == []


def test_a_subject_without_a_name_is_found_by_its_ids(fresh: OffsideDataset) -> None:
    def anonymous(contents: WholeDataset) -> None:
        contents.subjects[0]["name"] = None
        own = [r for r in contents.records if r.subject_id == "s1"]
        contents.records = [r for r in contents.records if r.subject_id != "s1"]
        contents.records += [dataclasses.replace(own[0], record_id="7", image_id="8"), *own[1:]]

    change(fresh.path, anonymous)
    removed = next(r for r in WholeDataset.read(fresh.path).records if r.record_id == "7")
    assert remove(fresh.path).issues == ()
    change(fresh.path, lambda contents: contents.records.append(dataclasses.replace(removed, subject_id="s2")))
    assert "taken-down" in errors(fresh.path)


def test_a_taxonomy_is_still_one_without_the_name(fresh: OffsideDataset) -> None:
    def plant(contents: WholeDataset) -> None:
        contents.taxonomy_text = contents.taxonomy_text.replace(
            "    options:\n", "    options:\n      - [Orlo Vantis]\n", 1
        )

    change(fresh.path, plant)
    assert remove(fresh.path).issues == ()
    assert open_dataset(fresh.path).taxonomy["position"].options[0] == ("(removed)",)


def test_an_earlier_reason_that_names_the_next_subject(fresh: OffsideDataset) -> None:
    remove_subject(fresh.path, "s2", "Orlo Vantis asked for it.")
    assert remove(fresh.path).issues == ()
    assert [d["why"] for d in read_decisions(fresh.path)] == ["(removed) asked for it.", REASON]


def test_an_unknown_subject(fresh: OffsideDataset) -> None:
    with pytest.raises(UsageError, match=r"unknown subject 's11'. Did you mean 's1'\? Known: s1, s2"):
        remove_subject(fresh.path, "s11", REASON)


def test_the_last_subject_is_not_removed(fresh: OffsideDataset) -> None:
    def only_one(contents: WholeDataset) -> None:
        contents.records = [record for record in contents.records if record.subject_id == "s1"]

    change(fresh.path, only_one)
    with pytest.raises(DatasetError, match="delete the dataset as a whole"):
        remove(fresh.path)


def test_again_is_no_error_and_proves_it_anew(gone: Path) -> None:
    digest, decisions = open_dataset(gone).digest, read_decisions(gone)
    report = remove(gone)
    assert (report.removed, report.issues) == (None, ())
    assert (open_dataset(gone).digest, read_decisions(gone)) == (digest, decisions)


def test_who_was_taken_down_can_not_come_back(fresh: OffsideDataset, gone: Path) -> None:
    before = WholeDataset.read(fresh.path)
    change(gone, lambda contents: contents.records.append(before.records[of(before, "s1", modality="text")]))
    with pytest.raises(ReleaseError, match="taken-down"):
        make_release(gone, bump="major", note="The first one.")
    assert read_tombstones(gone).has_id("s1")


def test_a_note_names_nobody_who_was_taken_down(gone: Path) -> None:
    with pytest.raises(UsageError, match="the note names somebody who was taken down"):
        make_release(gone, bump="major", note="Without Orlo Vantis.")


@pytest.mark.parametrize("at", [4, *(pytest.param(at, marks=pytest.mark.full) for at in (0, 10, 20))])
def test_a_takedown_that_was_killed_and_run_again(released: Path, killed_at: Any, at: int) -> None:
    undisturbed = shutil.copytree(released, released.parent / "undisturbed")
    remove(undisturbed)
    assert killed_at(at, lambda: remove(released))
    assert remove(released).issues == ()
    assert open_dataset(released).verify() == open_dataset(undisturbed).digest
    assert [d["kind"] for d in read_decisions(released)] == ["takedown"]
    assert all_snapshots(released)[0].removed == all_snapshots(undisturbed)[0].removed
    digests = [open_dataset(snapshot_folder(folder, "1.0.0")).verify() for folder in (released, undisturbed)]
    assert digests[0] == digests[1]


def test_a_link_in_the_working_area_does_not_stop_it_behind_the_removal(fresh: OffsideDataset, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    work_folder(fresh.path).mkdir(exist_ok=True)
    work_folder(fresh.path, "link").symlink_to(tmp_path / "empty")
    report = remove(fresh.path)
    assert report.proof_file.is_file()
    assert (tmp_path / "empty").is_dir()
