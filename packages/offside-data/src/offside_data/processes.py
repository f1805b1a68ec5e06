"""Work that several processes, or a thread, share: in order, in bounded memory, interrupted and killed together.

Processes are spawned, never forked: a forked one would inherit threads and their locks in any state.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import itertools
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, Self, TypeVar

from offside_data.errors import DatasetError

Context = TypeVar("Context")
Item = TypeVar("Item")
Result = TypeVar("Result")

LEAST_ROWS = 50_000
"""Rows from which on a second process pays for its start."""
_NEW_OBJECTS = 100_000
"""Objects made between two looks for circles of garbage. Python's own number, 700, costs work that makes many small
ones, such as records, an eighth of its time; circles are rare in it."""
_WAITING = 2
"""Items a process that are under way or waiting."""
_KEPT_FREE = 32 * 2**20
"""Bytes that were freed and that a process keeps for what it needs next."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""What `mallopt` calls them."""

_context: Any = None


def process_count() -> int:
    """How many processes may run side by side here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worth_sharing(rows: int) -> int:
    """Processes for work on so many rows: one where a second wouldn't pay."""
    return process_count() if rows >= LEAST_ROWS else 1


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Look for circles of garbage seldom while the block runs."""
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Workers(Generic[Context]):
    """Processes that know a context and work on items; used in a `with` block.

    Args:
        context: What the work needs besides its item; each process gets it once.
        count: Processes; 1 = this one alone.
    """

    def __init__(self, context: Context, count: int) -> None:
        self._context = context
        self._count = count
        self._open = contextlib.ExitStack()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        self._open.enter_context(rare_collections())
        prepare = None
        if self._count > 1:
            prepare = functools.partial(_remember, _shared(self._context))
            del self._context  # Each process has its own.
        self._pool = self._open.enter_context(process_pool(self._count, prepare))
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def map(self, work: Callable[[Context, Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`work(context, item)` for each item, in their order.

        Args:
            work: A function of a module, so that other processes can import it.
            items: What is worked on; few more of them are taken than are under way.

        Raises:
            DatasetError: If a process was killed.
        """
        if self._pool is None:
            yield from (work(self._context, item) for item in items)
            return
        left, waiting = iter(items), deque[Future[Result]]()
        for item in itertools.islice(left, _WAITING * self._count):
            waiting.append(self.begin(work, item))
        while waiting:
            yield self.result(waiting.popleft())
            for item in itertools.islice(left, 1):
                waiting.append(self.begin(work, item))

    def begin(self, work: Callable[[Context, Item], Result], item: Item) -> Future[Result]:
        """Let a process do `work(context, item)` while this one goes on; `result` gives what comes of it.

        Raises:
            DatasetError: If a process was killed.
        """
        assert self._pool is not None, "there is no other process"
        with _if_killed():
            return self._pool.submit(_work, work, item)

    def result(self, begun: Future[Result]) -> Result:
        """Wait for what was begun.

        Raises:
            DatasetError: If a process was killed.
        """
        with _if_killed():
            return begun.result()


@contextlib.contextmanager
def _if_killed() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise DatasetError("a process that shared the work was killed. Run the command again.") from error


@contextlib.contextmanager
def behind(work: Callable[..., object]) -> Iterator[Callable[..., None]]:
    """Let a thread do some work while the block goes on with what comes next; all is done when the block ends.

    Args:
        work: Called with what the block hands over, in that order, one call after the other. It should be one that
            lets Python go on meanwhile, such as writing Parquet.

    Yields:
        What hands arguments over. It waits for the call before, so that no more than one is under way, and raises what
        that raised.
    """
    with ThreadPoolExecutor(1) as thread:
        under_way: Future[object] | None = None

        def hand_over(*arguments: object) -> None:
            nonlocal under_way
            if under_way is not None:
                under_way.result()
            under_way = thread.submit(work, *arguments)

        yield hand_over
        if under_way is not None:
            under_way.result()


@contextlib.contextmanager
def process_pool(workers: int, prepare: Callable[[], None] | None = None) -> Iterator[ProcessPoolExecutor | None]:
    """A pool of processes that end with this one; null if it is alone.

    Args:
        workers: Processes; 1 = this one.
        prepare: Called in each process first.
    """
    if workers == 1:
        yield None
        return
    context = multiprocessing.get_context("spawn")
    pool = _Pool(workers, mp_context=context, initializer=_begin, initargs=(prepare,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


class _Pool(ProcessPoolExecutor):
    """Starts a process with interruptions held back: one that came before `_begin` would end it in a traceback."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        if not hasattr(signal, "pthread_sigmask"):
            return super().submit(work, *arguments, **named)
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(work, *arguments, **named)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _begin(prepare: Callable[[], None] | None) -> None:
    """Leave an interruption to the parent process, and go when that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    _keep_freed_memory()
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    if prepare is not None:
        prepare()


def _keep_freed_memory() -> None:
    """Let the C library of Linux keep what is freed: pictures come and go by the megabyte.

    Each time, the kernel would take the pages and give others that it has filled with zeros, which is a quarter of the
    time that a picture takes to be decoded and hashed.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, _KEPT_FREE)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_FREE)


def _shared(context: Any) -> ctypes.Array[ctypes.c_char]:
    """A context in memory that all processes see.

    What goes to a process when it starts goes through a pipe: if that holds less and the process dies before it reads,
    the parent would wait forever.
    """
    packed = ForkingPickler.dumps(context)
    shared = multiprocessing.get_context("spawn").RawArray(ctypes.c_char, len(packed))
    memoryview(shared).cast("B")[:] = packed  # No second copy of what may be large.
    return shared


def _remember(shared: ctypes.Array[ctypes.c_char]) -> None:
    global _context
    _context = ForkingPickler.loads(memoryview(shared))


def _work(work: Callable[[Any, Any], Any], item: Any) -> Any:
    return work(_context, item)
