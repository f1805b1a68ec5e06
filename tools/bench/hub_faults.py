"""What a command does when a service, the network or the disk fails: the tables of docs/reliability.md.

    python tools/bench/hub_faults.py [--service hub|annotation] [--only NAME] [--json]

Each fault is planted into a loopback Hub (`packages/offside-data/tests/loopback_hub.py`), or into what stands in for
Label Studio (`annotation_faults.py`); the command is run, then run again without the fault, as a person would. It is an
error if anything is doubled, lost or half-written after either, or if the second run doesn't complete the work.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import io
import json
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from unittest import mock

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "packages" / "offside-data" / "tests"))

from annotation_faults import run_all as run_annotation  # noqa: E402
from fault_outcomes import Outcome, ended  # noqa: E402
from hub_machine import CONTACT, machine, make_publishable  # noqa: E402
from loopback_hub import Fault, LoopbackHub  # noqa: E402

from offside_data.dataset.folder import open_dataset  # noqa: E402
from offside_data.fictional.league import make_league  # noqa: E402
from offside_data.hub.fetching import fetch  # noqa: E402
from offside_data.hub.publishing import publish  # noqa: E402

REPO = "org/league"
_ROOM = 2_048
"""Bytes that a file may have where the cache's disk is full."""
ALWAYS = 999
"""More often than anything is tried."""


@dataclass(frozen=True)
class Case:
    """A fault.

    Args:
        name: What goes wrong.
        command: What is run.
        faults: What is planted.
        ends: Whether the command ends well all the same.
        first: What is done before it, given the Hub.
        disk: Which of our own disks is full: that of the Hub's cache, or that of the folder.
        token: Another token than a valid one.
        pull: Whether a pull request is opened.
        stays: Whether the second run stops, too: a person must decide.
    """

    name: str
    command: Literal["publish", "fetch"]
    faults: tuple[Fault, ...] = ()
    ends: bool = True
    first: Callable[[LoopbackHub], Any] | None = None
    disk: Literal["", "cache", "folder"] = ""
    token: str | None = None
    pull: bool = False
    stays: bool = False


def _fault(method: str, path: str, kind: Any, **options: Any) -> tuple[Fault, ...]:
    return (Fault(method, path, kind, **options),)


def _tag_elsewhere(hub: LoopbackHub) -> None:
    repo = hub.create("dataset", REPO, private=True)
    repo.tags["v1.0.0"] = repo.branches["main"]


def _page_begun(hub: LoopbackHub) -> None:
    """Somebody wrote a page there, which publish reads through its cache."""
    hub.create("dataset", REPO, private=True).edit("README.md", "# Soon\n\n" + "Here.\n" * 1_000)


_LATER = {"Retry-After": "2"}
_COMMIT, _UPLOAD, _TAG, _PREUPLOAD = "/commit/", "^/upload/", "/tag/", "/preupload/"
_FILE = r"/resolve/.*retain-00000"
_EXPIRED = "hf_ThisTokenHasExpired0123456789"


def cases() -> list[Case]:
    """All of them."""
    put = [
        Case(
            "429 with Retry-After, twice",
            "publish",
            _fault("POST", _COMMIT, "status", status=429, times=2, headers=_LATER),
        ),
        Case(
            "429 that asks for an hour",
            "publish",
            _fault("POST", _COMMIT, "status", status=429, headers={"Retry-After": "3600"}),
            ends=False,
        ),
        Case("429 while uploading", "publish", _fault("PUT", _UPLOAD, "status", status=429, times=2, headers=_LATER)),
        Case("503 at the first look", "publish", _fault("GET", "/refs", "status", times=2)),
        Case("500 while uploading", "publish", _fault("PUT", _UPLOAD, "status", status=500, times=3)),
        Case("502 at the commit", "publish", _fault("POST", _COMMIT, "status", status=502, times=2)),
        Case("503 at the commit for good", "publish", _fault("POST", _COMMIT, "status", times=ALWAYS), ends=False),
        Case("503 at the tag for good", "publish", _fault("POST", _TAG, "status", times=ALWAYS), ends=False),
        Case("connection cut while uploading", "publish", _fault("PUT", _UPLOAD, "cut", times=2)),
        Case("connection cut at the commit", "publish", _fault("POST", _COMMIT, "cut")),
        Case("commit made, answer lost", "publish", _fault("POST", _COMMIT, "lost-answer")),
        Case("tag set, answer lost", "publish", _fault("POST", _TAG, "lost-answer")),
        Case("repository made, answer lost", "publish", _fault("POST", "/repos/create", "lost-answer")),
        Case("pull request opened, answer lost", "publish", _fault("POST", _COMMIT, "lost-answer"), pull=True),
        Case("slow answers", "publish", _fault("GET", "/tree/", "slow", times=ALWAYS)),
        Case("somebody commits before the upload (412)", "publish", _fault("POST", _PREUPLOAD, "conflict")),
        Case("somebody commits after the upload (412), twice", "publish", _fault("POST", _COMMIT, "conflict", times=2)),
        Case("the tag is set on something else", "publish", first=_tag_elsewhere, ends=False, stays=True),
        Case("the token has expired", "publish", token=_EXPIRED, ends=False),
        Case("the token expires at the commit", "publish", _fault("POST", _COMMIT, "status", status=401), ends=False),
        Case("no right to write", "publish", _fault("POST", _COMMIT, "status", status=403), ends=False),
        Case("the cache's disk is full", "publish", first=_page_begun, disk="cache", ends=False),
    ]
    get = [
        Case(
            "429 with Retry-After, twice",
            "fetch",
            _fault("GET", "/refs", "status", status=429, times=2, headers=_LATER),
        ),
        Case("503 for a file, twice", "fetch", _fault("GET", _FILE, "status", times=2)),
        Case("503 for good", "fetch", _fault("GET", "/refs", "status", times=ALWAYS), ends=False),
        Case("connection cut in a file", "fetch", _fault("GET", _FILE, "truncate", times=2)),
        Case("connection cut for good", "fetch", _fault("GET", _FILE, "truncate", times=ALWAYS), ends=False),
        Case("a slow body", "fetch", _fault("GET", _FILE, "slow", times=ALWAYS)),
        Case("a corrupted download", "fetch", _fault("GET", _FILE, "corrupt")),
        Case("corrupted for good", "fetch", _fault("GET", _FILE, "corrupt", times=ALWAYS), ends=False),
        Case("the token has expired", "fetch", token=_EXPIRED, ends=False),
        Case("the cache's disk is full", "fetch", disk="cache", ends=False),
        Case("the folder's disk is full", "fetch", disk="folder", ends=False),
    ]
    return [*put, *get]


