"""What is deleted on the server after a pull: annotations stay as withdrawn ones, and count no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_label_studio import FakeLabelStudio
from test_pull import annotated as annotated
from test_pull import judged

from offside_data.annotation.agreement import agreement
from offside_data.annotation.pull import pull, pull_from_file
from offside_data.annotation.withdrawn import seen_tasks
from offside_data.dataset.folder import open_dataset
from offside_data.dataset.undo import undo


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is exported again only because it is recent."""
    monkeypatch.setattr("offside_data.annotation.exports._OVERLAP", __import__("datetime").timedelta(0))


def withdrawn(folder: Path) -> list[str]:
    return sorted(said.annotator for found in judged(folder).values() for said in found if said.withdrawn)


@pytest.mark.parametrize("quietly", [False, True])
@pytest.mark.parametrize("everything", [False, True])
def test_a_deleted_annotation_stays_and_counts_no_more(
    annotated: Path, studio: FakeLabelStudio, quietly: bool, everything: bool
) -> None:
    pull(annotated)
    task = min(studio.tasks)
    studio.unannotate(task, studio.tasks[task]["annotations"][2]["id"], quietly=quietly)
    report = pull(annotated, everything=everything)
    assert (report.withdrawn, report.new, report.deleted) == (1, 0, 0)
    assert withdrawn(annotated) == ["a3"]
    assert sum(map(len, judged(annotated).values())) == 24
    assert pull(annotated, everything=everything).withdrawn == 0
    assert report.decision is not None
    undo(annotated, report.decision["id"])
    assert withdrawn(annotated) == []


def test_what_is_withdrawn_is_in_no_figure(annotated: Path, studio: FakeLabelStudio) -> None:
    pull(annotated)
    before = agreement(annotated).annotators
    task = max(studio.tasks)
    studio.unannotate(task, studio.tasks[task]["annotations"][2]["id"])
    pull(annotated)
    assert agreement(annotated).annotators == {**before, "a3": before["a3"] - 1}


@pytest.mark.parametrize("quietly", [False, True])
def test_a_task_that_lost_all_its_annotations(annotated: Path, studio: FakeLabelStudio, quietly: bool) -> None:
    pull(annotated)
    task = min(studio.tasks)
    for said in list(studio.tasks[task]["annotations"]):
        studio.unannotate(task, said["id"], quietly=quietly)
    assert pull(annotated, everything=quietly).withdrawn == 3
    assert withdrawn(annotated) == ["a1", "a2", "a3"]


def test_annotations_of_deleted_tasks_count_until_somebody_says_otherwise(
    annotated: Path, studio: FakeLabelStudio
) -> None:
    pull(annotated)
    del studio.tasks[max(studio.tasks)]
    for _ in range(2):
        report = pull(annotated)
        assert (report.withdrawn, report.deleted) == (0, 3)
        assert "3 annotations are of 1 tasks" in report.remarks[0]
        assert "--withdraw-deleted" in report.remarks[0]
    assert withdrawn(annotated) == []
    assert pull(annotated, withdraw_deleted=True).withdrawn == 3
    assert withdrawn(annotated) == ["a1", "a2", "a3"]
    assert pull(annotated).deleted == 0


def listings(studio: FakeLabelStudio) -> int:
    """How often all tasks were listed since this was asked last."""
    count = studio.asked.count("GET /api/tasks")
    studio.asked.clear()
    return count


def test_tasks_are_listed_only_where_something_is_missing(
    annotated: Path, studio: FakeLabelStudio, results: Any
) -> None:
    (project,) = studio.projects
    others = studio.add_tasks(project, [{"data": {"image": "x"}}, {"data": {"image": "y"}}])
    studio.annotate(others[0], 2, results(veracity="fact"))
    listings(studio)
    pull(annotated)
    studio.annotate(others[1], 3, [], was_cancelled=True)
    pull(annotated)
    pull(annotated)
    assert listings(studio) == 0
    # One went unseen, another came: as many as before, and yet one is missing.
    first, *_, last = sorted(studio.tasks)
    studio.unannotate(first, studio.tasks[first]["annotations"][0]["id"], quietly=True)
    studio.annotate(last, 4, results(veracity="fact"))
    assert pull(annotated).withdrawn == 1
    assert listings(studio) == 1
    del studio.tasks[others[0]]
    assert (pull(annotated).deleted, listings(studio)) == (0, 1)
    del studio.tasks[first]
    assert (pull(annotated).deleted, listings(studio)) == (2, 1)
    assert (pull(annotated).deleted, listings(studio)) == (2, 0)  # Once it is known, it needs no look.
    assert pull(annotated, withdraw_deleted=True).withdrawn == 2


