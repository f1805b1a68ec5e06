"""The whole story on a laptop: a league, a model that learns it, unlearning, evaluation, a report.

`make demo` runs this. Every stage is one of the packages' public commands, printed as you would type
it, so that this file doubles as the example. Finished stages are reused; `--fresh` starts over.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path

from demo_plan import SIZES, plan

from offside_unlearn.stages import StageError, StageRunner, forget

ROOT = Path(__file__).resolve().parent.parent


def print_times(runner: StageRunner, budgets: dict[str, int]) -> None:
    """Print the seconds of each group of stages against its budget."""
    print(f"\n  {'stage':<12} {'seconds':>8} {'budget':>8}")
    for group, seconds in runner.seconds_by_group().items():
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
    say = partial(print, flush=True)
    runner = StageRunner(folder, stages, workers=options.workers, fresh=options.fresh, say=say)
    try:
        runner.run()
    except StageError as error:
        print(f"\n{error}", file=sys.stderr)
        raise SystemExit(1) from error
    print(f"\n{runner.output('compare')}")
    print_times(runner, size.budgets)
    print(f"\n  all stages together: {time.monotonic() - started:.0f} s")
    print(f"  report: {folder / 'report' / 'report.html'}")


if __name__ == "__main__":
    main()
