"""Under each planted fault a command finishes or stops with a message; the next run completes the work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full


def test_nothing_is_doubled_lost_or_half_written(root: Path) -> None:
    bench = [sys.executable, str(root / "tools" / "bench" / "hub_faults.py"), "--json"]
    done = subprocess.run(bench, capture_output=True, text=True)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome for outcome in outcomes if outcome["problems"]] == []
    assert done.returncode == 0, done.stderr
    assert {outcome["command"] for outcome in outcomes} == {"publish", "fetch", "push", "pull"}
    assert len(outcomes) > 65
    assert all(outcome["message"] for outcome in outcomes if outcome["first"] == "stopped")
