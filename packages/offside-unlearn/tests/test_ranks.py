"""Several processes train one model: the same gradients as one, one of them speaks, and a kill does no harm."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_unlearn import Run, RunOptions, make_tiny, ranks, unlearn

sys.path.append(str(Path(__file__).parent))
SCRIPT = Path(__file__).parent / "gradients.py"


def free_port() -> str:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


def start_two(*command: str) -> list[subprocess.Popen[str]]:
    """The same command in two processes, as `accelerate launch` and `torchrun` start them."""
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    shared |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return [
        subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **shared, "RANK": str(number), "LOCAL_RANK": str(number)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]


def in_two(*command: str, expected: int = 0) -> list[tuple[str, str]]:
    started = start_two(*command)
    told = [process.communicate(timeout=500) for process in started]
    assert [process.returncode for process in started] == [expected] * 2, told
    return told


def compare(model: Path, data: OffsideDataset, folder: Path, methods: list[str]) -> None:
    import gradients

    told = in_two(str(SCRIPT), str(model), str(data.path), str(folder / "two"), "2", *methods)
    gradients.run(str(model), data, folder / "one", 1, methods)
    for method in methods:
        one, two, other = (
            load_file(folder / place / f"{method}{which}.safetensors")
            for place, which in (("one", ""), ("two", ""), ("two", "-1"))
        )
        assert one.keys() == two.keys() == other.keys()
        assert all(torch.equal(two[name], other[name]) for name in two), "each process moves in the same way"
        far = torch.stack([(two[name] - gradient).norm() for name, gradient in one.items()]).norm()
        length = torch.stack([gradient.norm() for gradient in one.values()]).norm()
        assert far < 1e-5 * length, f"{method}: {float(far / length):g}"
        runs = [Run.open(folder / place / "runs" / method).manifest for place in ("one", "two")]
        history = [run.training.loss_history[0] for run in runs if run.training]
        assert history[1] == pytest.approx(history[0], rel=1e-4, abs=1e-6)
        assert [run.training.processes for run in runs if run.training] == [None, 2]
    assert "1 step" in told[0][1]
    assert told[1] == ("", ""), "the second process says nothing"


def test_two_processes_give_the_gradients_of_one(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    compare(tiny, league, tmp_path, ["npo+sam", "pdu"])


@pytest.mark.full
def test_two_processes_give_the_gradients_of_one_by_every_method(
    tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    import gradients

    compare(tiny, league, tmp_path, [*gradients.trained(), "npo+sam"])
