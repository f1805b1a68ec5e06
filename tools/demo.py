"""The whole story on a laptop: a league, a model that learns it, unlearning, evaluation, a report.

`make demo` runs this. Every stage is one of the packages' public commands, printed as you would type
it, so that this file doubles as the example. Finished stages are reused; `--fresh` starts over.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from demo_plan import SIZES, Stage, plan

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: seconds it took, what it printed on stdout, its exit code."""

    seconds: float
    output: str
    exit_code: int


def run_command(command: tuple[str, ...], folder: str, log: str, threads: int) -> Outcome:
    """Run one console command in this worker process, so that torch is imported once a worker, not once a stage."""
    import click

    os.chdir(folder)
    if command[0] != "offside-data":
        import torch

        torch.set_num_threads(threads)
    program = import_module(command[0].replace("-", "_") + ".cli").main
    stdout = io.StringIO()
    started = time.monotonic()
    with (
        open(log, "w", encoding="utf-8") as stderr,
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            code = program(list(command[1:]), standalone_mode=False) or 0
        except click.ClickException as error:
            error.show(stderr)
            code = error.exit_code
    return Outcome(time.monotonic() - started, stdout.getvalue(), int(code))


def forget(folder: Path, stages: Sequence[Stage]) -> None:
    """Forget that stages were finished, so that each is made anew."""
    for stage in stages:
        for suffix in ("json", "log"):
            (folder / "stages" / f"{stage.name}.{suffix}").unlink(missing_ok=True)


class Demo:
    """Runs the stages of a plan, two at a time, each when what it needs is finished."""

    def __init__(self, folder: Path, stages: list[Stage], workers: int) -> None:
        self.folder = folder
        self.stages = stages
        self.workers = workers
        self.records = folder / "stages"
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

    def _record(self, stage: Stage) -> Path:
        return self.records / f"{stage.name}.json"

    def _finished(self, stage: Stage) -> dict[str, float | str] | None:
        record = self._record(stage)
        if not record.exists() or (stage.out and not (self.folder / stage.out).exists()):
            return None
        done: dict[str, float | str] = json.loads(record.read_text(encoding="utf-8"))
        return done if done["key"] == self.keys[stage.name] else None

    def _start(self, pool: ProcessPoolExecutor, stage: Stage) -> Future[Outcome]:
        # What an earlier stage made goes; the command knows what that is, and refuses what is somebody else's.
        there = stage.out is not None and (self.folder / stage.out).exists()
        command = (*stage.command, "--force") if there else stage.command
        print(f"  $ {shlex.join(command)}", flush=True)
        log = str(self.records / f"{stage.name}.log")
        return pool.submit(run_command, command, str(self.folder), log, self.workers if stage.alone else 1)

    def run(self) -> None:
        """Run every stage that isn't finished.

        Raises:
            SystemExit: If a stage fails; its log is printed.
        """
        waiting = list(self.stages)
        finished: set[str] = set()
        for stage in self.stages:
            done = self._finished(stage)
            if done is not None and set(stage.needs) <= finished:
                finished.add(stage.name)
                self.reused.add(stage.name)
                self.seconds[stage.name] = float(done["seconds"])
                waiting.remove(stage)
        if self.reused:
            print(f"  {len(self.reused)} of {len(self.stages)} stages were finished before and are reused.")
        if not waiting:
            return
        with ProcessPoolExecutor(self.workers, mp_context=get_context("spawn")) as pool:
            running: dict[Future[Outcome], Stage] = {}
            while waiting or running:
                for stage in [s for s in waiting if set(s.needs) <= finished]:
                    if len(running) < self.workers and not any(s.alone for s in running.values()):
                        running[self._start(pool, stage)] = stage
                        waiting.remove(stage)
                done_now, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done_now:
                    stage = running.pop(future)
                    self._close(stage, future.result())
                    finished.add(stage.name)

    def _close(self, stage: Stage, outcome: Outcome) -> None:
        if outcome.exit_code:
            log = (self.records / f"{stage.name}.log").read_text(encoding="utf-8")
            print(f"\nstage {stage.name!r} failed:\n{log[-3000:]}{outcome.output[-2000:]}", file=sys.stderr)
            raise SystemExit(1)
        self.seconds[stage.name] = outcome.seconds
        content = {"key": self.keys[stage.name], "seconds": round(outcome.seconds, 2), "output": outcome.output}
        self._record(stage).write_text(json.dumps(content, indent=2), encoding="utf-8")
        print(f"  ✓ {stage.name}: {outcome.seconds:.0f} s  [{len(self.seconds)}/{len(self.stages)}]", flush=True)

    def output(self, name: str) -> str:
        """What a finished stage printed on stdout."""
        record = json.loads((self.records / f"{name}.json").read_text(encoding="utf-8"))
        return str(record["output"])

    def print_times(self, budgets: dict[str, int]) -> None:
        """Print the seconds of each group of stages against its budget."""
        print(f"\n  {'stage':<12} {'seconds':>8} {'budget':>8}")
        groups: dict[str, float] = {}
        for stage in self.stages:
            groups[stage.group] = groups.get(stage.group, 0.0) + self.seconds[stage.name]
        for group, seconds in groups.items():
            mark = "" if seconds <= budgets[group] else "  over budget"
            print(f"  {group:<12} {seconds:8.0f} {budgets[group]:8d}{mark}")
        print("  (added up over stages; two run side by side)")


def main() -> None:
    """Parse the options and tell the story."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    parser.add_argument("--out", type=Path, default=ROOT / "demo-out", help="where everything goes")
    parser.add_argument("--fresh", action="store_true", help="make every stage anew; files of yours stay")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="stages side by side")
    options = parser.parse_args()
    # Threads that spin while they wait make a busy machine slower; workers read this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("COLUMNS", str(max(120, shutil.get_terminal_size().columns)))
    folder = options.out.resolve() / options.size
    size = SIZES[options.size]
    stages = plan(size)
    if options.fresh:
        forget(folder, stages)
    started = time.monotonic()
    print(f"OFFSIDE demo, size {options.size!r}: {size.subjects} subjects, {len(stages)} stages, in {folder}")
    demo = Demo(folder, stages, options.workers)
    demo.run()
    print(f"\n{demo.output('compare')}")
    demo.print_times(size.budgets)
    print(f"\n  all stages together: {time.monotonic() - started:.0f} s")
    print(f"  report: {folder / 'report' / 'report.html'}")


if __name__ == "__main__":
    main()
