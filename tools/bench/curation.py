"""What the curation commands cost at scale: seconds, records a second, peak memory, and how they grow with the size.

For each size, invents a source (a table of claims and its pictures; kept in the work folder, so that the next run
starts at once) and runs the commands over it one after the other, each as a process of its own. What is measured is
written down after every step: a killed run goes on with the next one, a finished one only prints its table.

    python tools/bench/curation.py --sizes 10k,100k

The steps: `ingest`; `tag`; `questions`; `check`; `release`; `retag`, which is `tag` with tiers of a curator's own
that change some 0.4 % of the records; and `diff` of the release with what `retag` made of it. Sources hold a few facts
that contradict others; `check` finds them, and before the release they are waived, which isn't measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation_names import ADDRESSES, PUBLISHERS
from curation_source import SMALLEST, Source, make_source
from curation_table import print_table
from measure import Measured, measure

import offside_data
from offside_data.dataset.card import Card
from offside_data.files import write_json, write_text
from offside_data.images.decode import read_bytes
from offside_data.images.hashing import hash_image
from offside_data.images.normalise import normalise_image
from offside_data.processes import process_pool
from offside_data.progress import log

STEPS = ("ingest", "tag", "questions", "check", "release", "retag", "diff")
READING = ("check", "diff")
"""Steps that change nothing."""
HASHED = 5_000
"""Pictures, at most, that hashing alone is measured with."""
WORKERS = 2
"""Processes that draw pictures, and that hash them where that alone is measured."""
SHOWN_LINES = 15
NEWS = 30.0
"""Seconds after which a step that runs says so."""
PROGRAM = str(Path(sys.executable).parent / "offside-data")
_RETRUSTED = 5
"""Publishers of which `retag` changes the tier."""

Results = dict[str, Any]


def main() -> None:
    """Measure what isn't measured yet, print everything."""
    options = _options()
    if not Path("/proc/self/smaps_rollup").exists():
        raise SystemExit("this machine has no /proc/PID/smaps_rollup, by which memory is measured: run it on Linux.")
    work: Path = options.work
    out: Path = options.out or work / "results.json"
    results: Results = {"machine": machine(), "seed": options.seed, "sizes": {}}
    if out.is_file():
        results = json.loads(out.read_text(encoding="utf-8"))
        if results["seed"] != options.seed:
            raise SystemExit(f"{out}: measured with --seed {results['seed']}; name another --work for another seed.")
    failed = False
    for records in options.sizes:
        if options.fresh:
            results["sizes"].pop(str(records), None)
        bench = Bench(work / str(records), records, results["sizes"].setdefault(str(records), {"steps": {}}))
        bench.save = functools.partial(write_json, out, results)
        failed = not bench.run(options.seed) or failed
    print_table([results["sizes"][str(records)] for records in options.sizes], results["machine"])
    if failed:
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=_sizes, default="10k,100k", help="records, e.g. 300, 10k, 1M; ascending")
    parser.add_argument("--work", type=Path, default=Path("bench-out/curation"), help="where everything is kept")
    parser.add_argument("--out", type=Path, help="JSON file of what was measured; default: in the work folder")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sources")
    parser.add_argument("--fresh", action="store_true", help="measure these sizes anew, from their sources")
    return parser.parse_args()


def _sizes(text: str) -> list[int]:
    sizes = []
    for word in text.split(","):
        scale = {"k": 10**3, "m": 10**6}.get(word[-1:].lower(), 1)
        digits = word if scale == 1 else word[:-1]
        if not digits.isdecimal() or int(digits) * scale < SMALLEST:
            raise argparse.ArgumentTypeError(f"{word!r}: must be a number of {SMALLEST} or more, e.g. 10k or 1M")
        sizes.append(int(digits) * scale)
    return sorted(set(sizes))


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory, 1),
        "python": platform.python_version(),
    }


# ---------------------------------------------------------------------------------------------
# One size


