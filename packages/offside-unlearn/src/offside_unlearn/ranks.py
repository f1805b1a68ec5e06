"""The processes that train one model together, as `accelerate launch` and `torchrun` start them.

Each holds the whole model and takes its share of every step's micro-batches; before the weights move, gradients are
averaged over all of them, so that they stay the same in all. What is read beforehand (digests, the frozen model's
answers) the first process finds out and the others read, and it alone writes and speaks.

The losses run a model several times, with its adapter off in between, and only parts of it where a batch has no
picture: that is more than `DistributedDataParallel` allows, and why gradients are averaged here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from offside_data.errors import OffsideError, UsageError
from offside_data.progress import process_number
from offside_data.vlm.models import default_device

T = TypeVar("T")

_PATIENCE = timedelta(days=2)
"""How long one process waits for another, e.g. for the frozen model's answers; if one ends, the others do at once."""


class LostProcessError(OffsideError):
    """Another of the processes ended, e.g. was killed; what the run has so far is good."""


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """Inside, the processes meet.

    Raises:
        LostProcessError: If one isn't there any more.
    """
    try:
        yield
    except RuntimeError as error:
        raise LostProcessError(
            f"process {process_number()} has lost the others ({str(error).splitlines()[0]}). If one of them said why, "
            "see there; else it was killed, or memory was short. Start all of them again with the same command: the "
            "run goes on from its last checkpoint."
        ) from error


def count() -> int:
    """How many processes train this model."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process writes and speaks for all."""
    return process_number() == 0


def join(device: str | None) -> None:
    """Meet the other processes, if there are any.

    Args:
        device: Where the run is to take place; null = the best there is.

    Raises:
        UsageError: If they were started in a way that would change what is computed, or that isn't supported.
    """
    _require_supported()
    if count() == 1:
        return
    from accelerate import PartialState

    PartialState(cpu=(device or default_device()) == "cpu", timeout=_PATIENCE)


def _require_supported() -> None:
    # On the CPU accelerate asks for several processes by naming where they meet, and leaves starting them to mpirun.
    is_meant_for_several = "MASTER_ADDR" in os.environ and "WORLD_SIZE" not in os.environ
    if is_meant_for_several and os.environ.get("ACCELERATE_USE_CPU", "false").lower() == "true":
        raise UsageError(
            "accelerate launch --cpu starts one process however many are asked for. Say accelerate launch --multi_gpu "
            "--num_processes N, or torchrun --nproc_per_node N, and --device cpu behind the command."
        )
    if os.environ.get("ACCELERATE_MIXED_PRECISION", "no") != "no":
        raise UsageError(
            f"--mixed_precision {os.environ['ACCELERATE_MIXED_PRECISION']} of accelerate: the receipt wouldn't tell. "
            "Leave it out and use --dtype bfloat16."
        )
    for plugin, name in (
        ("FSDP", "--use_fsdp"),
        ("DEEPSPEED", "--use_deepspeed"),
        ("MEGATRON_LM", "--use_megatron_lm"),
    ):
        if os.environ.get(f"ACCELERATE_USE_{plugin}", "false").lower() == "true":
            raise UsageError(
                f"{name} of accelerate isn't supported: each process holds the whole model here. Leave it out; against "
                "a lack of memory help --lora, --dtype bfloat16, --quantization nf4, activation_checkpointing=true and "
                "a smaller batch_size with more accumulation."
            )


def local_number() -> int:
    """The number of this process on its machine, and of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def agreed(value: T) -> T:
    """What the first process says, in all of them; a value of plain Python types."""
    if count() == 1:
        return value
    told = [value]
    with _together():
        dist.broadcast_object_list(told, src=0)
    return told[0]


def gathered(value: T) -> list[T]:
    """What each process says, in the order of their numbers."""
    if count() == 1:
        return [value]
    told: list[Any] = [None] * count()
    with _together():
        dist.all_gather_object(told, value)
    return told


def wait() -> None:
    """Go on when all processes are here."""
    if count() > 1:
        gathered(None)  # A barrier of NCCL would guess the device.


@contextlib.contextmanager
def main_first() -> Iterator[None]:
    """The block runs in the first process and then in the others; if it fails there, they end without a word."""
    if count() == 1:
        yield
        return
    if not is_main():
        await_main()
        yield
        return
    try:
        yield
    except BaseException:
        agreed(False)
        raise
    agreed(True)


def await_main() -> None:
    """Go on when the first process says so, or end: then it has said why.

    Raises:
        SystemExit: If it failed.
    """
    if not agreed(True):
        raise SystemExit(1)


def average(tensors: Sequence[torch.Tensor]) -> None:
    """Put the mean over all processes in the place of each tensor."""
    if count() == 1:
        return
    for tensor in tensors:
        with _together():
            dist.all_reduce(tensor)
        tensor.div_(count())


def average_gradients(parameters: Sequence[torch.nn.Parameter]) -> None:
    """Average what was accumulated; a weight that no process has a gradient for keeps none, and stays."""
    if count() == 1 or not parameters:
        return
    found = torch.tensor([float(p.grad is not None) for p in parameters], device=parameters[0].device)
    with _together():
        dist.all_reduce(found)
    for parameter, processes in zip(parameters, found.tolist(), strict=True):
        if processes:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            average([parameter.grad])


def copy_from_main(tensors: Sequence[torch.Tensor]) -> None:
    """Put what the first process has into all."""
    if count() > 1:
        for tensor in tensors:
            here = tensor.detach()
            moved = here.to(torch.device("cuda", local_number())) if _needs_gpu(here) else here
            with _together():
                dist.broadcast(moved, src=0)
            if moved is not here:
                here.copy_(moved)


def _needs_gpu(tensor: torch.Tensor) -> bool:
    return tensor.device.type == "cpu" and dist.get_backend() == "nccl"