@pytest.mark.parametrize("left", [None, "[]", '{"A": {"1": "x"}}', '{"A": []}', "{}"])
def test_without_a_count_tasks_are_listed(annotated: Path, studio: FakeLabelStudio, left: str | None) -> None:
    pull(annotated)
    place = annotated / ".offside/annotation/counts.json"
    (address,) = json.loads(place.read_text(encoding="utf-8"))
    place.unlink() if left is None else place.write_text(left.replace("A", address), encoding="utf-8")
    del studio.tasks[min(studio.tasks)]
    listings(studio)
    assert (pull(annotated).deleted, listings(studio)) == (3, 1)
    assert (pull(annotated).deleted, listings(studio)) == (3, 0)


def test_a_snapshot_of_a_killed_pull_is_counted(
    annotated: Path, studio: FakeLabelStudio, results: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(annotated)
    first, *_, last = sorted(studio.tasks)
    studio.annotate(last, 1, results(veracity="fact"))
    with monkeypatch.context() as patched:
        patched.setattr("offside_data.annotation.pull.present", _killed)
        with pytest.raises(KeyboardInterrupt):
            pull(annotated)
    studio.unannotate(first, studio.tasks[first]["annotations"][0]["id"], quietly=True)
    assert pull(annotated).withdrawn == 1


def _killed(*args: Any, **options: Any) -> None:
    raise KeyboardInterrupt


def test_an_annotation_that_is_there_again_counts_again(
    annotated: Path, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    pull(annotated)
    task = max(studio.tasks)
    old = tmp_path / "old.json"
    old.write_text(json.dumps(list(studio.tasks.values())), encoding="utf-8")
    last = studio.tasks[task]["annotations"][-1]
    studio.unannotate(task, last["id"])
    assert pull(annotated).withdrawn == 1
    # An export from before brings nothing back; the server does.
    pull_from_file(annotated, old)
    assert len(withdrawn(annotated)) == 1
    studio.tasks[task]["annotations"].append(last)
    assert pull(annotated, everything=True).new == 1
    assert withdrawn(annotated) == []


def test_an_older_export_takes_no_newer_answer_back(
    annotated: Path, studio: FakeLabelStudio, results: Any, tmp_path: Path
) -> None:
    old = tmp_path / "old.json"
    old.write_text(json.dumps(list(studio.tasks.values())), encoding="utf-8")
    task = studio.tasks[max(studio.tasks)]
    for thing in (task, task["annotations"][0]):
        thing["updated_at"] = "2099-01-01T00:00:00Z"
    task["annotations"][0]["result"] = results(veracity="correction")
    pull(annotated)
    assert pull_from_file(annotated, old).new == 0
    # The same annotation twice in one file: what is newer stands, wherever it stands.
    twice = tmp_path / "twice.json"
    twice.write_text(json.dumps([*studio.tasks.values(), *json.loads(old.read_text(encoding="utf-8"))]))
    assert pull_from_file(annotated, twice).new == 0
    assert "correction" in {said.answers.get("veracity") for said in judged(annotated)[task["data"]["record_id"]]}


def test_a_user_whom_the_server_has_no_more_keeps_the_pseudonym(annotated: Path, studio: FakeLabelStudio) -> None:
    pull(annotated)
    for task in studio.tasks.values():
        task["annotations"][2]["completed_by"] = None
    report = pull(annotated, everything=True)
    assert report.new == 0
    assert {said.annotator for found in judged(annotated).values() for said in found} == {"a1", "a2", "a3"}


def test_killed_at_any_move_it_is_all_or_nothing(
    annotated: Path, studio: FakeLabelStudio, killed_at: Callable[[int, Callable[[], Any]], bool]
) -> None:
    pull(annotated)
    for task in studio.tasks:
        studio.unannotate(task, studio.tasks[task]["annotations"][0]["id"])
    moves = 0
    while killed_at(moves, lambda: pull(annotated)):
        moves += 1
        assert len(withdrawn(annotated)) in (0, 8)
    assert moves > 3
    assert len(withdrawn(annotated)) == 8
    open_dataset(annotated).verify()


def test_what_is_remembered_may_be_damaged() -> None:
    told = {"1": {"record": "r", "annotations": {"x": 5}}, "x": {}, "2": [], "3": {"record": 1, "annotations": {}}}
    assert seen_tasks(told) == {"1": {"record": "r", "annotations": {"x": 5}}}
    assert seen_tasks([1]) == seen_tasks(None) == {}
