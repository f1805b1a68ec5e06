"""Mutation testing: break the sources in small ways, one at a time, and demand that a test fails each time.

    python tools/mutate.py                       # Every target of tools/mutation/targets.yaml.
    python tools/mutate.py --only metrics        # One target, or the files of one plug-in (`--only bleu`).
    python tools/mutate.py --only bleu --all     # Each change, not a few of the lesser ones a function.

Signs and directions are flipped, masks and guards dropped, denominators changed, and of constants, edges, flags and
conditions a few a function: the table says how many of those that are possible were tried. Noticed is what fails a test
(`killed`), uses up its processor time (`hung`) or keeps the module from being imported (`broken`). What no test notices
is listed with file, line, before and after, and makes the exit status 1, unless `tools/mutation/explained.yaml` says
why nothing can notice it. A process that died of anything else, such as want of memory, tells nothing: its change is
`not tried`, which makes the exit status 1 too. Tests that fail as they are make it 2. No file is written.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mutation.forks import used
from mutation.session import Batch, MutationRun, Tried, by_file, tried
from mutation.sites import mutations

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent / "mutation"
_HEADS = {name: name for name in ("killed", "hung", "broken", "survived", "explained")} | {"died": "not tried"}
Key = tuple[str, str, str, str, int]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Sources and their tests.

    Args:
        sources: Globs below the root.
        tests: Globs of test files and folders.
        warm: Session fixtures that are set up once.
        skip: Pattern of tests that aren't run, by their ids.
        others: Of each function so many changes of the lesser categories.
    """

    sources: Sequence[str]
    tests: Sequence[str]
    warm: Sequence[str] = ()
    skip: str = ""
    others: int = 2


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
    run = _tried(batches, options)
    stale = _stale(explained, run.tried, options)
    document = _document(run, _possible(run.tried, options), explained, stale)
    print(json.dumps(document, indent=1) if options.json else _told(document))
    print(f"{used():.0f} s of processor time, {time.monotonic() - started:.0f} s", file=sys.stderr)
    for problem in run.problems:
        print(problem, file=sys.stderr)
    if run.problems:
        return 2
    return 1 if document["unexplained"] or document["died"] or stale else 0


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
        limit = None if options.all else target.others
        changes = [m for file in files for m in mutations(file, options.root, limit)]
        tests = sorted({place for glob in target.tests for place in options.root.glob(glob)})
        if changes:
            found.append(Batch(name, tests, target.warm, changes, target.skip))
    return found


def _tried(batches: Sequence[Batch], options: argparse.Namespace) -> MutationRun:
    def tell(one: Tried) -> None:
        if options.progress and not one.noticed:
            print(_line(_entry(one)), file=sys.stderr, flush=True)

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


def _entry(one: Tried) -> dict[str, Any]:
    m = one.mutation
    told = {name: getattr(m, name) for name in ("file", "function", "line", "category", "before", "after", "nth")}
    return told | {"target": one.target, "fate": one.fate, "by": one.by}


def _line(m: Mapping[str, Any]) -> str:
    return (
        f"{m['file']}:{m['line']} {m['function']} [{m['category']}, {m['fate']}] {m['before']}  ->  {m['after']}"
        f"{f' ({by})' if (by := m['by']) and m['fate'] in ('unfit', 'died') else ''}"
    )


def _possible(results: Sequence[Tried], options: argparse.Namespace) -> dict[str, int]:
    """How many changes each file has, those included that weren't chosen."""
    return {file: len(mutations(options.root / file, options.root)) for file in by_file(results)}


def _counts(results: Sequence[Tried], possible: int, explained: Mapping[Key, Explained]) -> dict[str, Any]:
    fates = Counter(one.fate for one in results)
    alive = [one for one in results if one.counts and not one.noticed]
    return {
        "possible": possible,
        "tried": len(results) - fates["died"],
        "killed": fates["killed"],
        "hung": fates["hung"],
        "broken": fates["broken"],
        "survived": len(alive),
        "explained": sum(one.mutation.key in explained for one in alive),
        "died": fates["died"],
    }


def _document(
    run: MutationRun, possible: Mapping[str, int], explained: Mapping[Key, Explained], stale: Sequence[str]
) -> dict[str, Any]:
    def counts(results: Sequence[Tried]) -> dict[str, Any]:
        return _counts(results, sum(possible[file] for file in by_file(results)), explained)

    targets = {}
    for name in dict.fromkeys(one.target for one in run.tried):
        of_target = [one for one in run.tried if one.target == name]
        files = {file: counts(of) for file, of in by_file(of_target).items()}
        targets[name] = {"all": counts(of_target), "seconds": round(run.seconds[name], 1), "files": files}
    alive = [one for one in run.tried if one.counts and not one.noticed]
    return {
        "total": counts(run.tried),
        "targets": targets,
        "unexplained": [_entry(one) for one in alive if one.mutation.key not in explained],
        "explained": [dataclasses.asdict(explained[m]) for m in (one.mutation.key for one in alive) if m in explained],
        "died": [_entry(one) for one in run.tried if not one.counts],
        "stale": list(stale),
        "problems": list(run.problems),
    }


def _told(document: Mapping[str, Any]) -> str:
    """The table: of each target and file, and what is wrong below it."""

    def row(name: str, counts: Mapping[str, Any], seconds: str = "") -> str:
        tried = f"{counts['tried']} of {counts['possible']}"
        numbers = "".join(f"{counts[key]:>10}" for key in _HEADS)
        return f"{name:<34}{tried:>14}{numbers}{seconds:>9}"

    lines = [f"{'':<34}{'tried':>14}" + "".join(f"{head:>10}" for head in _HEADS.values()) + f"{'seconds':>9}"]
    for name, target in document["targets"].items():
        lines.append(row(name, target["all"], f"{target['seconds']:.0f}"))
        lines += [row(f"  {Path(file).stem}", counts) for file, counts in target["files"].items()]
    lines.append(row("all", document["total"]))
    for head, key in (
        ("No test notices, and nothing explains:", "unexplained"),
        ("Not tried: their processes died twice.", "died"),
    ):
        if document[key]:
            lines += ["", head, *map(_line, document[key])]
    if document["stale"]:
        lines += ["", "Explanations that don't hold any more:", *document["stale"]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
