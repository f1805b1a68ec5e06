from __future__ import annotations

import dataclasses
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from whole_dataset import WholeDataset

from offside_data.dataset import journal as workspace
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.undo import undo
from offside_data.dedup.dataset import DedupConfig, dedup
from offside_data.errors import PluginError, UsageError
from offside_data.schema import make_image_id, make_record_id


def kept(subject: str, picture: str) -> str:
    return make_image_id("test", f"{subject}/{picture}")


def name(subject: str, picture: str, attribute: str, modality: str = "multimodal") -> str:
    return make_record_id("test", subject, f"{subject}/{picture}", attribute, modality)


COPIES = (("s1", "p1", "exact-copy", "exact"), ("s2", "p3", "half-copy", "half"), ("s3", "p4", "jpeg-copy", "jpeg"))


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_without_apply_nothing_is_changed(plant: Any, tmp_path: Path) -> None:
    dataset = plant(*COPIES)
    before = files(dataset.path)
    report = dedup(dataset.path, sheet=tmp_path / "sheet.html")
    assert len(report.merges) == 3
    assert report.applied == []
    assert "half-copy" not in (tmp_path / "sheet.html").read_text()  # Pictures are named by id.
    assert make_image_id("test", "half-copy") in (tmp_path / "sheet.html").read_text()
    after = files(dataset.path)
    assert {path: data for path, data in after.items() if not path.startswith(".offside/hashes/")} == before


def test_the_sheet_lies_in_the_working_area_unless_told_otherwise(plant: Any) -> None:
    report = dedup(plant(COPIES[0]).path)
    assert report.sheet is not None
    assert report.sheet.parts[-3:] == (".offside", "dedup", "sheet.html")
    assert report.sheet.read_text().count("data:image/jpeg;base64,") == 2


def test_nothing_found_writes_no_sheet(plant: Any, tmp_path: Path) -> None:
    report = dedup(plant().path, sheet=tmp_path / "sheet.html")
    assert (report.merges, report.sheet) == ([], None)
    assert not (tmp_path / "sheet.html").exists()


def test_apply(plant: Any) -> None:
    dataset = plant(*COPIES, drop=[name("s2", "p3", "club")])
    report = dedup(dataset.path, apply=True)
    decisions = read_decisions(dataset.path)
    assert decisions == report.applied
    assert [d["kind"] for d in decisions] == ["duplicate"] * 3
    half = next(d for d in decisions if d["what"]["kept"] == kept("s2", "p3"))
    assert half["what"]["dropped"] == [make_image_id("test", "half-copy")]
    assert half["what"]["records_moved"] == [make_record_id("test", "s2", "half-copy", "club", "multimodal")]
    assert "correlation" in half["why"]
    contents = WholeDataset.read(dataset.path)
    assert {r.image_id for r in contents.records} == {row["image_id"] for row in contents.images}
    assert len({r.image_id for r in contents.records}) == 16
    moved = next(r for r in contents.records if r.record_id == half["what"]["records_moved"][0])
    shown = next(r for r in contents.records if r.record_id == name("s2", "p3", "nationality"))
    assert (moved.image_id, moved.image) == (shown.image_id, shown.image)
    open_dataset(dataset.path).verify()
    assert dedup(dataset.path, apply=True).applied == []


def test_clusters_for_a_person_are_left_alone(plant: Any) -> None:
    across = ("s1", "p3", "copy", "exact", {"split": "retain", "veracity": "fact", "rumor_channel": "none"})
    dataset = plant(across, COPIES[1])
    report = dedup(dataset.path, apply=True)
    reasons = [merge.reasons for merge in report.merges]
    assert sum(map(bool, reasons)) == 1
    assert any("different splits: retain, forget" in reason for one in reasons for reason in one)
    assert len(report.applied) == 1
    assert make_image_id("test", "copy") in {r.image_id for r in WholeDataset.read(dataset.path).records}


def test_declared_copies_stay(write_dataset: Any, with_scenes: Any, tmp_path: Path) -> None:
    origin = next(r.image for r in with_scenes if r.image_id == kept("s1", "p1"))
    copies = [
        dataclasses.replace(r, image=r.image and origin) if r.image_id == kept("s1", "p2") else r for r in with_scenes
    ]
    assert dedup(write_dataset(tmp_path / "declared", copies).path).merges == []
    undeclared = [dataclasses.replace(r, derived_from=None) for r in copies]
    (merge,) = dedup(write_dataset(tmp_path / "undeclared", undeclared).path).merges
    assert merge.reasons == ["different splits: retain, test"]


