"""A program for `test_nothing_lost.py`: it kills a command before its every step, and runs others after that.

    python tests/killed_commands.py START PLACE COMMANDS     # JSON: the command that is killed, those that come next in
                                                             # turn, and the last one, which always comes

It prints one JSON object a step. It forks, so nothing may be at work in it but itself: that's why it is a program.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "packages" / "offside-data" / "tests"))

from faults import killed_at_every_step
from forked_commands import load_what_is_used, run

NAMES = ("brinkhaus", "quist")
"""Names of whoever may be taken down."""
KEPT = ("proofs", "releases", "replaced", "undo", "written.json")
"""What may stay in a working area."""


def forked(folder: Path, arguments: Sequence[str]) -> int:
    """The same in another process, as a person would run it."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = run(folder, arguments)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def on_disk(folder: Path) -> str:
    """Everything that a kill left in a folder; where it's as before a step, nothing else can come of it."""
    paths = sorted(folder.rglob("*"))
    told = [(str(p.relative_to(folder)), p.read_bytes() if p.is_file() else None) for p in paths]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def state(folder: Path, last: str) -> dict[str, Any]:
    """What a curator has in a folder after a last command; what a kill left in OUT, the next export puts right."""
    taken = ("dataset", "out") if last == "export" else ("dataset",)
    dataset = folder / "dataset"
    decisions = [json.loads(line) for line in (dataset / "decisions.jsonl").read_text().splitlines()]
    endings = (".jsonl", ".json", ".md", ".yaml")
    texts = "".join(path.read_text() for path in dataset.rglob("*") if path.suffix in endings).lower()
    return {
        "tombstones": sum(decision["kind"] == "takedown" for decision in decisions),
        "named": [name for name in NAMES if name in texts],
        "releases": sorted(path.name for path in (dataset / ".offside" / "releases").iterdir()),
        "notes": [place for place in ("dataset", "out") if (folder / place / "notes.txt").is_file()],
        "left": sorted(p.name for place in taken for p in folder.glob(f"{place}/.offside/*") if p.name not in KEPT),
        "beside": sorted(path.name for path in folder.iterdir() if path.name.startswith(".")),
    }


def _main(start: str, place: str, commands: str) -> None:
    os.fsync, os.sync = (
        os.fstat,
        lambda: None,
    )  # Nobody cuts the power here; waiting for the disk took most of the time.
    first, *nexts, last = json.loads(commands)
    load_what_is_used(start, Path(place), [first, *nexts, last])
    steps = killed_at_every_step(Path(place), lambda folder: shutil.copytree(start, folder), lambda f: run(f, first))
    seen: set[str] = set()
    for number, folder in enumerate(steps):
        if (left := on_disk(folder)) not in seen:
            arguments = nexts[len(seen) % len(nexts)]
            seen.add(left)
            codes = [forked(folder, arguments), forked(folder, last)]
            print(json.dumps({"step": number, "codes": codes, **state(folder, arguments[0])}), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
