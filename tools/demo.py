"""The whole story on a laptop: a league, a model that learns it, unlearning, evaluation, a report.

`make demo` runs this. Every stage is one of the packages' public commands, printed as you would type it, so that this
file doubles as the example: a league and a tiny model, then the study that `tools/demo_plans/SIZE.yaml` asks for.
Finished stages are reused; `--fresh` starts over.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from offside_data.errors import OffsideError, UsageError
from offside_data.plugins import unknown_name_message
from offside_data.settings import SETTINGS
from offside_unlearn.stages import Stage, StageRunner, forget
from offside_unlearn.study import Study, StudyPlan, read_plan
from offside_unlearn.unlearning import METHODS

ROOT = Path(__file__).resolve().parent.parent
PLANS = Path(__file__).resolve().parent / "demo_plans"
KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
"""Lets a process use its memory again instead of handing it back after each step (glibc; elsewhere without effect):
to get a page anew costs as much as to compute what stands in it."""
BUDGET_SECONDS = 1200
"""Of the full size on two quiet cores, installing left out."""


@dataclass(frozen=True)
class Size:
    """How large the league is; everything else stands in the plan of the same name.

    Args:
        subjects: Members of the league.
        captions: General pictures with a caption, from which the base model learns to read.
    """

    subjects: int
    captions: int


SIZES = {"full": Size(subjects=24, captions=1500), "quick": Size(subjects=6, captions=12)}


def only(plan: StudyPlan, methods: Sequence[str]) -> StudyPlan:
    """A plan's controls, and of its methods these."""
    relearned = [name for name in methods if plan.relearn and name in (plan.relearn.methods or methods)]
    return replace(
        plan,
        methods={name: options for name, options in plan.methods.items() if name in methods},
        further=tuple(cells for cells in plan.further if cells.method in methods),
        relearn=replace(plan.relearn, methods=tuple(relearned)) if plan.relearn and relearned else None,
    )


def stages_of(name: str, folder: Path, seed: int, methods: Sequence[str] = ()) -> list[Stage]:
    """All stages of a size in a folder, each after those it needs.

    Args:
        name: Of the size.
        folder: Where they are run.
        seed: Of the league and the models' training; the seeds of unlearning stand in the plan.
        methods: Of the plan; empty = all.

    Raises:
        UsageError: If the plan hasn't a method.
    """
    size = SIZES[name]
    seeded = ("--seed", str(seed)) if seed else ()
    league = ("offside-data", "fictional", "league", "--subjects", str(size.subjects))
    league += ("--captions", str(size.captions), *seeded)
    tiny = ("offside-unlearn", "tiny", "models/tiny", "--data", "league", *seeded)
    plan = read_plan(PLANS / f"{name}.yaml", METHODS.names())
    for method in methods:
        if method not in plan.methods:
            raise UsageError(unknown_name_message("method of the demo", method, list(plan.methods)))
    plan = only(plan, methods or list(plan.methods))
    stages = [
        Stage("league", "data", league, "league", alone=True),
        Stage("tiny", "data", tiny, "models/tiny", ("league",), alone=True),
        Stage("check", "data", ("offside-data", "check", "league"), None, ("league",)),
    ]
    for stage in Study(plan, folder, folder, list(SETTINGS)).stages():
        if stage.group == "learn":
            stage = replace(stage, command=(*stage.command, *seeded))
        first = not stage.needs  # Everything else waits for it.
        stages.append(replace(stage, needs=("league", "tiny"), alone=True) if first else stage)
    return stages


def print_times(runner: StageRunner, seconds: float, *, whole: bool) -> None:
    """Print the seconds of each group of stages, and of all of them; the whole demo's against the budget."""
    print(f"\n  {'stages':<12} {'seconds':>8}")
    for group, taken in runner.seconds_by_group().items():
        print(f"  {group:<12} {taken:8.0f}")
    print("  (added up over stages; two run side by side)")
    budget = f", of {BUDGET_SECONDS} s on two quiet cores" if whole else ""
    print(f"\n  all stages together: {seconds:.0f} s{budget}")


def main() -> None:
    """Parse the options and tell the story."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    parser.add_argument("--out", type=Path, default=ROOT / "demo-out", help="where everything goes")
    parser.add_argument("--seed", type=int, default=0, help="of the league and the models that learn it")
    parser.add_argument(
        "--method", action="append", default=[], help="only this method of the plan; may be given again"
    )
    parser.add_argument("--fresh", action="store_true", help="make every stage anew; files of yours stay")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="stages side by side")
    options = parser.parse_args()
    # Threads that spin while they wait make a busy machine slower; workers read this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name, value in KEEPS_MEMORY.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("COLUMNS", str(max(120, shutil.get_terminal_size().columns)))
    folder = options.out.resolve() / options.size
    started = time.monotonic()
    say = partial(print, flush=True)
    try:
        stages = stages_of(options.size, folder, options.seed, options.method)
        if options.fresh:
            forget(folder, stages)
        say(f"OFFSIDE demo, size {options.size!r}, seed {options.seed}: {len(stages)} stages, in {folder}")
        runner = StageRunner(folder, stages, workers=options.workers, fresh=options.fresh, say=say)
        runner.run()
    except OffsideError as error:
        print(f"\n{error}", file=sys.stderr)
        raise SystemExit(1) from error
    print(f"\n{runner.output('compare')}")
    print_times(runner, time.monotonic() - started, whole=options.size == "full" and not options.method)
    print(f"  report: {folder / 'report' / 'report.html'}")


if __name__ == "__main__":
    main()
