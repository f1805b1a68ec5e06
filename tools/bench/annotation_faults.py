"""What `annotate push` and `annotate pull` do when server, network or disk fail: cases of `hub_faults.py`.

The server is the tests' stand-in for Label Studio (`packages/offside-data/tests/annotation/fake_label_studio.py`),
behind a proxy that cuts and refuses.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from unittest import mock

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "packages" / "offside-data" / "tests" / "annotation"))

from fake_label_studio import PERSONAL, TOKEN, FakeLabelStudio  # noqa: E402
from fault_outcomes import Outcome, ended  # noqa: E402
from faulty_proxy import FaultyProxy  # noqa: E402

from offside_data.annotation import project  # noqa: E402
from offside_data.annotation.answers import judgements_of  # noqa: E402
from offside_data.annotation.interface import label_config, result_of  # noqa: E402
from offside_data.annotation.project import mark_of  # noqa: E402
from offside_data.annotation.pull import pull  # noqa: E402
from offside_data.annotation.push import PushOptions, push  # noqa: E402
from offside_data.dataset.folder import open_dataset  # noqa: E402
from offside_data.fictional.league import make_league  # noqa: E402

WHERE = ("split=forget", "config=multimodal", "attribute=club")
_ALWAYS = 30
_IMPORT, _EXPORTS, _DOWNLOAD = r"POST /api/projects/\d+/import", r"POST .*/exports/", "GET .*/download"
_EXPIRED = "f" * 40
_PROGRAM = """
import sys
from offside_data.annotation import project
from offside_data.annotation.pull import pull
from offside_data.annotation.push import PushOptions, push
project._BATCH = 1
push(sys.argv[2], PushOptions(where=tuple(sys.argv[3:]))) if sys.argv[1] == "push" else pull(sys.argv[2])
"""


@dataclass
class Place:
    """What a case is played with.

    Args:
        studio: The server.
        proxy: What can fail in front of it; the command speaks with it.
        folder: The dataset.
        environment: Of the command.
    """

    studio: FakeLabelStudio
    proxy: FaultyProxy
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> None:
        """Run a command, as a person would."""
        if command == "push":
            push(self.folder, PushOptions(where=WHERE))
        else:
            pull(self.folder)

    def killed(self, command: str, pattern: str, times: int) -> None:
        """Run it in a process of its own that is killed (`kill -9`) at a request."""
        words = [sys.executable, "-c", _PROGRAM, command, str(self.folder), *WHERE]
        process = subprocess.Popen(words, env=dict(os.environ), stderr=subprocess.DEVNULL)
        seen: list[str] = []

        def kill(request: str) -> None:
            seen.extend([request] if re.search(pattern, request) else [])
            if len(seen) == times:
                process.kill()

        self.proxy.on_request = kill
        if process.wait() != -9:
            raise RuntimeError(f"{command} ended before it was killed")
        raise KilledError("(killed)")


class KilledError(OSError):
    """The command was killed, as it should be."""


@dataclass(frozen=True)
class Case:
    """A fault.

    Args:
        name: What goes wrong.
        command: What is run.
        plant: How it is planted.
        ends: Whether the command ends well all the same.
        stays: Whether the second run stops, too: a person must decide.
        run: Instead of the command.
    """

    name: str
    command: Literal["push", "pull"]
    plant: Callable[[Place], Any] = lambda place: None
    ends: bool = True
    stays: bool = False
    run: Callable[[Place], None] | None = None


def _fails(pattern: str, *faults: Any, said: bytes = b"", wait: str = "0") -> Callable[[Place], None]:
    def plant(place: Place) -> None:
        place.proxy.retry_after = wait
        place.proxy.fail(pattern, *faults, said=said)

    return plant


def _server(**state: Any) -> Callable[[Place], None]:
    return lambda place: vars(place.studio).update(state)


def _at(pattern: str, work: Callable[[Place], Any]) -> Callable[[Place], None]:
    """Something happens, once, at the first request of a pattern."""

    def plant(place: Place) -> None:
        waiting = [pattern]

        def on_request(request: str) -> None:
            if waiting and re.search(waiting[0], request):
                waiting.clear()
                work(place)

        place.proxy.on_request = on_request

    return plant


def _token(token: str) -> Callable[[Place], None]:
    return lambda place: place.environment.update(LABEL_STUDIO_API_KEY=token)


def _access_expires(place: Place) -> None:
    _token(PERSONAL)(place)
    _at(_IMPORT, lambda place: place.studio.access.clear())(place)


def _other_project(place: Place) -> None:
    dataset = open_dataset(place.folder)
    config = label_config(dataset.taxonomy)
    place.studio.add_project(title="the other's", description=mark_of(dataset.name), label_config=config)


def _other_push(place: Place) -> None:
    push(place.folder, PushOptions(where=WHERE), url=place.studio.url)


def _by_hand(place: Place) -> None:
    _other_push(place)
    (made,) = place.studio.projects.values()
    made["label_config"] = "<View><Text name='claim' value='$claim'/></View>"


def _dies(place: Place) -> None:
    """From here on every connection is cut; the server is back for the second run."""
    place.proxy.fail(".", *["cut before"] * _ALWAYS)


def _full(name: str) -> Callable[[Place], None]:
    def run(place: Place) -> None:
        with mock.patch(name, side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))):
            place.run("pull")

    return run


def cases() -> list[Case]:
    """All of them."""
    html = b"<html>Welcome to nginx!</html>"
    sending = [
        Case("connection cut before tasks arrive", "push", _fails(_IMPORT, "cut before")),
        Case("tasks arrived, answer lost", "push", _fails(_IMPORT, "cut after")),
        Case("project made, answer lost", "push", _fails("POST /api/projects/$", "cut after")),
        Case("connection cut for good", "push", _fails(_IMPORT, *["cut before"] * _ALWAYS), ends=False),
        Case("429 with Retry-After, twice", "push", _fails(_IMPORT, 429, 429, wait="2")),
        Case("429 that asks for an hour", "push", _fails(_IMPORT, 429, wait="3600"), ends=False),
        Case("503 while sending, twice", "push", _fails(_IMPORT, 503, 503)),
        Case("503 for good", "push", _fails(_IMPORT, *[503] * _ALWAYS), ends=False),
        Case("500 while sending", "push", _fails(_IMPORT, 500), ends=False),
        Case("import answered by its number only", "push", _server(background=True)),
        Case("import answered, never finished", "push", _server(stuck=True), ends=False),
        Case("import fails in the background", "push", _server(failing=True), ends=False),
        Case("the server loses some tasks", "push", _server(dropping=2)),
        Case("the server dies", "push", _at(_IMPORT, _dies), ends=False),
        Case("killed between two batches", "push", ends=False, run=lambda place: place.killed("push", _IMPORT, 3)),
        Case("a second push makes the project", "push", _at("POST /api/projects/$", _other_project)),
        Case("a second push sends the same tasks", "push", _at(_IMPORT, _other_push)),
        Case("a second push killed before it looked", "push", _at(_IMPORT, _doubles)),
        Case("the token has expired", "push", _token(_EXPIRED), ends=False),
        Case("the token expires while sending", "push", _fails(_IMPORT, 401), ends=False),
        Case("a personal token's access expires", "push", _access_expires),
        Case("no right to send", "push", _fails(_IMPORT, 403), ends=False),
        Case("a person changed the interface", "push", _by_hand, ends=False, stays=True),
        Case("another server at the address", "push", _fails("GET", *[200] * _ALWAYS, said=html), ends=False),
    ]
    fetching = [
        Case("429 with Retry-After, twice", "pull", _fails(_DOWNLOAD, 429, 429, wait="2")),
        Case("503 for good", "pull", _fails(_DOWNLOAD, *[503] * _ALWAYS), ends=False),
        Case("connection cut in the download", "pull", _fails(_DOWNLOAD, "cut within", "cut within")),
        Case("connection cut for good", "pull", _fails(_DOWNLOAD, *["cut within"] * _ALWAYS), ends=False),
        Case("snapshot asked for, answer lost", "pull", _fails(_EXPORTS, "cut after"), ends=False),
        Case("snapshot never finished", "pull", _server(stuck=True), ends=False),
        Case("snapshot gone", "pull", _at(_DOWNLOAD, lambda place: place.studio.exports.clear()), ends=False),
        Case("the server dies", "pull", _at(_DOWNLOAD, _dies), ends=False),
        Case("killed in the download", "pull", ends=False, run=lambda place: place.killed("pull", _DOWNLOAD, 1)),
        Case(
            "a second pull comes first", "pull", _at(_DOWNLOAD, lambda place: pull(place.folder, url=place.studio.url))
        ),
        Case("the token has expired", "pull", _token(_EXPIRED), ends=False),
        Case("the disk is full at once", "pull", ends=False, run=_full("offside_data.annotation.pull.write_json")),
        Case("the disk is full at the end", "pull", ends=False, run=_full("offside_data.annotation.pull.save_undo")),
    ]
    return [*sending, *fetching]


def _doubles(place: Place) -> None:
    """The same tasks are there already when ours arrive, after we looked."""
    _other_push(place)
    (number,) = place.studio.projects
    copies = [{"data": t["data"], "meta": t["meta"]} for t in place.studio.tasks.values()]
    place.studio.add_tasks(number, copies)


class _Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.slept, self._begin = 0.0, time.monotonic()

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def now(self) -> float:
        return self._begin + self.slept


def run_case(case: Case, source: Path, folder: Path) -> Outcome:
    """Plant a fault, run the command, run it again."""
    shutil.copytree(source, folder)
    studio, clock = FakeLabelStudio(), _Clock()
    place = Place(studio, FaultyProxy(studio.url), folder)
    place.environment |= {"LABEL_STUDIO_URL": place.proxy.url, "LABEL_STUDIO_API_KEY": TOKEN}
    problems: list[str] = []
    with contextlib.redirect_stderr(io.StringIO()), mock.patch.object(time, "sleep", clock.sleep):
        with mock.patch.dict(os.environ, place.environment):
            if case.command == "pull":
                _other_push(place)
                _annotated(studio)
            case.plant(place)
        with (
            mock.patch.dict(os.environ, place.environment),
            mock.patch.object(time, "monotonic", clock.now),
            mock.patch.object(project, "_POLL", 30.0 if studio.stuck else 0.5),
        ):
            first, told = ended(lambda: case.run(place) if case.run else place.run(case.command))
            waited = clock.slept
        problems += _problems(case, place, done=first == "finished")
        place.proxy.close()
        place.proxy = FaultyProxy(studio.url)
        studio.stuck = studio.failing = studio.background = False
        again = {"LABEL_STUDIO_URL": place.proxy.url, "LABEL_STUDIO_API_KEY": TOKEN}
        with mock.patch.dict(os.environ, again):
            second, said = ended(lambda: place.run(case.command))
        problems += _problems(case, place, done=second == "finished")
        place.proxy.close()
    studio.close()
    if (first == "finished") != case.ends:
        problems.append(f"the first run {first}: {told}")
    if (second == "finished") == case.stays:
        problems.append(f"the second run {second}: {said}")
    return Outcome(case.command, case.name, first, second, waited, told.replace(str(folder), "DATASET"), problems)


def _annotated(studio: FakeLabelStudio) -> None:
    for task in studio.tasks:
        for user in (2, 3):
            studio.annotate(task, user, [result_of("veracity", ["fact"]), result_of("scope", ["shared"])])


def _problems(case: Case, place: Place, *, done: bool) -> list[str]:
    """What is doubled, lost or half-written."""
    found = []
    dataset = open_dataset(place.folder)
    dataset.verify()
    counts = Counter(task["meta"]["offside_key"] for task in place.studio.tasks.values())
    if done and max(counts.values(), default=0) > 1:
        found.append(f"{sum(counts.values()) - len(counts)} tasks are there twice")
    if done and len(place.studio.projects) != 1:
        found.append(f"{len(place.studio.projects)} projects")
    records = list(dataset.iter_records())
    wanted = sum((r.split, r.attribute, r.image is not None) == ("forget", "club", True) for r in records)
    if done and len(counts) != wanted:
        found.append(f"{len(counts)} of {wanted} tasks are there")
    if case.command == "pull":
        told = [
            said.id
            for r in records
            for said in judgements_of([{n: getattr(a, n) for n in ("annotator", "value", "at")} for a in r.annotations])
        ]
        if len(set(told)) != len(told) or len(told) not in ((2 * wanted,) if done else (0, 2 * wanted)):
            found.append(f"{len(set(told))} of {2 * wanted} annotations came, {len(told) - len(set(told))} twice")
    return found


def run_all(only: str = "") -> Iterator[Outcome]:
    """Run the cases, those whose name holds `only`."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        make_league(work / "league", subjects=4, general=1, utility=1)
        for number, case in enumerate(cases()):
            if only in case.name:
                yield run_case(case, work / "league", work / str(number))
                shutil.rmtree(work / str(number), ignore_errors=True)
