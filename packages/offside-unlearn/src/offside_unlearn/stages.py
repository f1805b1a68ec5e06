"""Stages: commands that need one another, run side by side, each once, whatever is killed in between.

A stage is a console command of an installed package, as you would type it. Worker processes run one after another of
them without importing torch anew each time. What a finished stage printed and took stands in `stages/NAME.json`, with a
key over its command and all that it needs: a stage whose key has changed is made anew, and so is what needs it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points, version
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

from offside_data.errors import OffsideError, UsageError
from offside_data.figures import counted
from offside_data.files import write_json
from offside_data.parsing import parse_json
from offside_data.reading import read_small

RECORDS = "stages"
_LOCK, _WORKERS_LOCK = ".stages.lock", ".workers.lock"
_SHOWN = 3000
"""Characters of a log that are shown when a stage fails."""


class StageError(OffsideError):
    """A stage failed."""


@dataclass(frozen=True)
class Stage:
    """One command.

    Args:
        name: Of the stage.
        group: What its time is added up under.
        command: As typed, in the folder of all stages.
        out: What it makes, relative to that folder; null if it only prints.
        needs: Stages that must be finished before.
        alone: It has the machine to itself: nothing else can run yet.
        resumes: Whether the command itself goes on with what an interrupted one left in `out`, and recognises what
            is finished. Others are started with `--force` if `out` is there.
    """

    name: str
    group: str
    command: tuple[str, ...]
    out: str | None
    needs: tuple[str, ...] = ()
    alone: bool = False
    resumes: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: seconds it took, what it printed on stdout, its exit code."""

    seconds: float
    output: str
    exit_code: int


def program(name: str) -> Callable[..., Any]:
    """The console command `name` of an installed package, as a function.

    Raises:
        UsageError: If no installed package has it.
    """
    found = entry_points(group="console_scripts", name=name)
    if not found:
        raise UsageError(f"{name} isn't installed here, and some stages need it: pip install {name}.")
    command: Callable[..., Any] = next(iter(found)).load()
    return command


def check_command(command: Sequence[str]) -> None:
    """Read a console command as its program would, and run nothing.

    Raises:
        UsageError: If the program isn't installed or would refuse what was typed, an option is given twice (the later
            one would win unseen), or the command would replace what it finds.
    """
    import click

    typed = shlex.join(command)
    options = [word for word in command if word.startswith("--") and word != "--set"]
    twice = sorted({word for word in options if options.count(word) > 1})
    if twice:
        raise UsageError(f"{', '.join(twice)} is given twice in `{typed}`.")
    if "--force" in command:
        raise UsageError(f"`{typed}` would begin anew after every interruption: leave --force out.")
    group = program(command[0])
    assert isinstance(group, click.Group)
    context = click.Context(group, info_name=command[0])
    inner = group.get_command(context, command[1])
    assert inner is not None, f"no command {command[1]!r}"
    try:
        inner.make_context(command[1], list(command[2:]), parent=context).close()
    except click.ClickException as error:
        raise UsageError(f"{error.format_message()} In `{typed}`.") from error
    except click.exceptions.Exit as error:
        raise UsageError(f"`{typed}` only prints its help.") from error


def run_command(command: tuple[str, ...], folder: str, log: str) -> Outcome:
    """Run one console command in this process; what it says on stderr goes into the file `log`."""
    import click

    os.chdir(folder)
    if command[0] != "offside-data":
        import torch

        torch.set_num_threads(1)  # Cores are used by stages side by side; small models gain nothing from more threads.
    run = program(command[0])
    stdout = io.StringIO()
    started = time.monotonic()
    with (
        open(log, "w", encoding="utf-8") as stderr,
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            code = run(list(command[1:]), standalone_mode=False) or 0
        except click.ClickException as error:
            error.show(stderr)
            code = error.exit_code
    return Outcome(time.monotonic() - started, stdout.getvalue(), int(code))


def _begin_worker(folder: str) -> None:
    """End with the parent, however that ends, and be seen to run until then."""
    lock = _held(Path(folder) / _WORKERS_LOCK, shared=True)
    parent = parent_process()

    def follow() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)  # As if killed with it: every command goes on from there.

    threading.Thread(target=follow, daemon=True).start()
    _kept.append(lock)


_kept: list[Any] = []
"""Locks that this process holds until it ends."""


def _held(path: Path, *, shared: bool = False, wait_for_it: bool = True) -> Any:
    """An open file with a lock on it, which the system takes back when the process ends; null if it is taken."""
    try:
        import fcntl
    except ImportError:  # Windows has no such module: there, two at once are the user's affair.
        return contextlib.nullcontext()
    stream = path.open("w")
    try:
        fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait_for_it else fcntl.LOCK_NB))
    except BlockingIOError:
        stream.close()
        return None
    return stream


