"""Work that several processes share."""

from __future__ import annotations

import gc
import operator
import os
import platform
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from offside_data.processes import Workers, behind


def test_an_interruption_cannot_reach_a_process_that_is_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    held = []
    submit = ProcessPoolExecutor.submit

    def watched(pool: ProcessPoolExecutor, *arguments: Any) -> Future[Any]:
        held.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set()))
        return submit(pool, *arguments)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", watched)
    with Workers(1, 2) as workers:
        assert list(workers.map(operator.add, range(3))) == [1, 2, 3]
    assert held == [True] * 3
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())


DIES = "import os, sys\nif any('spawn_main' in word for word in sys.orig_argv): os._exit(3)\n"
ASKS = """
from offside_data.errors import DatasetError
from offside_data.processes import Workers, behind
if __name__ == "__main__":
    try:
        with Workers(bytes(1_000_000), 2) as workers:
            list(workers.map(max, [b"a"]))
    except DatasetError as error:
        print(error)
"""


def test_a_process_that_dies_as_it_starts_is_an_error(tmp_path: Path) -> None:
    """Also where there is more to tell it than a pipe holds."""
    (tmp_path / "sitecustomize.py").write_text(DIES)
    (tmp_path / "asks.py").write_text(ASKS)
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    asked = subprocess.run(
        [sys.executable, str(tmp_path / "asks.py")],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (asked.returncode, asked.stdout.count("was killed. Run the command again.")) == (0, 1), asked.stderr


def test_a_large_context_arrives() -> None:
    with Workers(b"a" * 1_000_000, 2) as workers:
        assert list(workers.map(operator.getitem, [0, 999_999])) == [97, 97]


def _pages_given(context: None, size: int) -> int:
    """Pages that the kernel gives while four things of so many bytes are made and freed again and again."""
    import resource

    held = [bytearray(size) for _ in range(4)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        held = []
        held += [bytearray(size) for _ in range(4)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc's malloc")
def test_processes_use_memory_again_that_they_freed() -> None:
    with Workers(None, 2) as workers:
        assert max(workers.map(_pages_given, [2 * 2**20] * 4)) < 4 * 512


def _threshold(context: None, item: int) -> int:
    return gc.get_threshold()[0]


@pytest.mark.parametrize("count", [1, 2])
def test_garbage_is_collected_seldom_while_work_goes_on_and_as_before_afterwards(count: int) -> None:
    outside = gc.get_threshold()
    before = (700, *outside[1:])  # Python's own; the tests' is another one.
    gc.set_threshold(*before)
    try:
        with Workers(None, count) as workers:
            assert min(workers.map(_threshold, range(2))) > 10 * before[0]
        assert gc.get_threshold() == before
    finally:
        gc.set_threshold(*outside)


def test_a_thread_works_behind_the_block_one_thing_after_the_other() -> None:
    done, go_on = [], threading.Event()

    def work(item: int) -> None:
        assert go_on.wait(10)
        done.append((item, threading.current_thread() is threading.main_thread()))

    with behind(work) as hand_over:
        hand_over(1)
        assert done == []
        go_on.set()
        hand_over(2)
        assert done[0] == (1, False)
    assert [item for item, _ in done] == [1, 2]


def _divide_behind(items: list[int]) -> None:
    with behind(lambda item: 1 // item) as hand_over:
        for item in items:
            hand_over(item)


@pytest.mark.parametrize("items", [[0], [0, 1], [1, 0]])
def test_what_fails_behind_the_block_fails_in_it(items: list[int]) -> None:
    with pytest.raises(ZeroDivisionError):
        _divide_behind(items)
