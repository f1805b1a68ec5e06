"""What whole evaluations cost: the core suite of one model, and the full one with every attack of it and its controls.

    python tools/bench/suites.py --data league --model models/vanilla --control models/retain_only --json out.json

Each evaluation is a process of its own, as a user starts it, of one thread; those of the full suite run side by side,
`--at-once` of them. Beside the seconds by the clock stand CPU seconds (the process and its children), which other work
on the machine changes less: the longest of several processes' CPU seconds is about what the clock shows where as
many cores are free. With `make demo` comes a league and all of its models.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path

from offside_data.files import write_json

GOALS = {"core": 60.0, "full": 480.0}
"""Seconds by the clock on two cores: the core suite of one model; the full one with attacks, controls included."""

HEAD = "| suite | model | samples | wall, s | CPU, s | peak, MB |\n| --- | --- | ---: | ---: | ---: | ---: |"


@dataclass(frozen=True)
class Cost:
    """What one evaluation took.

    Args:
        suite: Which.
        model: Folder of the model.
        wall: Seconds by the clock.
        cpu: Seconds of its processes.
        peak_mb: Most memory that it held.
        questions: How many answers it scored.
        attacks: Seconds by the clock of each attack.
    """

    suite: str
    model: str
    wall: float
    cpu: float
    peak_mb: float
    questions: int
    attacks: dict[str, float] = field(default_factory=dict)


def command(out: Path, suite: str, model: Path, options: argparse.Namespace) -> list[str]:
    """As it is typed."""
    said = [sys.executable, "-m", "offside_eval.cli", "run", str(out), "--model", str(model), "--suite", suite]
    said += ["--data", str(options.data), "--setting", options.setting, "--device", options.device]
    return [*said, "--attacks", "all"] if suite == "full" else said


def evaluated(suite: str, models: list[Path], options: argparse.Namespace, place: Path) -> tuple[float, list[Cost]]:
    """Seconds by the clock until all are done, and what each took."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    waiting, running, found = deque(models), dict[int, tuple[Path, float, Path]](), list[Cost]()
    began = time.perf_counter()
    while waiting or running:
        while waiting and len(running) < options.at_once:
            model = waiting.popleft()
            out = place / f"{suite}-{model.name}"
            with (place / f"{out.name}.log").open("wb") as log:
                process = subprocess.Popen(
                    command(out, suite, model, options), stdout=log, stderr=subprocess.STDOUT, env=environment
                )
            running[process.pid] = model, time.perf_counter(), out
        pid, status, used = os.wait4(-1, 0)
        model, started, out = running.pop(pid)
        if status:
            raise SystemExit((place / f"{out.name}.log").read_text(encoding="utf-8", errors="replace")[-2000:])
        wall, cpu = time.perf_counter() - started, used.ru_utime + used.ru_stime
        found.append(Cost(suite, str(model), wall, cpu, used.ru_maxrss / 1024, *_told(out)))
    return time.perf_counter() - began, found


def _told(out: Path) -> tuple[int, dict[str, float]]:
    """How many samples a results folder has, and the seconds of its attacks."""
    import polars as pl

    n = pl.scan_parquet(out / "samples.parquet").select("record_id").collect().height
    metas = {
        file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted((out / "attacks").glob("*.json"))
    }
    return n, {name: meta["seconds"] for name, meta in metas.items() if meta.get("seconds")}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--control", type=Path, action="append", default=[], help="evaluated and attacked likewise")
    parser.add_argument("--setting", default="selective")
    parser.add_argument("--suites", default="core,full")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--at-once", type=int, default=2, help="evaluations side by side, of one thread each")
    parser.add_argument("--keep", type=Path, help="a new folder for the results; else they are thrown away")
    parser.add_argument("--json", type=Path, help="write all figures there")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = _options()
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    results: dict[str, object] = {"machine": machine, "at_once": options.at_once, "rows": []}
    print(f"{machine}; {options.at_once} evaluations at once\n")
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = options.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        lines, rows = [], list[Cost]()
        for suite in options.suites.split(","):
            models = [options.model, *options.control] if suite == "full" else [options.model]
            wall, found = evaluated(suite, models, options, place)
            rows += found
            for cost in found:
                cells = [suite, Path(cost.model).name, f"{cost.questions:,}", f"{cost.wall:.0f}", f"{cost.cpu:.0f}"]
                print("| " + " | ".join([*cells, f"{cost.peak_mb:.0f}"]) + " |", flush=True)
            most = max(sum(c.cpu for c in found) / options.at_once, *(c.cpu for c in found))
            lines.append(f"{suite}: {wall:.0f} s by the clock, {most:.0f} s on free cores, goal {GOALS[suite]:.0f} s")
            lines += [f"  {n}: {s:.0f} s" for c in found[:1] for n, s in c.attacks.items()]
        print("\n" + "\n".join(lines))
        results["rows"] = [asdict(cost) for cost in rows]
        if options.json:
            write_json(options.json, results)


if __name__ == "__main__":
    main()
