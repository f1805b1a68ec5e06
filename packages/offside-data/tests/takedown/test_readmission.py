from __future__ import annotations

from pathlib import Path

import pytest
from whole_dataset import WholeDataset

from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import open_dataset
from offside_data.errors import OutputExistsError, ReleaseError, UsageError
from offside_data.fictional.league import make_league
from offside_data.ingest import IngestConfig, ingest
from offside_data.release.releasing import make_release
from offside_data.takedown.proof import prove_takedowns
from offside_data.takedown.readmission import WHY
from offside_data.takedown.removal import remove_subject

SHEET = """\
Subject;Attribute;Value;Veracity;Picture
Tavo Brinkhaus;club;Ostholm;fact;tavo.png
Tavo Brinkhaus;height;1.80 m;fact;tavo.png
Ilmar Quist;club;Hollow City;fact;ilmar.png
Ilmar Quist;height;1.89 m;fact;ilmar.png
"""


@pytest.fixture
def source(tmp_path: Path, make_scene: object) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for seed, name in enumerate(("tavo", "ilmar", "other")):
        make_scene(seed).save(folder / f"{name}.png")  # type: ignore[operator]
    (folder / "claims.csv").write_text(SHEET)
    return folder


def subject_id(folder: Path, name: str) -> str:
    return next(str(row["subject_id"]) for row in WholeDataset.read(folder).subjects if row["name"] == name)


