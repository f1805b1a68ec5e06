"""The most memory that one run took, also where its process has done others before."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import torch

_MARKS = Path("/proc/self/clear_refs")
"""Linux: 5 written here begins the process's high-water mark anew, at what it holds by then."""


def begin_peak() -> None:
    """Begin to measure: what earlier runs of this process took doesn't count any more, what it still holds does.

    Where the system can't do that, `peak_memory_mb` is that of the process since it began.
    """
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):
        if _MARKS.exists():
            _MARKS.write_text("5", encoding="ascii")


def peak_memory_mb(device: torch.device) -> int | None:
    """MiB of a GPU, or else of the process, at most since `begin_peak`; null where the system doesn't tell."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20)
    try:
        import resource
    except ImportError:  # Windows has no such module.
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 2**20 if sys.platform == "darwin" else peak / 2**10)
