"""The worked example of docs/curation.md, run as it stands, and what must have come of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from offside_data import open_dataset
from offside_data.dataset.decisions import read_decisions

Row = dict[str, Any]


@pytest.fixture(scope="module")
def example(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder `work` after every block of the page, and what each `bash` line printed."""
    folder = tmp_path_factory.mktemp("curation")
    (folder / "tools").symlink_to(root / "tools")
    page = (root / "docs" / "curation.md").read_text(encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1", "COLUMNS": "160"}
    printed: dict[str, str] = {}
    for language, block in re.findall(r"^```(bash|python)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for line in block.strip().split("\n") if language == "bash" else [block]:
            command = ["bash", "-c", line] if language == "bash" else [sys.executable, "-c", line]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            printed[line] = done.stdout + done.stderr
    return folder / "work", printed


def said(printed: dict[str, str], command: str) -> str:
    (text,) = [text for line, text in printed.items() if line.startswith(command)]
    return text


def decisions(folder: Path, kind: str) -> list[Row]:
    return [decision for decision in read_decisions(folder) if decision["kind"] == kind]


def test_the_folder_is_what_the_page_says(example: tuple[Path, dict[str, str]]) -> None:
    work, _ = example
    planted = json.loads((work / "planted.json").read_text())
    files = [path for path in (work / "pictures").rglob("*") if path.is_file()]
    there = {f"broken/{name}" for name in planted["broken"]} & {
        path.relative_to(work / "pictures").as_posix() for path in files
    }
    assert len(planted["broken"]) == 12
    assert len(files) - len(there) == 300
    assert (len(planted["exact"]), len(planted["near"]), len(planted["leak"])) == (11, 11, 1)


def test_every_broken_file_is_set_aside_with_a_reason(example: tuple[Path, dict[str, str]]) -> None:
    work, _ = example
    planted = json.loads((work / "planted.json").read_text())
    rejected = decisions(work / "archive", "rejected")
    assert len(rejected) == 12
    for name in planted["broken"]:
        assert any(f"broken/{name}" in decision["why"] for decision in rejected), name


def test_every_planted_copy_is_found_and_no_other(example: tuple[Path, dict[str, str]]) -> None:
    work, printed = example
    planted = json.loads((work / "planted.json").read_text())
    merged = [set(d["what"]["dropped"]) | {d["what"]["kept"]} for d in decisions(work / "archive", "duplicate")]
    copies = {**planted["exact"], **planted["near"], **planted["leak"]}
    assert len(merged) == len(copies) == 23
    assert "picture-leak" in said(printed, "offside-data check work/archive ||")
    pictures = {row["source"] for row in open_dataset(work / "archive").table_rows("images")}
    assert len(pictures) == 300 - 23


def test_a_smaller_bump_is_refused_with_the_list(example: tuple[Path, dict[str, str]]) -> None:
    work, printed = example
    refusal = said(printed, "offside-data release work/archive --bump minor")
    assert "refused: values changed" in refusal
    changed = {r.record_id for r in open_dataset(work / "archive").iter_records() if r.answer.endswith("€77.70m.")}
    assert len([record_id for record_id in changed if record_id in refusal]) >= 5
    assert open_dataset(work / "archive").version == "2.0.0"
    parent = open_dataset(work / "archive").card.block.parent
    assert parent is not None
    assert parent.version == "1.0.0"
    assert parent.digest == open_dataset(work / "archive" / ".offside" / "releases" / "1.0.0").digest


def test_the_other_branch_is_minor_and_diff_lists_exactly_what_changed(example: tuple[Path, dict[str, str]]) -> None:
    work, _ = example
    leaving = (work / "leaving.txt").read_text()
    assert open_dataset(work / "wordings").version == "1.1.0"
    before = work / "archive" / ".offside" / "releases" / "1.0.0"
    command = [str(Path(sys.executable).parent / "offside-data"), "diff", str(before), str(work / "wordings"), "--json"]
    changes = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["changes"]

    def names(kind: str, action: str) -> set[str]:
        return {change["name"] for change in changes if (change["kind"], change["action"]) == (kind, action)}

    worded = {c["name"] for c in changes if "question" in {field["field"] for field in c["fields"]}}
    assert len(worded) == 20
    assert names("subject", "removed") == {leaving}
    records = open_dataset(before).claims(["record_id", "subject_id"])
    assert names("record", "removed") == set(records.filter(subject_id=leaving)["record_id"])
    assert not names("record", "added")
    remade = {"choices", "correct_choice", "perturbed_answers"}  # Wrong answers that were the leaving subject's.
    for change in changes:
        if change["kind"] == "record" and change["action"] == "changed" and change["name"] not in worded:
            assert {field["field"] for field in change["fields"]} <= remade


def test_the_release_verifies(example: tuple[Path, dict[str, str]]) -> None:
    work, _ = example
    for name in ("archive", "wordings"):
        dataset = open_dataset(work / name)
        assert dataset.verify() == dataset.digest
        assert (work / name / "croissant.json").is_file()
        assert f"## {dataset.version}" in (work / name / "CHANGELOG.md").read_text().replace("[", "").replace("]", "")