class StageRunner:
    """Runs stages, some at a time, each when what it needs is finished.

    Args:
        folder: Where they are run, and their records kept.
        stages: Each after those that it needs.
        workers: How many at a time.
        fresh: Make anew what is there already.
        say: Is told what happens.
    """

    def __init__(
        self,
        folder: Path,
        stages: Sequence[Stage],
        *,
        workers: int = 2,
        fresh: bool = False,
        say: Callable[[str], None] = print,
    ) -> None:
        self.folder = folder
        self.stages = list(stages)
        self.workers = workers
        self.fresh = fresh
        self.say = say
        self.records = folder / RECORDS
        self.records.mkdir(parents=True, exist_ok=True)
        self.keys = self._stage_keys()
        self.seconds: dict[str, float] = {}
        self.reused: set[str] = set()

    def _stage_keys(self) -> dict[str, str]:
        """A stage's key changes with its command, with what it needs and with our version."""
        keys: dict[str, str] = {}
        for stage in self.stages:
            parts = [version("offside-data"), *stage.command, *(keys[n] for n in stage.needs)]
            keys[stage.name] = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return keys

    def _record(self, stage: Stage) -> dict[str, Any] | None:
        try:
            found = parse_json(read_small(self.records / f"{stage.name}.json"))
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _is_there(self, stage: Stage) -> bool:
        return stage.out is not None and (self.folder / stage.out).exists()

    def _finished(self, stage: Stage) -> dict[str, Any] | None:
        done = self._record(stage)
        if done is None or (stage.out and not self._is_there(stage)):
            return None
        return done if done.get("key") == self.keys[stage.name] else None

    def _command(self, stage: Stage) -> tuple[str, ...]:
        # What an earlier stage made goes; the command knows what that is, and refuses what is somebody else's.
        outdated = self.fresh or self._record(stage) is not None
        force = self._is_there(stage) and (outdated or not stage.resumes)
        return (*stage.command, "--force") if force else stage.command

    def run(self) -> None:
        """Run every stage that isn't finished.

        Raises:
            StageError: If a stage fails; the message ends with its log.
            UsageError: If another process is at work in the folder, or a command isn't installed.
        """
        for name in sorted({stage.command[0] for stage in self.stages}):
            program(name)
        with self._alone():
            waiting, finished = self._look()
            if waiting:
                self._run(waiting, finished)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        lock = _held(self.folder / _LOCK, wait_for_it=False)
        if lock is None:
            raise UsageError(f"{self.folder}: another process is at work on these stages. Wait for it to end.")
        with lock:
            with _held(self.folder / _WORKERS_LOCK):
                pass  # The workers of a process that was killed are gone now.
            yield

    def _look(self) -> tuple[list[Stage], set[str]]:
        """Stages to be run, and names of those that are finished."""
        waiting: list[Stage] = []
        finished: set[str] = set()
        replaced: list[str] = []
        for stage in self.stages:
            done = self._finished(stage)
            if done is not None and set(stage.needs) <= finished:
                finished.add(stage.name)
                self.reused.add(stage.name)
                self.seconds[stage.name] = float(done["seconds"])
            else:
                waiting.append(stage)
                replaced += [stage.name] if self._record(stage) is not None and self._is_there(stage) else []
        if replaced:
            why = "as asked" if self.fresh else "since what they do or need has changed"
            self.say(f"  Finished before and made anew, {why}: {', '.join(replaced)}.")
        if self.reused:
            self.say(f"  Finished before, and reused: {len(self.reused)} of {counted(len(self.stages), 'stage')}.")
        return waiting, finished

    def _run(self, waiting: list[Stage], finished: set[str]) -> None:
        begin = partial(_begin_worker, str(self.folder.resolve()))
        with ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"), initializer=begin) as pool:
            running: dict[Future[Outcome], Stage] = {}
            while waiting or running:
                for stage in [s for s in waiting if set(s.needs) <= finished]:
                    if len(running) < self.workers and not any(s.alone for s in running.values()):
                        running[self._start(pool, stage)] = stage
                        waiting.remove(stage)
                done_now, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done_now:
                    stage = running.pop(future)
                    try:
                        self._close(stage, future.result())
                    except BrokenProcessPool as error:
                        raise StageError(
                            f"stage {stage.name!r}: its process ended all of a sudden; was it killed, or is memory "
                            "short? Start the same command again: it goes on from here."
                        ) from error
                    finished.add(stage.name)

    def _start(self, pool: ProcessPoolExecutor, stage: Stage) -> Future[Outcome]:
        command = self._command(stage)
        self.say(f"  $ {shlex.join(command)}")
        log = str((self.records / f"{stage.name}.log").resolve())
        return pool.submit(run_command, command, str(self.folder.resolve()), log)

    def _close(self, stage: Stage, outcome: Outcome) -> None:
        if outcome.exit_code:
            log = (self.records / f"{stage.name}.log").read_text(encoding="utf-8")
            raise StageError(f"stage {stage.name!r} failed:\n{log[-_SHOWN:]}{outcome.output[-_SHOWN:]}")
        self.seconds[stage.name] = outcome.seconds
        content = {"key": self.keys[stage.name], "seconds": round(outcome.seconds, 2), "output": outcome.output}
        write_json(self.records / f"{stage.name}.json", content)
        self.say(f"  ✓ {stage.name}: {outcome.seconds:.0f} s  [{len(self.seconds)}/{len(self.stages)}]")

    def output(self, name: str) -> str:
        """What a finished stage printed on stdout.

        Raises:
            FileNotFoundError: If it isn't finished.
        """
        record = json.loads((self.records / f"{name}.json").read_text(encoding="utf-8"))
        return str(record["output"])

    def seconds_by_group(self) -> dict[str, float]:
        """Seconds of the finished stages, added up by group."""
        groups: dict[str, float] = {}
        for stage in self.stages:
            groups[stage.group] = groups.get(stage.group, 0.0) + self.seconds.get(stage.name, 0.0)
        return groups


def forget(folder: Path, stages: Sequence[Stage]) -> None:
    """Forget that stages were finished, so that each is made anew."""
    for stage in stages:
        for suffix in ("json", "log"):
            (folder / RECORDS / f"{stage.name}.{suffix}").unlink(missing_ok=True)
