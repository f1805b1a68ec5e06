"""What a takedown leaves behind: what it found anywhere in the folder, and the proof."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from removals import REASON, change, encoded, gradient, of, remove, show
from whole_dataset import WholeDataset

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.release.snapshots import snapshot_folder
from offside_data.schema import make_image_id
from offside_data.takedown.removal import remove_subject

pytestmark = pytest.mark.usefixtures("plain_croissant")


def test_near_pictures_anywhere_in_the_folder_are_found(fresh: OffsideDataset) -> None:
    change(fresh.path, lambda contents: show(contents, make_image_id("test", "s1/p1"), encoded(gradient(), "PNG")))
    (fresh.path / "photos" / "old").mkdir(parents=True)
    copies = {
        "a.jpg": encoded(gradient(), "JPEG", quality=60),
        "b.webp": encoded(gradient(), "WEBP", quality=60),
        "old/half.png": encoded(gradient().resize((48, 48)), "PNG"),
    }
    for name, data in copies.items():
        (fresh.path / "photos" / name).write_bytes(data)
    (fresh.path / "photos" / "other.png").write_bytes(encoded(gradient().rotate(90).convert("L"), "PNG"))
    report = remove(fresh.path)
    assert {finding.where for finding in report.proof.of("left")} == {f"photos/{name}" for name in copies}
    assert report.proof.verdict == "something left"


def plant_genitive(contents: WholeDataset) -> None:
    row = next(row for row in contents.images if row["image_id"] == make_image_id("test", "s2/p1"))
    row["occasion"] = "Orlo Van\u200btiss farewell and O\u00adrlo V\u0430ntis"
    row["source"] = "folder:@OrloVantis/7.png"
    place = of(contents, "s2", attribute="nationality")
    question = "In the photo of Orlo Vantiss farewell?"
    contents.records[place] = dataclasses.replace(contents.records[place], question=question)
    place = of(contents, "s3", attribute="nationality")
    contents.records[place] = dataclasses.replace(contents.records[place], question="Is it like that of O. Vantis?")


def test_hidden_names_in_our_own_records_go_and_near_ones_are_listed(fresh: OffsideDataset) -> None:
    change(fresh.path, plant_genitive)
    report = remove(fresh.path)
    assert len(report.others) == 1
    rows = {row["image_id"]: row for row in WholeDataset.read(fresh.path).images}
    row = rows[make_image_id("test", "s2/p1")]
    assert (row["occasion"], row["source"]) == ("(removed) farewell and (removed)", "folder:@(removed)/7.png")
    (near,) = report.proof.clues
    assert (near.sort, near.where.partition(",")[0].partition(": ")[2]) == ("near", "question")
    assert any(record.record_id in near.where for record in WholeDataset.read(fresh.path).records)
    assert report.proof.verdict == "to be looked at"


def test_it_goes_on_after_bad_neighbours(released: Path) -> None:
    shutil.copytree(snapshot_folder(released, "1.0.0"), snapshot_folder(released, "0.9.0"))
    facts = json.loads((snapshot_folder(released, "0.9.0") / "release.json").read_text())
    (snapshot_folder(released, "0.9.0") / "release.json").write_text(json.dumps(facts | {"version": "0.9.0"}))
    (snapshot_folder(released, "0.9.0") / "README.md").write_text("no card")
    for folder in (released, snapshot_folder(released, "1.0.0")):
        (folder / "croissant.json").write_text('{"by": "Orlo Vantis", ')
        (folder / "CHANGELOG.md").write_bytes("# Från Orlo Vantis\n".encode("cp1252"))
    beside = released.parent / f".{released.name}.host-1.0a0a0a0a.partial"
    beside.mkdir()
    (beside / "claims.csv").write_text("Orlo Vantis")
    report = remove(released)
    assert "s1" not in set(open_dataset(released).subjects()["subject_id"])
    assert (released / "croissant.json").read_text() == '{"by": "(removed)", '
    assert (released / "CHANGELOG.md").read_text() == "# Från (removed)\n"
    places = {finding.where for finding in report.proof.clues}
    assert f"../{beside.name}/claims.csv:1" in places
    assert any(place == ".offside/releases/0.9.0" for place in places)
    assert not [place for place in places if "1.0.0" in place]


def test_proofs_are_kept_and_tell_before_and_after(released: Path) -> None:
    before = open_dataset(released).digest
    (released / "Bremi Kaldo.bin").write_bytes(bytes(range(256)))
    first = remove(released)
    told = json.loads(first.proof_file.read_text())
    assert told["verdict"] == "to be looked at"
    assert told["digests"]["dataset"] == {"before": before, "after": open_dataset(released).digest}
    assert set(told["digests"]) == {"dataset", "1.0.0"}
    assert told["unread"][0]["where"] == "Bremi Kaldo.bin"
    assert told["searched"]["kinds"]["tables"] > 4
    second = remove_subject(released, "s2", REASON)
    assert first.proof_file.parent == second.proof_file.parent
    assert json.loads(first.proof_file.read_text())["unread"][0]["where"] == "(removed).bin"
    assert [finding.where for finding in second.proof.of("left")] == ["Bremi Kaldo.bin"]
