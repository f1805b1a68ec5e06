"""Several processes train one model: the same gradients as one, one of them speaks, and a kill does no harm."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_unlearn import Run, RunOptions, ranks, unlearn

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
    try:
        told = [process.communicate(timeout=1500) for process in started]
    finally:
        for process in started:
            process.kill()
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
        assert history[1] == pytest.approx(history[0], rel=1e-4, abs=1e-4)
        assert [run.training.processes for run in runs if run.training] == [None, 2]
    says = "1 step, 2 micro-batches each"
    assert [says in errors for _, errors in told] == [True, False], "the second process says nothing"


def test_two_processes_give_the_gradients_of_one(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    compare(tiny, league, tmp_path, ["npo+sam", "pdu"])


@pytest.mark.full
def test_two_processes_give_the_gradients_of_one_by_every_method(
    tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    import gradients

    compare(tiny, league, tmp_path, [*gradients.trained(), "npo+sam"])


RUN = ("-m", "offside_unlearn.cli", "run", "npo")
WITH = ("--setting", "complete", "--device", "cpu", "--set", "lr=1e-3", "--set", "batch_size=1")


@pytest.mark.full
def test_two_that_are_killed_go_on_and_end_with_the_same_bits(
    tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    def command(out: str) -> tuple[str, ...]:
        more = (
            "--set",
            "accumulation=2",
            "--set",
            "max_steps=12",
            "--curve-steps",
            "4,12",
            "--checkpoint-seconds",
            "0",
        )
        return (*RUN, str(tmp_path / out), "--model", str(tiny), "--data", str(league.path), *WITH, *more)

    in_two(*command("undisturbed"))
    started = start_two(*command("disturbed"))
    work, deadline = tmp_path / ".disturbed.work", time.monotonic() + 500
    while not list(work.glob("checkpoint-*/complete")):
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in started), "it was done before it could be killed"
        time.sleep(0.01)
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (tmp_path / "disturbed").exists()
    told = in_two(*command("disturbed"))
    assert told[0][0].startswith(f"{tmp_path / 'disturbed'}: ")
    assert told[1][0] == ""
    for file in ("adapter_model.safetensors", "curve/step-000004/adapter_model.safetensors"):
        one, other = (load_file(tmp_path / out / file) for out in ("undisturbed", "disturbed"))
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert "nothing to do" in in_two(*command("disturbed"))[0][1]
    assert [path.name for path in tmp_path.glob(".*")] == [], "nothing is left of it"


@pytest.mark.full
def test_accelerate_launch_starts_it(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--main_process_port", free_port(), *RUN, str(tmp_path / "run"), "--model", str(tiny)]
    launch += ["--data", str(league.path), *WITH, "--set", "max_steps=1"]
    refused = subprocess.run(launch, capture_output=True, text=True, timeout=500)
    assert refused.returncode != 0
    assert "accumulation=1 can't be shared out to 2 processes" in refused.stderr
    done = subprocess.run([*launch, "--set", "accumulation=2"], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(str(tmp_path / "run")) == 1
    training = Run.open(tmp_path / "run").manifest.training
    assert training is not None
    assert training.processes == 2


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ACCELERATE_MIXED_PRECISION", "bf16", "--mixed_precision bf16 .* use --dtype bfloat16"),
        ("ACCELERATE_USE_FSDP", "true", "--use_fsdp of accelerate isn't supported"),
        ("ACCELERATE_USE_DEEPSPEED", "true", "--use_deepspeed of accelerate isn't supported"),
    ],
)
def test_what_would_change_the_numbers_unseen_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=message):
        ranks.join("cpu")


def test_accelerate_on_the_cpu_alone_is_told_to_start_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    for name, value in {"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="accelerate launch --cpu starts one process however many are asked for"):
        ranks.join("cpu")


def test_what_is_not_trained_is_no_work_for_several(
    tiny: Path, league: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "count", lambda: 2)
    monkeypatch.setattr(ranks, "join", lambda device: None)
    with pytest.raises(UsageError, match="isn't trained, so there is nothing that several processes could share"):
        unlearn("guardrail", str(tiny), None, league, "complete", {}, tmp_path / "run", RunOptions())