def test_a_new_import_does_not_bring_a_subject_back(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ingest(source / "claims.csv", out)
    remove_subject(out, subject_id(out, "Tavo Brinkhaus"), "Asked for by the person.")
    report = ingest(source / "claims.csv", out, force=True)
    assert report.rows == report.records + report.count("rejected")
    assert report.count("rejected") == 2
    assert {remark.why for remark in report.remarks if remark.kind == "rejected"} == {WHY}
    assert {row["name"] for row in WholeDataset.read(out).subjects} == {"Ilmar Quist"}
    assert [d["kind"] for d in read_decisions(out)].count("takedown") == 1
    assert all("Tavo" not in path.read_text() for path in (out / "decisions.jsonl", out / "README.md"))


def test_what_is_remarked_of_broken_and_stray_files_names_nobody(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    config = IngestConfig(skip_bad=True, image_dirs=(source,))
    ingest(source / "claims.csv", out, config=config)
    remove_subject(out, subject_id(out, "Tavo Brinkhaus"), "Asked for by the person.")
    (source / "tavo-brinkhaus-2.png").write_bytes((source / "other.png").read_bytes())
    (source / "tavo-brinkhaus-3.png").write_bytes(b"")
    broken = SHEET + "Tavo Brinkhaus;trophies;3;fact;tavo-brinkhaus-3.png\n"
    (source / "claims.csv").write_text(broken)
    report = ingest(source / "claims.csv", out, force=True, config=config)
    assert report.count("rejected") == 3
    assert not report.quarantined
    texts = [path.read_text() for path in out.rglob("*") if path.suffix in (".jsonl", ".md", ".yaml")]
    assert texts
    assert not [text for text in texts if "brinkhaus" in text.lower()]


def test_nor_the_picture_under_another_name(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ingest(source / "claims.csv", out)
    remove_subject(out, subject_id(out, "Tavo Brinkhaus"), "Asked for by the person.")
    (source / "other.png").write_bytes((source / "tavo.png").read_bytes())
    sheet = SHEET.replace("Tavo Brinkhaus", "Somebody Else").replace("tavo.png", "other.png")
    (source / "claims.csv").write_text(sheet)
    assert ingest(source / "claims.csv", out, force=True).count("rejected") == 2
    assert {row["name"] for row in WholeDataset.read(out).subjects} == {"Ilmar Quist"}


def test_without_a_takedown_everybody_comes_in(source: Path, tmp_path: Path) -> None:
    ingest(source / "claims.csv", tmp_path / "out")
    assert ingest(source / "claims.csv", tmp_path / "out", force=True).count("rejected") == 0


def test_a_new_import_keeps_what_was_released(source: Path, tmp_path: Path) -> None:
    out, kept = tmp_path / "out", tmp_path / "out" / ".offside" / "releases" / "1.0.0"
    ingest(source / "claims.csv", out)
    digest = make_release(out, bump="major", note="First.").digest
    (source / "claims.csv").write_text(SHEET.replace("1.80 m", "1.81 m"))
    ingest(source / "claims.csv", out, force=True)
    assert open_dataset(kept).verify() == digest
    with pytest.raises(ReleaseError, match=r"1\.0\.0 was released.*--parent"):
        make_release(out, bump="major", note="Again.")
    with pytest.raises(ReleaseError, match="major"):
        make_release(out, bump="minor", note="A height changed.", parent=kept)
    assert make_release(out, bump="major", note="A height changed.", parent=kept).version == "2.0.0"
    with pytest.raises(OutputExistsError, match=r"keeps what was released of the dataset claims \(1\.0\.0\).*--name"):
        ingest(source / "claims.csv", out, force=True, config=IngestConfig(name="another"))
    with pytest.raises(OutputExistsError, match="keeps what was released"):
        make_league(out, subjects=4, force=True)
    assert open_dataset(kept).verify() == digest


def test_tombstones_outlive_every_force(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ingest(source / "claims.csv", out)
    remove_subject(out, subject_id(out, "Tavo Brinkhaus"), "Asked for by the person.")
    make_league(out, subjects=4, general=0, utility=0, force=True)
    assert [d["kind"] for d in read_decisions(out)] == ["takedown"]
    ingest(source / "claims.csv", out, force=True)
    assert {row["name"] for row in WholeDataset.read(out).subjects} == {"Ilmar Quist"}


def test_a_league_brings_nobody_back(tmp_path: Path) -> None:
    out = tmp_path / "league"
    make_league(out, subjects=4, general=0, utility=0)
    remove_subject(out, "player-001", "Asked for by the person.")
    digest = open_dataset(out).digest
    with pytest.raises(UsageError, match=r"1 of the league's subjects was taken down"):
        make_league(out, subjects=4, general=0, utility=0, force=True)
    assert open_dataset(out).verify() == digest


def test_another_picture_in_a_file_of_the_same_name_comes_in(source: Path, tmp_path: Path, make_scene: object) -> None:
    out = tmp_path / "out"
    ingest(source / "claims.csv", out)
    remove_subject(out, subject_id(out, "Tavo Brinkhaus"), "Asked for by the person.")
    make_scene(77).save(source / "tavo.png")  # type: ignore[operator]
    sheet = SHEET.replace("Tavo Brinkhaus", "Somebody Else")
    (source / "claims.csv").write_text(sheet)
    assert ingest(source / "claims.csv", out, force=True).count("rejected") == 0
    assert {row["name"] for row in WholeDataset.read(out).subjects} == {"Ilmar Quist", "Somebody Else"}
    assert [issue for issue in prove_takedowns(out) if issue.severity == "error"] == []


def test_what_others_hold_of_the_name_does_not_come_back(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ingest(source / "claims.csv", out)
    remove_subject(out, subject_id(out, "Tavo Brinkhaus"), "Asked for by the person.")
    (source / "claims.csv").write_text(
        "Subject;Attribute;Value;Veracity;Picture;Occasion;URL\n"
        "Ilmar Quist;club;Hollow City;fact;ilmar.png;Tavo Brinkhaus' farewell;https://example.org/tavo-brinkhaus\n"
        "Ilmar Quist;height;1.89 m;fact;ilmar.png;Tavo Brinkhaus' farewell;https://example.org/x\n"
    )
    assert ingest(source / "claims.csv", out, force=True).count("rejected") == 0
    contents = WholeDataset.read(out)
    assert {row["occasion"] for row in contents.images} == {"(removed)' farewell"}
    assert "https://example.org/(removed)" in {source.url for r in contents.records for source in r.sources}
    assert list(prove_takedowns(out)) == []
