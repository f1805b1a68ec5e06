"""The bench of unlearning: both loops minimise the same loss, and it says what it is there to say."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offside_data import open_dataset

Run = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture(scope="module")
def bench(root: Path, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The module `tools/bench/unlearn.py`, which draws its league once."""
    sys.path.append(str(root / "tools/bench"))
    spec = importlib.util.spec_from_file_location("bench_unlearn", root / "tools/bench/unlearn.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    drawn = tmp_path_factory.mktemp("bench")
    module.make_data(drawn)
    module.make_data = lambda folder: open_dataset(drawn / "league")
    return module


@pytest.fixture
def run(bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def start(*options: str) -> tuple[dict[str, Any], str]:
        out = tmp_path / "out.json"
        monkeypatch.setattr(sys, "argv", ["unlearn.py", "--quick", *options, "--json", str(out)])
        bench.main()
        return json.loads(out.read_text(encoding="utf-8")), capsys.readouterr().out

    return start


@pytest.mark.full
def test_ours_and_the_plain_loop_are_the_same_training_and_only_one_holds_a_copy(run: Run, bench: ModuleType) -> None:
    results, table = run("--cases", "npo alone,prior_match,grad_diff")
    rows = {row["case"]: row for row in results["rows"]}
    assert list(rows) == [case.name for case in bench.CASES if case.name in rows]
    assert {row["steps"] for row in rows.values()} <= set(range(4, 9))
    for name, row in rows.items():
        assert row["loss_differs"] < 1e-4, name
        assert len(row["seconds"]) == len(row["peak_mb"]) == 1
        assert all(seconds > 0 for seconds in row["seconds"][0])
        if row["second_model"]:
            assert 0.4 < row["held"] < 0.7, name
    assert rows["grad_diff"]["held"] > 0.7, "without a frozen model there is no second copy to save"
    assert table.count("\n| ") == 2 + len(rows)
    cache = results["cache"]
    # The likeliest tokens and their numbers, the rest's mass, the answer's own token and its log-probability.
    assert 128 * 8 + 16 <= cache["bytes_a_token"] < 1200
    assert cache["files_written_again_after_one_was_lost"] == 1


def test_another_loss_would_show(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    losses: Any = sys.modules["unlearn_plain"]
    right = losses.LOSSES["npo"]
    monkeypatch.setitem(losses.LOSSES, "npo", lambda plain, batch: 1.01 * right(plain, batch))
    results, _ = run("--cases", "npo alone", "--no-cache")
    assert results["rows"][0]["loss_differs"] > 5e-3


def test_the_table_of_a_gpu_can_be_tried_without_one(run: Run) -> None:
    results, table = run("--gpu", "--device", "cpu", "--cases", "npo")
    assert [row["checkpointing"] for row in results["rows"]] == [False, True]
    assert results["dtype"] == "bfloat16"
    for row in results["rows"]:
        assert row["step_ms"] > 0
        assert row["tokens_a_second"] > 0
    assert "tokens/s" in table


def test_an_unknown_case_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("--cases", "npo_alone")
    assert "npo_alone unknown" in capsys.readouterr().err