def run_case(case: Case, released: Path, work: Path) -> Outcome:
    """Plant a fault, run the command, run it again."""
    waits: list[float] = []
    problems: list[str] = []
    with (
        LoopbackHub() as hub,
        mock.patch.object(time, "sleep", waits.append),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        if case.command == "fetch":
            with machine(hub, work / "publisher"):
                publish(released, REPO, contact=CONTACT)
        if case.first:
            case.first(hub)
        hub.faults += case.faults
        work_out = work / "out"
        told = {"token": case.token} if case.token else {}
        with machine(hub, work / "user", **told), _disk(case.disk):
            first, message = ended(lambda: _run(case, released, work_out))
        problems += _problems(case, hub, released, work_out, done=first == "finished")
        hub.faults.clear()
        with machine(hub, work / "user"):
            second, said = ended(lambda: _run(case, released, work_out))
            problems += _problems(case, hub, released, work_out, done=second == "finished")
        if (first == "finished") != case.ends:
            problems.append(f"the first run {first}: {message}")
        if (second == "finished") == case.stays:
            problems.append(f"the second run {second}: {said}")
    message = message.replace(str(work / "user"), "HOME").replace(str(work_out), "out")
    return Outcome(case.command, case.name, first, second, sum(waits), message, problems)


def _run(case: Case, released: Path, out: Path) -> None:
    if case.command == "publish":
        publish(released, REPO, contact=CONTACT, pull=case.pull)
    elif not out.exists():
        fetch(REPO, out)


@contextlib.contextmanager
def _disk(full: str) -> Iterator[None]:
    if not full:
        yield
        return
    if full == "cache":  # The system itself refuses: no file of ours may grow beyond this.
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return
    error = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch("shutil.copyfile", side_effect=error):
        yield


def _problems(case: Case, hub: LoopbackHub, released: Path, out: Path, *, done: bool) -> list[str]:
    """What is doubled, lost or half-written."""
    found = []
    if case.command == "fetch":
        if done and open_dataset(out).verify() != open_dataset(released).digest:
            found.append("what was fetched isn't what was released")
        if not done and out.exists():
            found.append(f"{sorted(path.name for path in out.iterdir())} is left of a fetch that stopped")
        return found
    repo = hub.repos.get(("dataset", REPO))
    if repo is None:
        return ["nothing was published"] if done else []
    ours = [commit for commit in repo.history() if commit.title == "Version 1.0.0"]
    if len(ours) > 1 or len(repo.pulls) > 1:
        found.append(f"{len(ours)} commits and {len(repo.pulls)} pull requests of one version")
    holds = {name for name in repo.files() if name.endswith(".parquet")}
    if holds and not ours:
        found.append("files without our commit")
    if done and not case.pull and (len(ours) != 1 or set(repo.tags) != {"v1.0.0"}):
        found.append(f"{len(ours)} commits, tags {sorted(repo.tags)}")
    notes = [commit for commit in repo.history() if commit.title.startswith("Update notes")]
    if notes and "notes.txt" not in repo.files():
        found.append("somebody else's commit is lost")
    return found


def run_all(only: str = "") -> Iterator[Outcome]:
    """Run the cases, those whose name holds `only`."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        make_league(work / "league", subjects=4, general=1, utility=1)
        released = make_publishable(work / "league", work / "released")
        for number, case in enumerate(cases()):
            if only in case.name:
                yield run_case(case, released, work / str(number))
                shutil.rmtree(work / str(number), ignore_errors=True)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="Cases whose name holds this.")
    parser.add_argument("--service", choices=["hub", "annotation"], help="Only of one; default: of both.")
    parser.add_argument("--json", action="store_true", help="Print JSON, a line a case.")
    asked = parser.parse_args()
    services = {"hub": run_all, "annotation": run_annotation}
    return max(_print(run(asked.only), asked.json) for name, run in services.items() if asked.service in (None, name))


def _print(outcomes: Iterator[Outcome], as_json: bool) -> int:
    """Print one table; 1 if something is amiss."""
    bad = 0
    if not as_json:
        print("| command | what goes wrong | first run | waits (s) | second run |\n| --- | --- | --- | ---: | --- |")
    for outcome in outcomes:
        bad += bool(outcome.problems)
        if as_json:
            print(json.dumps(dataclasses.asdict(outcome)), flush=True)
            continue
        first = outcome.first if not outcome.message else f"stopped: {outcome.message.splitlines()[0]}"
        first = re.sub(r"http://127\.0\.0\.1(:\d+)?", "http://SERVER", first.replace("|", "\\|"))
        print(
            f"| {outcome.command} | {outcome.fault} | {first} | {outcome.waited:.0f} | {outcome.second} |", flush=True
        )
        for problem in outcome.problems:
            print(f"|  | **{problem}** | | | |", flush=True)
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
