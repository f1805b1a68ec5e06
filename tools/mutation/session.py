"""A pytest run that tries changes instead of reporting tests: imports and fixtures once, then a fork a change.

The process collects the tests and sets up the fixtures that the targets name as `warm`. A fork runs every test as it is
and tells which lines of the sources each ran and how long it took. Then each change gets a fork of its own: it grafts
the change onto the imported module and runs the tests that run its lines, quickest first, until one fails. No file of
the project is written.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from mutation.forks import Fate, Fork, forked, send, used
from mutation.graft import GraftError, graft
from mutation.sites import Mutation, mutated

_NO_MEMORY = re.compile(r"MemoryError|Cannot allocate memory|can't allocate memory|Unable to allocate")
_POLARS = re.compile(r"polars-\d")
"""Name of a thread of its pool. Merely imported, it has one of another name, which does nothing."""
MOST = 6.0
"""Seconds of a core, as measured without a change, that the tests of one change may take."""


@dataclass(frozen=True)
class Tried:
    """What became of one change.

    Args:
        mutation: The change.
        target: Of which target.
        fate: What became of it.
        by: The test that failed, or why it is unfit.
        seconds: How long its fork took.
    """

    mutation: Mutation
    target: str
    fate: Fate
    by: str = ""
    seconds: float = 0.0

    @property
    def noticed(self) -> bool:
        """Whether a test run would have told."""
        return self.fate in ("killed", "hung", "broken")

    @property
    def counts(self) -> bool:
        """Whether it was tried at all."""
        return self.fate != "died"


@dataclass(frozen=True)
class Batch:
    """Changes of one target and where its tests lie.

    Args:
        target: Its name.
        tests: Files and folders of tests.
        warm: Session fixtures that are set up once: such as give paths, or paths by name, and aren't what is tested.
        mutations: The changes.
        skip: Pattern of tests that aren't run, by their ids; empty for none.
    """

    target: str
    tests: Sequence[Path]
    warm: Sequence[str]
    mutations: Sequence[Mutation]
    skip: str = ""

    def has(self, item: pytest.Item) -> bool:
        """Whether a test is one of those that must notice."""
        if self.skip and re.search(self.skip, item.nodeid):
            return False
        return self.holds(item.path)

    def holds(self, path: Path) -> bool:
        """Whether a file is among its tests."""
        return any(path.is_relative_to(place) for place in self.tests)


@dataclass
class Known:
    """What the run without a change told about one test."""

    seconds: float
    lines: set[tuple[str, int]] = field(default_factory=set)


class MutationRun:
    """A pytest plugin that takes the place of the test loop.

    Args:
        root: Of the project.
        batches: What to try.
        jobs: Forks at a time.
        grace: Seconds of a core that a change may take beyond what its tests should.
        tell: Called after each change.
    """

    def __init__(
        self, root: Path, batches: Sequence[Batch], jobs: int, grace: float, tell: Callable[[Tried], None]
    ) -> None:
        self.root, self.batches, self.jobs, self.grace, self.tell = root, batches, jobs, grace, tell
        self.tried: list[Tried] = []
        self.problems: list[str] = []
        self.seconds: dict[str, float] = {}
        self._uncollected: dict[Path, str] = {}
        self._warming = False
        self._given: Mapping[str, Any] = {}
        self._sink: set[tuple[str, int]] | None = None
        self._of_fixture: dict[str, set[tuple[str, int]]] = {}
        self._files = {str(root / m.file): m.file for batch in batches for m in batch.mutations}

    def pytest_sessionstart(self) -> None:
        """Laws are tried on the same examples each time, and their failures aren't kept in the working tree."""
        from hypothesis import settings  # Imported earlier, it couldn't be one of pytest's plugins.

        settings.register_profile("mutation", database=None, derandomize=True, deadline=None)
        settings.load_profile("mutation")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what keeps tests from being found."""
        if report.failed:
            self._uncollected[self.root / report.nodeid.partition("::")[0]] = str(report.longrepr)

    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """While a fixture is set up, the test itself isn't run."""
        if not self._warming:
            return None
        self._given = pyfuncitem.funcargs
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[Any]:
        """Keep apart which lines a fixture runs: they count for each test that has it."""
        outer, self._sink = self._sink, self._of_fixture.setdefault(fixturedef.argname, set())
        try:
            return (yield)
        finally:
            self._sink = outer

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try the changes instead of reporting tests; a target whose tests fail as they are keeps no other back."""
        kept = _Kept(session)
        for batch in self.batches:
            before, known = used(), len(self.problems)
            self.problems += [why for path, why in self._uncollected.items() if batch.holds(path)]
            items = [item for item in session.items if batch.has(item)]
            if len(self.problems) == known:
                self._warm(items, batch.warm, kept)
            if len(self.problems) == known:
                self._known = self._as_it_is(items, kept)
            if len(self.problems) == known:
                gc.freeze()
                self._try_all(batch, items, kept)
            self.seconds[batch.target] = used() - before
        return True

    def _warm(self, items: Sequence[pytest.Item], names: Sequence[str], kept: _Kept) -> None:
        """Set up fixtures in a fork and keep what they give: they may start threads, which no fork of a fork has."""
        for name in names:
            item = next((i for i in items if name in getattr(i, "fixturenames", ())), None)
            if item is None:
                self.problems.append(f"no test uses the fixture {name}, which is to be set up beforehand")
                continue
            item.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]

            def work(out: int, item: Any = item, name: str = name) -> None:
                self._warming, item.fixturenames = True, [name]
                failed = _failure(item, kept)
                send(out, [failed, None if failed else _as_json(self._given[name])])

            told = forked(work).read()
            failed, value = json.loads(told) if told else ("its process died, or it gives more than paths", None)
            if failed:
                self.problems.append(f"the fixture {name}: {failed}")
                continue
            definition = item._fixtureinfo.name2fixturedefs[name][-1]  # type: ignore[attr-defined]
            definition.cached_result = (_from_json(value), None, None)
        if _has_polars_threads():
            self.problems.append("polars has threads already: a fork of such a process hangs")

    def _as_it_is(self, items: Sequence[pytest.Item], kept: _Kept) -> dict[str, Known]:
        """Run all tests in a fork, unchanged."""

        def work(out: int) -> None:
            sys.settrace(self._trace)
            there = set(sys.modules)
            for item in items:
                self._forget_cached()
                self._sink, started = set(), time.process_time()
                own = self._sink
                failed = _failure(item, kept)
                seconds = time.process_time() - started
                for name in getattr(item, "fixturenames", ()):
                    own = own | self._of_fixture.get(name, set())
                send(out, [item.nodeid, failed, seconds, sorted(own)])
            sys.settrace(None)
            send(out, [name for name in sys.modules if name not in there and not name.startswith("_")])

        known, there_were = {}, len(self.problems)
        *told, modules = forked(work).read().splitlines() or ["[]"]
        for line in told:
            name, failed, seconds, lines = json.loads(line)
            if failed:
                self.problems.append(f"{name} fails as it is: {failed}")
            known[name] = Known(seconds, {(file, number) for file, number in lines})
        if len(known) < len(items) and len(self.problems) == there_were:
            self.problems.append(f"the run without a change ended after {len(known)} of {len(items)} tests")
        if len(self.problems) == there_were:
            _import_all(json.loads(modules))
        return known

    def _forget_cached(self) -> None:
        """Empty the sources' caches: what an earlier test had computed would hide which lines a test needs."""
        for module in list(sys.modules.values()):
            if getattr(module, "__file__", None) in self._files:
                for value in vars(module).values():
                    if hasattr(value, "cache_clear") and getattr(value, "__module__", "") == module.__name__:
                        value.cache_clear()

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        file = self._files.get(frame.f_code.co_filename)
        if file is None:
            return None

        def line(frame: FrameType, event: str, arg: Any) -> Any:
            if self._sink is not None:
                self._sink.add((file, frame.f_lineno))
            return line

        return line

    def _try_all(self, batch: Batch, items: Sequence[pytest.Item], kept: _Kept) -> None:
        waiting, again = list(batch.mutations), list[Mutation]()
        busy: dict[Fork, Mutation] = {}
        jobs, repeated = self.jobs, set[Mutation]()

        def set_aside(mutation: Mutation, why: str, seconds: float) -> None:
            if mutation in repeated:
                self._note(Tried(mutation, batch.target, "died", why, round(seconds, 3)))
            else:
                repeated.add(mutation)
                again.append(mutation)

        while waiting or busy or again:
            if not waiting and not busy:  # Once more, each by itself: it may have been the others that took the memory.
                waiting, again, jobs = again, [], 1
            while waiting and len(busy) < jobs:
                mutation = waiting.pop(0)
                chosen = self._chosen(mutation, items)
                if not chosen:
                    self._note(Tried(mutation, batch.target, "uncovered"))
                    continue
                limit = self.grace + 3 * sum(self._known[i.nodeid].seconds for i in chosen)
                try:
                    busy[forked(self._attempt(mutation, chosen, kept), limit)] = mutation
                except OSError as error:  # No memory for another process.
                    set_aside(mutation, str(error), 0.0)
            for fork in [fork for fork in busy if fork.ended()]:
                mutation, (fate, by) = busy.pop(fork), fork.fate()
                if fate == "died":
                    set_aside(mutation, by, fork.seconds)
                else:
                    self._note(Tried(mutation, batch.target, fate, by, round(fork.seconds, 3)))
            time.sleep(0.002)

    def _note(self, tried: Tried) -> None:
        self.tried.append(tried)
        self.tell(tried)

    def _chosen(self, mutation: Mutation, items: Sequence[pytest.Item]) -> list[pytest.Item]:
        """Tests that run a line of the change; for what runs on import all.

        Those of the file's own test module first, then others, the quickest first; of either so many as take `MOST`.
        """
        own = f"test_{Path(mutation.file).stem.lstrip('_')}"

        def lines(item: pytest.Item) -> set[int]:
            return {number for file, number in self._known[item.nodeid].lines if file == mutation.file}

        chosen = [item for item in items if not mutation.lines or lines(item) & mutation.lines]
        chosen.sort(key=lambda item: self._known[item.nodeid].seconds)
        found = []
        for is_own in (True, False):
            side = [item for item in chosen if (item.path.stem == own) == is_own]
            spent = itertools.accumulate(self._known[item.nodeid].seconds for item in side)
            found += [item for n, (item, so_far) in enumerate(zip(side, spent, strict=True)) if not n or so_far < MOST]
        return found

    def _attempt(self, mutation: Mutation, items: Sequence[pytest.Item], kept: _Kept) -> Callable[[int], None]:
        def work(out: int) -> None:
            file = self.root / mutation.file
            module = importlib.import_module(_module_name(file))
            try:
                graft(module, compile(mutated(file.read_text(encoding="utf-8"), mutation), str(file), "exec"))
            except GraftError as error:
                send(out, ["unfit", str(error)])
                return
            except MemoryError as error:
                send(out, ["died", f"no memory: {error}"])
                return
            # Whatever else raises here ends the fork with a status that says so: `Fork.fate`.
            send(out, ["grafted", ""])
            for item in items:
                if failed := _failure(item, kept):
                    send(out, ["died", "no memory"] if _NO_MEMORY.search(failed) else ["killed", item.nodeid])
                    return
            send(out, ["survived", ""])

        return work