@pytest.mark.parametrize("seed", range(3))
def test_undoing_everything_in_any_order_restores_the_dataset(plant: Any, records: Any, seed: int) -> None:
    source = random.Random(seed)
    # A rumour can be read in the forget picture of s1, so that one doesn't merge by itself.
    pictures = [(s, p) for s in ("s1", "s2", "s3", "s4") for p in ("p1", "p3", "p4") if (s, p) != ("s1", "p3")]
    chosen = source.sample(pictures, 4)
    kinds = ("exact", "jpeg", "half", "brighter")
    copies = [(s, p, f"copy-{n}", source.choice(kinds)) for n, (s, p) in enumerate(chosen)]
    copies.append((*chosen[0], "again", source.choice(kinds)))
    dropped = [name(s, p, source.choice(["club", "nationality"])) for s, p in chosen[:3]]
    # A correction of a rumour that isn't there would be the test's own fault.
    corrected = {r.corrects for r in records}
    dataset = plant(*copies, drop=[d for d in dropped if d not in corrected])
    decisions = [d["id"] for d in dedup(dataset.path, apply=True).applied]
    assert len(decisions) == 4
    assert open_dataset(dataset.path).verify() != dataset.digest
    source.shuffle(decisions)
    for decision in decisions:
        undo(dataset.path, decision)
    assert open_dataset(dataset.path).verify() == dataset.digest


@pytest.mark.parametrize("hash_", ["dhash", "whash"])
def test_other_hashes(plant: Any, hash_: str) -> None:
    dataset = plant(*COPIES)
    assert len(dedup(dataset.path, config=DedupConfig(hash=hash_)).merges) == 3
    assert list((dataset.path / ".offside" / "hashes" / hash_).iterdir())


def test_against_another_dataset(plant: Any, write_dataset: Any, with_scenes: Any, tmp_path: Path) -> None:
    ours = plant(*COPIES, name="ours")
    theirs = [r for r in with_scenes if r.subject_id in ("s1", "s3")]
    other = write_dataset(tmp_path / "theirs", theirs, name="theirs")
    before = other.verify()
    report = dedup(ours.path, against=other.path, apply=True)
    # Its own pictures under their own ids are the same pictures; only the copies are copies.
    assert {m.cluster.keeper.name for m in report.merges} == {
        f"{kept('s1', 'p1')} in theirs@0.1.0",
        f"{kept('s3', 'p4')} in theirs@0.1.0",
    }
    assert [d["what"]["kept_in"] for d in report.applied] == ["theirs@0.1.0"] * 2
    left = {r.image_id for r in WholeDataset.read(ours.path).records}
    assert make_image_id("test", "half-copy") in left
    assert make_image_id("test", "exact-copy") not in left
    assert open_dataset(other.path).verify() == before


def test_against_an_older_version_nothing_is_dropped(plant: Any, tmp_path: Path) -> None:
    new, old = plant(COPIES[0], name="new"), plant(name="old")
    report = dedup(new.path, against=old.path, apply=True)
    assert report.applied == []
    assert "is a version of this dataset" in report.merges[0].reasons[0]


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (DedupConfig(engine="ray"), UsageError, "engine 'ray' isn't there yet; allowed: local"),
        (DedupConfig(radius=-1), UsageError, "--radius -1: phash has 64 bits, so give 0 to 63"),
        (DedupConfig(radius=64), UsageError, "--radius 64: phash has 64 bits"),
        (DedupConfig(radius=70, hash="crop_resistant"), UsageError, "Its own radius is 6"),
        (DedupConfig(hash="phsh"), PluginError, "Did you mean 'phash'"),
    ],
)
def test_wrong_options(fresh: OffsideDataset, config: DedupConfig, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        dedup(fresh.path, config=config)


def test_a_sheet_that_cannot_be_written(plant: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Give another place with --sheet"):
        dedup(plant(COPIES[0]).path, sheet=tmp_path / "file" / "sheet.html")


def test_against_itself_is_refused(small: OffsideDataset) -> None:
    with pytest.raises(UsageError, match="another dataset or version"):
        dedup(small.path, against=small.path)


def test_killed_while_writing_and_started_again(plant: Any, tmp_path: Path, monkeypatch: Any) -> None:
    dataset = plant(*COPIES)
    undisturbed = Path(shutil.copytree(dataset.path, tmp_path / "undisturbed"))
    dedup(undisturbed, apply=True)
    replace, calls = workspace.os.replace, []

    def stop(source: Any, target: Any) -> None:
        calls.append(target)
        if len(calls) == 3:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(workspace.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        dedup(dataset.path, apply=True)
    monkeypatch.undo()
    dedup(dataset.path, apply=True)
    assert open_dataset(dataset.path).verify() == open_dataset(undisturbed).digest
    whats = [[d["what"] for d in read_decisions(path)] for path in (dataset.path, undisturbed)]
    assert json.dumps(whats[0]) == json.dumps(whats[1])
