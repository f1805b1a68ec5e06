"""Where the numbers go besides: whole at the end of a run, by their names, and nowhere on the network."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_unlearn import RunOptions, reporting, unlearn


def run(tiny: Path, league: OffsideDataset, out: Path, reporter: str, **more: Any) -> None:
    options = RunOptions(device="cpu", report_to=reporter, **more)
    unlearn("grad_diff", str(tiny), None, league, "complete", {"max_steps": 2, "batch_size": 1}, out, options)


def test_tensorboard_gets_each_term_of_each_step(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tiny, league, tmp_path / "run", "tensorboard")
    found = EventAccumulator(str(tmp_path / "run" / "logs"))
    found.Reload()
    for name in ("loss", "forget_ce", "retain_ce", "grad_norm", "learning_rate"):
        assert [event.step for event in found.Scalars(f"train/{name}")] == [1, 2]
    run(tiny, league, tmp_path / "run", "none")  # The same run: where its numbers went is no part of it.
    assert (tmp_path / "run" / "logs").is_dir()


def test_a_missing_package_is_told_before_the_model_is_loaded(
    tiny: Path, league: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "find_spec", lambda name: None)
    monkeypatch.setattr("offside_unlearn.start.Start.load", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises(UsageError, match=r"wandb isn't installed\. pip install 'offside-unlearn\[wandb\]'"):
        run(tiny, league, tmp_path / "run", "wandb")
    with pytest.raises(UsageError, match=r"unknown reporter .tensorbord.\. Did you mean .tensorboard."):
        run(tiny, league, tmp_path / "run", "tensorbord")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb isn't installed")
def test_wandb_stays_offline(
    tiny: Path, league: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    run(tiny, league, tmp_path / "run", "wandb")
    assert list((tmp_path / "run" / "logs" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert "WANDB_MODE" not in os.environ, "what we set for it goes again"