class _Kept:
    """Stands for the next test: says that what belongs to the session is needed further on."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[Any]:
        return [self._session]


def _failure(item: pytest.Item, kept: _Kept) -> str | None:
    reports = runtestprotocol(item, log=False, nextitem=kept)  # type: ignore[arg-type]
    failed = next((r for r in reports if r.failed), None)
    if failed is None:
        return None
    crash = getattr(failed.longrepr, "reprcrash", None)  # The last lines only: sources may speak of memory, too.
    return str(failed.longrepr if crash is None else crash.message) or "failed"


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_json(part) for key, part in value.items()}
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a fixture that is set up beforehand gives paths, this one a {type(value).__name__}")


def _from_json(value: Any) -> Any:
    return {k: _from_json(v) for k, v in value.items()} if isinstance(value, dict) else Path(value)


def _import_all(names: Sequence[str]) -> None:
    """What tests import as they run: else each fork would import it again."""
    for name in names:
        with contextlib.suppress(ImportError, AttributeError, ValueError):
            importlib.import_module(name)
    if _has_polars_threads():
        raise RuntimeError("an import started polars' threads: a fork of this process would hang")


def _module_name(file: Path) -> str:
    parts = file.with_suffix("").parts
    below = parts[parts.index("src") + 1 :] if "src" in parts else parts[-1:]
    return ".".join(below).removesuffix(".__init__")


def _has_polars_threads() -> bool:
    tasks = Path("/proc/self/task")
    return tasks.is_dir() and any(_POLARS.match((task / "comm").read_text()) for task in tasks.iterdir())


def tried(
    root: Path,
    batches: Sequence[Batch],
    arguments: Sequence[str],
    *,
    jobs: int,
    grace: float,
    tell: Callable[[Tried], None],
) -> MutationRun:
    """Try all changes: what became of them, what kept the run from trying, and how long each target took.

    Args:
        root: Of the project.
        batches: What to try.
        arguments: Further ones for pytest.
        jobs: Forks at a time.
        grace: Seconds of a core that a change may take beyond what its tests should.
        tell: Called after each change.
    """
    run = MutationRun(root, batches, jobs, grace, tell)
    places = dict.fromkeys(str(place) for batch in batches for place in batch.tests)
    status = pytest.main([*places, *arguments], plugins=[run])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and not run.problems:
        run.problems.append(f"pytest ended with {status!r}")
    return run


def by_file(results: Sequence[Tried]) -> Mapping[str, list[Tried]]:
    """Results by file, in order."""
    found: dict[str, list[Tried]] = {}
    for one in results:
        found.setdefault(one.mutation.file, []).append(one)
    return found
