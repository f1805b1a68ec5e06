"""Processes that are forked off, tell by a pipe and have limits: of processor time and of memory."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

Fate = Literal["killed", "hung", "broken", "survived", "uncovered", "unfit", "died"]
"""`killed`: a test failed; `hung`: it used up the processor time it had; `broken`: the changed module isn't to be
imported; `unfit`: it couldn't be grafted; `died`: its process ended for another reason, such as want of memory."""
MEMORY = 4 << 30
"""Bytes that a fork may ask for beyond what it has: one that asks without end mustn't take them from the others."""


def send(out: int, content: Any) -> None:
    """Tell the process that forked this one."""
    data = (json.dumps(content) + "\n").encode()
    while data:
        data = data[os.write(out, data) :]


class Fork:
    """A process that was forked off and tells by a pipe."""

    def __init__(self, pid: int, told: int, limit: float | None) -> None:
        self.pid, self._told, self._limit = pid, told, limit
        self._started = time.monotonic()
        self._content = b""
        self._over = False
        self.status = 0
        self.seconds = 0.0
        os.set_blocking(told, False)

    def ended(self) -> bool:
        """Whether it is over; without waiting."""
        if self._over:
            return True
        self._drain()
        pid, status, used = os.wait4(self.pid, os.WNOHANG)
        self.seconds = time.monotonic() - self._started
        if not pid and self._limit is not None and self.seconds > 60 + 20 * self._limit:
            # It sleeps: a busy one has used up its time of a core by now, however many others there are.
            os.kill(self.pid, signal.SIGKILL)
            pid, status, used = os.wait4(self.pid, 0)
        if not pid:
            return False
        self.seconds = used.ru_utime + used.ru_stime
        self.status = status
        self._drain()
        os.close(self._told)
        self._over = True
        return True

    def _drain(self) -> None:
        try:
            while data := os.read(self._told, 65536):
                self._content += data
        except BlockingIOError:
            return

    def read(self) -> str:
        """All that it told, once it has ended."""
        while not self.ended():
            time.sleep(0.005)
        return self._content.decode()

    def fate(self) -> tuple[Fate, str]:
        """What it told of a change, or what its end says."""
        told = [json.loads(line) for line in self.read().splitlines()]
        if os.WIFSIGNALED(self.status):
            number = os.WTERMSIG(self.status)
            if number == signal.SIGXCPU:
                return "hung", f"{self.seconds:.0f} s of processor time"
            return "died", f"its process ended by {signal.Signals(number).name}"
        if not told:
            return "broken", "the changed module can't be imported"
        fate, by = told[-1]
        return ("died", "its process ended without a word") if fate == "grafted" else (fate, by)


def used() -> float:
    """Seconds of a core that this process and those that have ended took."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def forked(work: Callable[[int], None], limit: float | None = None) -> Fork:
    """Run in a fork, with so many seconds of processor time at most."""
    sys.stdout.flush()
    told, out = os.pipe()
    pid = os.fork()
    if pid:
        os.close(out)
        return Fork(pid, told, limit)
    try:
        os.close(told)
        if limit is not None:
            seconds = round(limit + 0.5)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            signal.signal(signal.SIGXCPU, signal.SIG_DFL)
            _limit_memory()
        work(out)
    finally:
        os._exit(0)


def _limit_memory() -> None:
    status = Path("/proc/self/status")
    if status.is_file() and (has := re.search(r"VmData:\s+(\d+) kB", status.read_text())):
        most = int(has[1]) * 1024 + MEMORY
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
