"""The bench of the curation commands, at a size that takes seconds: it measures, and never does anything twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from offside_data import open_dataset

RECORDS = 300
STEPS = ["ingest", "tag", "questions", "check", "release", "retag", "diff"]


def run(root: Path, work: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools/bench/curation.py"), "--sizes", str(RECORDS), "--work", str(work)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def read(work: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((work / "results.json").read_text(encoding="utf-8"))
    return results


@pytest.fixture(scope="module")
def first(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The work folder after a first run, and the table that it printed."""
    work = tmp_path_factory.mktemp("bench") / "work"
    return work, run(root, work).stdout


def test_the_table_has_every_command_with_its_figures(first: tuple[Path, str]) -> None:
    _, table = first
    lines = {line.split()[0]: line.split() for line in table.splitlines() if line.split()[:1] and line[0].isalpha()}
    for step in STEPS:
        _, records, seconds, cpu, others, rate, *growth, peak, processes = lines[step]
        assert int(records) >= RECORDS
        assert float(seconds) > 0.1
        assert 0 < float(cpu) <= 2 * float(seconds)
        assert 0 <= int(others.rstrip("%")) <= 100
        assert float(rate.replace(",", "")) > 1
        assert growth == ["-", "-"]
        assert float(peak.replace(",", "")) > 30
        assert int(processes) >= 1
    assert "pictures/s" in table


def test_the_dataset_is_as_large_as_asked(first: tuple[Path, str]) -> None:
    work, _ = first
    steps = read(work)["sizes"][str(RECORDS)]["steps"]
    assert [steps[name]["records"] for name in ("ingest", "tag")] == [RECORDS, RECORDS]
    dataset = open_dataset(work / str(RECORDS) / "states" / "retag")
    rows = [
        row for part in dataset.record_parts() for row in dataset.rows(part).select_columns(["modality", "veracity"])
    ]
    assert len(rows) == steps["diff"]["records"] > RECORDS
    assert {row["veracity"] for row in rows} == {"fact", "rumor", "correction"}
    assert sum(row["modality"] == "multimodal" for row in rows) == 290
    assert read(work)["sizes"][str(RECORDS)]["pictures"] == 22


@pytest.mark.full
def test_a_second_start_does_only_what_is_missing(root: Path, first: tuple[Path, str]) -> None:
    work, table = first
    before = read(work)
    again = run(root, work)
    assert again.stdout == table
    assert again.stderr == ""
    # As if it had been killed before it could write the last step down.
    del before["sizes"][str(RECORDS)]["steps"]["diff"]
    (work / "results.json").write_text(json.dumps(before), encoding="utf-8")
    started = [line for line in run(root, work).stderr.splitlines() if line.endswith("...")]
    assert started == [f"{RECORDS} records: diff ..."]
    after = read(work)
    assert list(after["sizes"][str(RECORDS)]["steps"]) == STEPS
    del after["sizes"][str(RECORDS)]["steps"]["diff"]
    assert after == before


def test_memory_is_that_of_all_processes_together(root: Path, tmp_path: Path) -> None:
    held = "import sys, subprocess, time; held = bytearray(b'x' * 40 * 2**20); time.sleep(0.3); "
    child = f"subprocess.run([sys.executable, '-c', {held!r} + 'time.sleep(0.5)'])"
    program = (
        f"import sys; sys.path.insert(0, {str(root / 'tools' / 'bench')!r}); from pathlib import Path; "
        f"from measure import measure; "
        f"print(measure([sys.executable, '-c', {held + child!r}], Path({str(tmp_path / 'log')!r})))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    figures = dict(part.split("=") for part in printed.strip().removeprefix("Measured(").rstrip(")").split(", "))
    assert figures["status"] == "0"
    assert figures["processes"] == "2"
    assert 80 < float(figures["peak_mb"]) < 160
