"""The tool that breaks the sources and demands a failing test: on a small project, and in full on ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

SOURCE = '''
LEAST = 2

def mean(values: list[float | None]) -> float:
    """Of those that are there."""
    kept = [value for value in values if value is not None]
    if not kept:
        return 0.0
    return sum(kept) / len(kept)


def steps(n: int) -> int:
    taken = 0
    while n > LEAST:
        n -= 1
        taken = taken + 1
    return taken
'''
TESTS = """
from toy.means import mean, steps


def test_mean() -> None:
    assert mean([1.0, 3.0, None]) == 2.0
    assert mean([None]) == 0.0


def test_steps() -> None:
    assert steps(5) == 3
"""
WEAK = "from toy.means import mean\n\n\ndef test_mean() -> None:\n    assert mean([0.0]) == 0.0\n"
HELD_TO = (
    *("metrics", "aggregate", "depth", "forget_quality", "js_distance", "model_utility", "_membership", "_min_k"),
    *("membership_grad_norm", "membership_loss", "membership_min_k", "membership_min_k_plus"),
    *("membership_reference", "membership_zlib"),
)
"""Targets and files of which each change is noticed or explained. Attacks and what `compare` computes aren't yet."""
Found = tuple[int, Any, str]


def toy(place: Path, tests: str, explained: list[dict[str, Any]]) -> Path:
    for name, text in (("src/toy/__init__.py", ""), ("src/toy/means.py", SOURCE), ("tests/test_means.py", tests)):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    targets = {"means": {"sources": ["src/toy/*.py"], "tests": ["tests"]}}
    (place / "targets.yaml").write_text(yaml.safe_dump(targets), encoding="utf-8")
    (place / "explained.yaml").write_text(yaml.safe_dump(explained), encoding="utf-8")
    return place


def mutate(root: Path, place: Path) -> Found:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    done = subprocess.run(
        [
            *(sys.executable, root / "tools" / "mutate.py", "--json", "--all", "-j", "2", "--grace", "1"),
            *("--root", place, "--targets", place / "targets.yaml", "--explained", place / "explained.yaml"),
        ],
        capture_output=True,
        text=True,
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(place / "src")},
        timeout=300,
    )
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def test_what_no_test_notices_is_told_and_may_be_explained(root: Path, tmp_path: Path) -> None:
    status, told, _ = mutate(root, toy(tmp_path / "weak", WEAK, []))
    assert status == 1
    left = {(found["function"], found["before"], found["after"]) for found in told["unexplained"]}
    assert ("mean", "value is not None", "True") in left  # a mask dropped
    assert ("mean", "sum(kept) / len(kept)", "sum(kept) / (len(kept) + 1)") in left  # a denominator changed
    assert ("mean", "sum(kept) / len(kept)", "-(sum(kept) / len(kept))") in left  # a sign flipped
    assert ("steps", "n > LEAST", "n <= LEAST") in left  # not run at all
    assert {found["line"] for found in told["unexplained"] if found["before"] == "value is not None"} == {6}

    equal = {"file": "src/toy/means.py", "function": "mean", "before": "0.0", "after": "1.0"}
    status, told, _ = mutate(root, toy(tmp_path / "strong", TESTS, []))
    assert (status, told["unexplained"]) == (0, [])  # also `n -= -1`, which never ends
    assert told["total"]["mutations"] == told["total"]["killed"] >= 12

    stale = [equal | {"why": "It isn't so."}, equal | {"before": "7", "why": "It isn't there."}]
    status, told, _ = mutate(root, toy(tmp_path / "stale", TESTS, stale))
    assert status == 1
    assert [" ".join(line.rpartition("explained, but ")[2].split()[:2]) for line in told["stale"]] == [
        "noticed by",
        "there is",
    ]

    first = mutate(root, toy(tmp_path / "known", WEAK, []))[1]["unexplained"]
    known = [{key: found[key] for key in ("file", "function", "before", "after", "nth")} for found in first]
    status, told, _ = mutate(root, toy(tmp_path / "known", WEAK, [k | {"why": "Weak on purpose."} for k in known]))
    assert (status, told["unexplained"], told["stale"]) == (0, [], [])
    assert told["total"]["explained"] == len(known)


def test_tests_that_fail_as_they_are_prove_nothing(root: Path, tmp_path: Path) -> None:
    status, told, said = mutate(root, toy(tmp_path, WEAK.replace("== 0.0", "== 7.0"), []))
    assert (status, told) == (2, None)
    assert "fails as it is" in said


@pytest.mark.full
def test_what_metrics_compute_has_tests_that_notice(root: Path, record_property: pytest.RecordProperty) -> None:
    only = [part for name in HELD_TO for part in ("--only", name)]
    done = subprocess.run(
        [sys.executable, root / "tools" / "mutate.py", "-j", "2", *only], capture_output=True, text=True, cwd=root
    )
    record_property("table", done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
