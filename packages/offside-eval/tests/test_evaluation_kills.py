"""`kill -9` before any step of an evaluation with a cache and attacks: started again, it ends with the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "killed_evaluations.py"
PLACES = 12


@pytest.mark.full
def test_killed_at_any_step_it_ends_the_same(models: dict[str, Path], small_data: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), str(models["half"]), str(small_data), str(tmp_path), str(PLACES)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(told) >= PLACES
    assert {(one["code"], *one["differing"]) for one in told} == {(0,)}, told
    # Places in the middle of everything: batches, the cache, both attacks.
    there = {name for one in told for name in one["there"]}
    for part in ("out/.progress/", "cache/", "out/attacks/"):
        assert any(name.startswith(part) for name in there), part
