"""Mutation testing: break the sources in small ways, one at a time, and demand that a test fails each time.

    python tools/mutate.py                       # Every target of tools/mutation/targets.yaml.
    python tools/mutate.py --only metrics        # One target, or the files of one plug-in (`--only bleu`).
    python tools/mutate.py --only bleu --all     # Each change, not a few of the lesser ones a function.

Signs and directions are flipped, masks and guards dropped, denominators changed, and of constants, edges, flags and
conditions a few a function. What no test notices is listed with file, line, before and after, and makes the exit
status 1, unless `tools/mutation/explained.yaml` says why nothing can notice it. No file of the project is written.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mutation.session import Batch, Tried, by_file, tried
from mutation.sites import mutations

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent / "mutation"
PER_FUNCTION = 2
Key = tuple[str, str, str, str, int]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Sources and their tests.

    Args:
        sources: Globs below the root.
        tests: Globs of test files and folders.
        warm: Session fixtures that are set up once.
        skip: Pattern of tests that aren't run, by their ids.
    """

    sources: Sequence[str]
    tests: Sequence[str]
    warm: Sequence[str] = ()
    skip: str = ""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A change that no test needs to notice.

    Args:
        file: Path below the root.
        function: Where in it, dotted.
        before: The expression.
        after: What it is changed to.
        why: Why nothing can tell, or needn't.
        nth: Which of equal changes in the function.
    """

    file: str
    function: str
    before: str
    after: str
    why: str
    nth: int = 1

    @property
    def key(self) -> Key:
        """What the change is known by."""
        return self.file, self.function, self.before, self.after, self.nth


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the changes and print the table."""
    options = _parser().parse_args(arguments)
    targets = {name: Target(**given) for name, given in _read(options.targets).items()}
    explained = {e.key: e for e in (Explained(**given) for given in _read(options.explained))}
    options.root = options.root.resolve()
    batches = _batches(targets, options)
    if not batches:
        print(f"--only {options.only}: no target and no file of one. Targets: {', '.join(targets)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    results, problems = _tried(batches, options)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 2
    stale = _stale(explained, results, options)
    document = _document(results, explained, stale)
    print(json.dumps(document, indent=1) if options.json else _told(results, explained, stale))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(u.ru_utime + u.ru_stime for u in used)
    print(f"{seconds:.0f} s of processor time, {time.monotonic() - started:.0f} s", file=sys.stderr)
    return 1 if document["unexplained"] or stale else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a target or a file's name")
    parser.add_argument("--all", action="store_true", help="each change, also where a function has many")
    parser.add_argument("--json", action="store_true", help="print a JSON document instead of the table")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="processes at a time (default 2)")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds after which a change hangs (default 10)")
    parser.add_argument("--targets", type=Path, default=HERE / "targets.yaml", help="another table of targets")
    parser.add_argument("--explained", type=Path, default=HERE / "explained.yaml", help="other explanations")
    parser.add_argument("--root", type=Path, default=ROOT, help="below which the targets' globs are")
    parser.add_argument("--progress", action="store_true", help="tell of each change that isn't noticed, at once")
    return parser


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _batches(targets: Mapping[str, Target], options: argparse.Namespace) -> list[Batch]:
    found = []
    for name, target in targets.items():
        files = sorted({file for glob in target.sources for file in options.root.glob(glob)})
        if options.only and name not in options.only:
            files = [file for file in files if file.stem in options.only]
        limit = None if options.all else PER_FUNCTION
        changes = [m for file in files for m in mutations(file, options.root, limit)]
        tests = sorted({place for glob in target.tests for place in options.root.glob(glob)})
        if changes:
            found.append(Batch(name, tests, target.warm, changes, target.skip))
    return found


def _tried(batches: Sequence[Batch], options: argparse.Namespace) -> tuple[list[Tried], list[str]]:
    def tell(one: Tried) -> None:
        if options.progress and not one.noticed:
            print(_line(one), file=sys.stderr, flush=True)

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # A fork has one thread only: the others' locks would stay shut.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory(prefix="mutate-") as place, open(os.devnull, "w") as nowhere:
        arguments = ["-p", "no:cacheprovider", "-p", "no:xdist", "--capture=sys", "-m", "not full"]
        arguments += [f"--basetemp={place}/tests", f"--rootdir={options.root}"]
        with contextlib.redirect_stdout(nowhere):
            return tried(options.root, batches, arguments, jobs=options.jobs, grace=options.grace, tell=tell)


def _stale(explained: Mapping[Key, Explained], results: Sequence[Tried], options: argparse.Namespace) -> list[str]:
    """Explanations of changes that are noticed by now, or that aren't there; of the files that were tried."""
    fates = {one.mutation.key: one for one in results}
    files = {one.mutation.file for one in results}
    found = []
    for key, e in explained.items():
        what = f"{e.file} {e.function}: {e.before}  ->  {e.after}"
        if key in fates and fates[key].noticed:
            found.append(f"{what}: explained, but noticed by {fates[key].by or fates[key].fate}")
        elif key not in fates and (e.file in files or not (options.root / e.file).is_file()):
            known = {m.key for m in mutations(options.root / e.file, options.root)} if e.file in files else set()
            if key not in known:
                found.append(f"{what}: explained, but there is no such change")
    return found


def _line(one: Tried) -> str:
    m = one.mutation
    return f"{m.file}:{m.line} {m.function} [{m.category}, {one.fate}] {m.before}  ->  {m.after}" + (
        f" ({one.by})" if one.fate == "unfit" else ""
    )


def _counts(results: Sequence[Tried], explained: Mapping[Key, Explained]) -> dict[str, int]:
    alive = [one for one in results if not one.noticed]
    known = sum(one.mutation.key in explained for one in alive)
    return {"mutations": len(results), "killed": len(results) - len(alive), "survived": len(alive), "explained": known}


def _document(results: Sequence[Tried], explained: Mapping[Key, Explained], stale: Sequence[str]) -> dict[str, Any]:
    def entry(one: Tried) -> dict[str, Any]:
        m = one.mutation
        told = {name: getattr(m, name) for name in ("file", "function", "line", "category", "before", "after", "nth")}
        return told | {"target": one.target, "fate": one.fate}

    alive = [one for one in results if not one.noticed]
    return {
        "total": _counts(results, explained),
        "files": {file: _counts(of, explained) for file, of in by_file(results).items()},
        "unexplained": [entry(one) for one in alive if one.mutation.key not in explained],
        "explained": [dataclasses.asdict(explained[m]) for m in (one.mutation.key for one in alive) if m in explained],
        "stale": list(stale),
    }


def _told(results: Sequence[Tried], explained: Mapping[Key, Explained], stale: Sequence[str]) -> str:
    heads = ("mutations", "killed", "survived", "explained")
    lines = [f"{'':<34}" + "".join(f"{head:>11}" for head in heads)]
    for target in dict.fromkeys(one.target for one in results):
        of_target = [one for one in results if one.target == target]
        rows = [(f"  {Path(file).stem}", of) for file, of in by_file(of_target).items()]
        for name, of in [(target, of_target), *rows]:
            lines.append(f"{name:<34}" + "".join(f"{_counts(of, explained)[head]:>11}" for head in heads))
    total = _counts(results, explained)
    lines.append(f"{'all':<34}" + "".join(f"{total[head]:>11}" for head in heads))
    alive = [one for one in results if not one.noticed and one.mutation.key not in explained]
    if alive:
        lines += ["", "No test notices, and nothing explains:", *map(_line, alive)]
    if stale:
        lines += ["", "Explanations that don't hold any more:", *stale]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
