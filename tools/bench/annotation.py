"""How long it takes to push 5,000 tasks to a real Label Studio server, to pull them annotated, and to pull again.

    python tools/bench/annotation.py --tasks 5000

Installs the server once (see `tools/annotation_server.py`) and runs it on loopback with SQLite. The annotations, one a
task, are put in by the server's own import, which isn't measured. Printed are wall seconds, and the CPU seconds of us
and of the server: on a busy machine these say more. `pull again` exports all tasks again, for they were touched in the
last minutes; `pull later` has nothing to export.
"""

from __future__ import annotations

import argparse
import datetime
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from annotation_server import NotInstallable, RunningServer, running

from offside_data.annotation import exports
from offside_data.annotation.interface import result_of
from offside_data.annotation.project import AnnotationProject, find_project
from offside_data.annotation.pull import pull
from offside_data.annotation.push import PushOptions, push
from offside_data.annotation.server import AnnotationServer
from offside_data.dataset.folder import open_dataset
from offside_data.fictional import make_league
from offside_data.files import write_json
from offside_data.progress import log

AIMS = {"push": 30.0, "pull": 15.0}
"""Seconds, on two cores that are free, for 5,000 tasks."""
RECORDS_PER_SUBJECT = 130
"""About subjects, at least, in a league."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=5_000, help="About so many; what was sent is printed.")
    parser.add_argument("--json", type=Path, help="Also write the figures here.")
    options = parser.parse_args()
    try:
        with running() as server, tempfile.TemporaryDirectory() as place:
            os.environ |= {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
            figures = measure(server, Path(place) / "league", options.tasks)
    except NotInstallable as why:
        raise SystemExit(str(why)) from why
    print(f"\n{'step':<12}{'tasks':>8}{'wall s':>9}{'our CPU s':>11}{'server CPU s':>14}{'aim s':>8}")
    for step, (tasks, wall, ours, theirs) in figures.items():
        print(f"{step:<12}{tasks:>8,}{wall:>9.1f}{ours:>11.1f}{theirs:>14.1f}{AIMS.get(step, ''):>8}")
    if options.json is not None:
        write_json(options.json, figures)


def measure(server: RunningServer, folder: Path, tasks: int) -> dict[str, tuple[int, float, float, float]]:
    """Tasks, wall seconds, our and the server's CPU seconds of each step."""
    make_league(folder, subjects=max(4, -(-tasks // RECORDS_PER_SUBJECT)))
    name = open_dataset(folder).name
    admin, figures = AnnotationServer(server.url, server.token), {}

    def step(label: str, work: Callable[[], int]) -> None:
        begin, ours, theirs = time.perf_counter(), _own_cpu(), server.cpu_seconds()
        count = work()
        figures[label] = (count, time.perf_counter() - begin, _own_cpu() - ours, server.cpu_seconds() - theirs)
        log(f"{label}: {figures[label][1]:.1f} s")

    step("push", lambda: push(folder, PushOptions()).sent)
    step("push again", lambda: push(folder, PushOptions()).there)
    project = find_project(admin, name)
    assert project is not None
    _annotate(admin, project)
    step("pull", lambda: pull(folder).new)
    # From the next pull on as if the last annotations weren't just made: such are exported again.
    exports._OVERLAP = datetime.timedelta(0)
    step("pull again", lambda: pull(folder).tasks)
    step("pull later", lambda: pull(folder).tasks)
    return figures


def _annotate(admin: AnnotationServer, project: AnnotationProject) -> None:
    """Put the same tasks in again, each with an annotation, in place of the bare ones: one by one takes an hour."""
    told = list(admin.pages("/api/tasks", "tasks", project=project.number, fields="task_only", include="id,data,meta"))
    admin.post(
        f"/api/dm/actions?id=delete_tasks&project={project.number}", {"selectedItems": {"all": True, "excluded": []}}
    )
    said: list[dict[str, Any]] = [result_of("veracity", ["fact"]), result_of("scope", ["shared"])]
    annotated = [
        {"data": t["data"], "meta": t["meta"], "annotations": [{"result": said, "completed_by": 1}]} for t in told
    ]
    for start in range(0, len(annotated), 500):
        admin.post(f"{project.path}/import", annotated[start : start + 500])
        log(f"annotated {min(start + 500, len(annotated)):,} of {len(annotated):,}")


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