@dataclass
class Bench:
    """The measurements of one size.

    After each step that changes the dataset a folder `states/STEP` holds what it made, the last one alone is kept. A
    step works on a copy (Parquet files are hard links: commands replace them and never write into them), so that one
    that was killed begins again from where it began.

    Args:
        folder: Of this size.
        records: Asked for.
        results: What is measured so far; filled in.
    """

    folder: Path
    records: int
    results: Results
    save: functools.partial[None] = field(init=False)

    def run(self, seed: int) -> bool:
        """Do what isn't done yet; false if a command failed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        steps = self.results["steps"]
        if any(name not in steps for name in STEPS):
            source = make_source(self.folder / "source", self.records, seed=seed, workers=WORKERS)
            self._describe(source)
            if self._state() is None or "hashing" not in self.results:
                steps.clear()
                self.results["hashing"] = hashing_rate(source.pictures)
                self.save()
            for name in STEPS:
                if name not in steps and not self._step(name, source):
                    return False
        codes = {step["code"] for step in steps.values()}
        if codes != {code_digest()}:
            log(f"note: {self.records:,} records were measured with other code than today's; --fresh measures anew.")
        return True

    def _describe(self, source: Source) -> None:
        sizes = [path.stat().st_size for path in source.pictures]
        self.results |= {
            "records": source.records,
            "pictures": len(sizes),
            "picture_kb": round(sum(sizes) / len(sizes) / 2**10, 1),
            "table_mb": round(source.table.stat().st_size / 2**20, 1),
        }

    def _state(self) -> Path | None:
        """The dataset after the steps that are done; null if there are none, or it is gone."""
        changing = [name for name in STEPS if name in self.results["steps"] and name not in READING]
        state = self.folder / "states" / changing[-1] if changing else None
        return state if state is not None and state.is_dir() else None

    def _step(self, name: str, source: Source) -> bool:
        log(f"{self.records:,} records: {name} ...")
        states, before = self.folder / "states", self._state()
        running = states / ".running"
        shutil.rmtree(running, ignore_errors=True)
        states.mkdir(exist_ok=True)
        if before is not None and name not in READING:
            shutil.copytree(before, running, copy_function=_link)
        if name == "release":
            self._waive_contradictions(running)
        dataset = before if before is not None and name in READING else running
        path = self.folder / "logs" / f"{name}.log"
        path.parent.mkdir(exist_ok=True)
        measured = measure(self._command(name, source, dataset), path, Reporter(name))
        if measured.status != 0 and not (name == "check" and measured.status == 1):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:]
            log("\n".join(["", *lines, "", f"{name} of {self.records:,} records ended with status {measured.status}."]))
            log(f"After {measured.seconds:.1f} s, peak memory {measured.peak_mb:,.0f} MB. All it said is in {path}.")
            return False
        if name not in READING:
            shutil.rmtree(states / name, ignore_errors=True)
            dataset = dataset.rename(states / name)
        self._keep(name, measured, dataset)
        for old in states.iterdir():
            if old != self._state():
                shutil.rmtree(old)
        return True

    def _waive_contradictions(self, dataset: Path) -> None:
        """As a curator would who leaves the planted ones as they are; what else is an error stops the release."""
        told = (self.folder / "logs" / "check.log").read_text(encoding="utf-8").splitlines()
        issues = [":".join(line.split(": ")[1:3]) for line in told if line.startswith("error: fact-conflict: ")]
        if issues:
            command = [PROGRAM, "waive", str(dataset), *issues, "--reason", "Planted."]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def _keep(self, name: str, measured: Measured, dataset: Path) -> None:
        records = sum(part.records for part in Card.load(dataset).block.splits.values())
        self.results["steps"][name] = {
            **dataclasses.asdict(measured),
            "records": records,
            "records_per_second": records / measured.seconds,
            "code": code_digest(),
        }
        self.save()
        log(f"  {measured.seconds:,.1f} s, {records / measured.seconds:,.0f} records/s, {measured.peak_mb:,.0f} MB")

    def _command(self, name: str, source: Source, dataset: Path) -> list[str]:
        match name:
            case "ingest":
                more = ["--format", "claims", "--name", "invented-league", "--license", "cc0-1.0"]
                return [PROGRAM, "ingest", str(source.table), str(dataset), *more]
            case "release":
                return [PROGRAM, "release", str(dataset), "--bump", "major", "--note", "The first one."]
            case "retag":
                tiers = self.folder / "tiers.yaml"
                write_text(tiers, tiers_of_a_curator())
                return [PROGRAM, "tag", str(dataset), "--tiers", str(tiers)]
            case "diff":
                released = dataset.resolve() / ".offside" / "releases" / "1.0.0"
                return [PROGRAM, "diff", str(released), str(dataset.resolve())]
            case _:
                return [PROGRAM, name, str(dataset)]


class Reporter:
    """Says now and then that a step still runs.

    Args:
        name: The step's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._next = NEWS

    def __call__(self, seconds: float, peak_mb: float) -> None:
        """Log a line if it is time to."""
        if seconds >= self._next:
            self._next = seconds + NEWS
            log(f"  {self._name}: {seconds:,.0f} s so far, {peak_mb:,.0f} MB")


def tiers_of_a_curator() -> str:
    """A file of tiers that trusts a few publishers more than the source does."""
    names = PUBLISHERS["social"][:_RETRUSTED]
    domains = [ADDRESSES[name] for name in names]
    return json.dumps({"media": {"domains": domains, "publishers": names}}, indent=2) + "\n"


def _link(source: str, target: str) -> None:
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@functools.cache
def code_digest() -> str:
    """Tells one state of the package's code from another."""
    digest = hashlib.sha256()
    folder = Path(offside_data.__file__).parent
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".yaml", ".c", ".pyx")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


# ---------------------------------------------------------------------------------------------
# Hashing alone


def hashing_rate(pictures: list[Path]) -> dict[str, float]:
    """How fast pictures are read, decoded, brought to their stored form and hashed, by `WORKERS` processes."""
    step = -(-len(pictures) // HASHED)
    sample = pictures[::step]
    with process_pool(WORKERS) as pool:  # As an import has them.
        assert pool is not None
        list(pool.map(hash_picture, sample[: 2 * WORKERS], chunksize=1))  # So that the processes are there.
        started = time.perf_counter()
        spent = sum(pool.map(hash_picture, sample, chunksize=32))
        seconds = time.perf_counter() - started
    log(f"hashing alone: {len(sample) / seconds:,.0f} pictures/s")
    return {
        "pictures": len(sample),
        "seconds": seconds,
        "cpu_seconds": spent,
        "pictures_per_second": len(sample) / seconds,
    }


def hash_picture(path: Path) -> float:
    """What an import does to a picture, without keeping it. Returns the CPU seconds that it took."""
    started = time.process_time()
    normal = normalise_image(read_bytes(path, [path.parent]), str(path))
    hash_image(normal.image.bytes, normal.pixels)
    return time.process_time() - started


if __name__ == "__main__":
    main()
