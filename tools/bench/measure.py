"""Run a command as a whole process and say what it took: seconds, CPU seconds, and the memory of all its processes.

Memory is read from `/proc` while the command runs, so this works on Linux only. Counted is, over all processes, the PSS
of what isn't backed by files (what a process alone holds, and its part of what a fork or shared memory shares, so that
each page counts once), and of what is (libraries, files that are mapped) the process that has most of it in memory.
The PSS of files would be no measure: it falls when strangers load the same libraries.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.05
"""Seconds between two looks at the memory."""
SHARE = 0.1
"""Looking may take up to this share of one core; where it takes longer, it is done less often."""
_PAGE = resource.getpagesize()
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a command took.

    Args:
        status: Its exit status; negative if a signal ended it.
        seconds: Wall time.
        cpu_seconds: User and system time of the command and of all processes that it waited for.
        peak_mb: Most memory that its processes held together, in MiB.
        processes: Largest number of processes at once.
        samples: How often the memory was looked at.
        others: Share of the machine's CPU time that went to other processes meanwhile, from 0 to 1: the more, the
            less the wall time says.
    """

    status: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    processes: int
    samples: int
    others: float


def measure(command: Sequence[str], log: Path, watch: Callable[[float, float], None] | None = None) -> Measured:
    """Run `command` to its end; what it prints goes to the file `log`.

    Args:
        command: Program and arguments.
        log: Written anew.
        watch: Called at every look with the seconds since the start and the peak so far, in MiB.
    """
    with log.open("wb") as stream:
        spent, busy, started = _cpu(), _busy(), time.perf_counter()
        # Dies with us: a command that went on alone would disturb what is measured next.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, preexec_fn=die_with_parent
        )
        tree = ProcessTree(process.pid)
        pause = EVERY
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(pause)
                    break
                looked = time.perf_counter()
                tree.look()
                if watch is not None:
                    watch(looked - started, tree.peak / 2**20)
                pause = max(EVERY, (time.perf_counter() - looked) / SHARE)
        except BaseException:
            process.kill()
            process.wait()
            raise
    seconds, cpu_seconds = time.perf_counter() - started, _cpu() - spent
    others = (_busy() - busy - cpu_seconds) / (seconds * (os.cpu_count() or 1))
    return Measured(
        status=process.returncode,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_mb=tree.peak / 2**20,
        processes=tree.most,
        samples=tree.samples,
        others=min(1.0, max(0.0, others)),
    )


def _cpu() -> float:
    """CPU seconds of all processes that were started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _busy() -> float:
    """CPU seconds of all processes of the machine since it started."""
    user, nice, system, _, _, *interrupts = map(int, _read("/proc/stat").splitlines()[0].split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def die_with_parent() -> None:
    """Let this process be killed as soon as the one that started it is gone; to be called in a new process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class ProcessTree:
    """A process and all that it started, themselves or through others.

    Args:
        root: The process.
    """

    def __init__(self, root: int) -> None:
        self.peak = 0
        """Most memory so far, in bytes."""
        self.most = 0
        self.samples = 0
        self._root = root
        self._known: set[int] = set()

    def look(self) -> None:
        """Take a sample.

        Reading the PSS walks through all pages of a process. The sum of RSS is cheap and never less, so the rest is
        read only where that sum is above the peak so far: nothing else can raise it.
        """
        pids = self._pids()
        self.samples += 1
        self.most = max(self.most, len(pids))
        if sum(map(_rss, pids)) > self.peak:
            own = sum(_kilobytes(pid, "smaps_rollup", ("Pss_Anon", "Pss_Shmem")) for pid in pids)
            files = max(_kilobytes(pid, "status", ("RssFile",)) for pid in pids)
            self.peak = max(self.peak, (own + files) * 2**10)

    def _pids(self) -> set[int]:
        """All processes; those whose parent has ended are still known from an earlier look."""
        found: set[int] = set()
        waiting = {self._root, *self._known}
        while waiting:
            pid = waiting.pop()
            children = _children(pid)
            if children is not None:
                found.add(pid)
                waiting |= children - found
        self._known = found
        return found


def _children(pid: int) -> set[int] | None:
    """The processes that a process started; null if it is gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return None
    listed = (_read(f"/proc/{pid}/task/{thread}/children") for thread in threads)
    return {int(child) for text in listed for child in text.split()}


def _rss(pid: int) -> int:
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE if fields else 0


def _kilobytes(pid: int, file: str, names: tuple[str, ...]) -> int:
    """The sum of the lines of these names in a file of a process; 0 if it is gone."""
    cells = (line.split() for line in _read(f"/proc/{pid}/{file}").splitlines())
    return sum(int(parts[1]) for parts in cells if parts and parts[0].rstrip(":") in names)


def _read(path: str) -> str:
    """A file of `/proc`; empty if its process is gone."""
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""
