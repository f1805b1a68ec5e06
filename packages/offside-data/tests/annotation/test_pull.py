"""Pull: every annotation lands in its record, once, under a pseudonym; names stay in the key file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_label_studio import USERS, FakeLabelStudio

from offside_data.annotation.agreement import agreement
from offside_data.annotation.answers import RecordJudgement, judgements_of
from offside_data.annotation.pull import PullReport, pull, pull_from_file
from offside_data.annotation.push import PushOptions, push
from offside_data.check import check_dataset
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.undo import undo
from offside_data.edit import edit_rows
from offside_data.errors import UsageError
from offside_data.release.releasing import make_release

FORGET = PushOptions(where=("split=forget", "config=multimodal"))


def judged(folder: Path) -> dict[str, list[RecordJudgement]]:
    records = open_dataset(folder).iter_records()
    found = {r.record_id: judgements_of([vars_of(a) for a in r.annotations]) for r in records}
    return {name: said for name, said in found.items() if said}


def vars_of(annotation: Any) -> dict[str, str]:
    return {name: getattr(annotation, name) for name in ("annotator", "value", "at")}


@pytest.fixture
def annotated(studio: FakeLabelStudio, fresh: OffsideDataset, results: Any) -> Path:
    """Eight tasks; three annotators judged each, the second skipped the first one."""
    push(fresh.path, FORGET)
    for place, task in enumerate(sorted(studio.tasks)):
        for user in (2, 3, 4):
            skipped = place == 0 and user == 3
            told = [] if skipped else results(veracity="fact" if place % 2 else "rumor", scope="shared")
            studio.annotate(task, user, told, was_cancelled=skipped)
    return fresh.path


def counts(report: PullReport) -> tuple[int, int, int, int, int]:
    return report.tasks, report.annotations, report.skipped, report.new, report.records


def test_what_was_said_of_a_text_that_somebody_changed_does_not_count(annotated: Path, studio: FakeLabelStudio) -> None:
    first, second, *_ = (studio.tasks[number]["data"] for number in sorted(studio.tasks))
    first["claim"] = "Something else entirely."
    second["note"] = "by hand"  # What nobody is asked about.
    report = pull(annotated)
    assert [told for told in report.remarks if "changed on the server" in told] == [
        f"record {first['record_id']}: the texts of task {min(studio.tasks)} were changed on the server; what was said "
        "of them is kept, not counted."
    ]
    assert report.new == 24
    assert len(judged(annotated)[first["record_id"]]) == 3
    figures = agreement(annotated)
    assert (figures.records, figures.outdated) == (7, 3)
    assert pull(annotated).new == 0


def test_every_annotation_lands_once(annotated: Path, studio: FakeLabelStudio) -> None:
    report = pull(annotated)
    assert counts(report) == (8, 24, 1, 24, 8)
    assert report.annotators == ("a1", "a2", "a3")
    found = judged(annotated)
    assert len(found) == 8
    assert all([said.annotator for said in judgements] == ["a1", "a2", "a3"] for judgements in found.values())
    (skipped,) = (said for judgements in found.values() for said in judgements if said.skipped)
    assert (skipped.annotator, skipped.answers) == ("a2", {})
    assert studio.exports == {}
    assert studio.views == {}
    before = (annotated / "decisions.jsonl").read_bytes()
    assert pull(annotated).new == 0
    assert (annotated / "decisions.jsonl").read_bytes() == before
    assert [i for i in check_dataset(open_dataset(annotated)) if i.severity == "error"] == []


def test_only_what_is_new_is_asked_for(
    annotated: Path, studio: FakeLabelStudio, results: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offside_data.annotation.exports._OVERLAP", __import__("datetime").timedelta(0))
    pull(annotated)
    task = max(studio.tasks)
    studio.annotate(task, 1, results(veracity="fact"))
    assert counts(pull(annotated)) == (1, 4, 0, 1, 1)
    # A corrected annotation replaces what it was.
    studio.tasks[task]["annotations"][0].update(
        result=results(veracity="correction"), updated_at="2099-01-01T00:00:00Z"
    )
    studio.tasks[task]["updated_at"] = "2099-01-01T00:00:00Z"
    assert counts(pull(annotated)) == (1, 4, 0, 1, 1)
    assert counts(pull(annotated, everything=True)) == (8, 25, 1, 0, 0)


def test_undo_takes_annotations_back_and_all_brings_them_again(annotated: Path) -> None:
    digest = open_dataset(annotated).digest
    report = pull(annotated)
    assert report.decision is not None
    assert open_dataset(annotated).digest != digest
    undo(annotated, report.decision["id"])
    assert open_dataset(annotated).digest == digest
    assert judged(annotated) == {}
    assert pull(annotated, everything=True).new == 24


def test_names_stay_in_the_key_file(
    annotated: Path, studio: FakeLabelStudio, results: Any, plain_croissant: None
) -> None:
    told = results(veracity="fact", comment="Bruno Tester is wrong, ask bruno@example.com or Dora")
    studio.annotate(min(studio.tasks), 4, told)
    pull(annotated)
    make_release(annotated, bump="major", note="Annotated.")
    key = annotated / ".offside/annotation/annotators.json"
    assert os.stat(key).st_mode & 0o077 == 0
    assert json.loads(key.read_text(encoding="utf-8"))["annotators"]["a1"]["email"] == USERS[1]["email"]
    names = [user["email"].encode() for user in USERS] + [b"Bruno", b"Tester"]
    holding = [
        path.relative_to(annotated).as_posix()
        for path in annotated.rglob("*")
        if path.is_file() and any(name in path.read_bytes() for name in names)
    ]
    assert holding == [".offside/annotation/annotators.json"]
    (said,) = [j for found in judged(annotated).values() for j in found if "comment" in j.answers]
    assert said.answers["comment"] == "a1 is wrong, ask a1 or Dora"


def test_what_does_not_fit_is_told(annotated: Path, studio: FakeLabelStudio, results: Any) -> None:
    (project,) = studio.projects
    (foreign,) = studio.add_tasks(project, [{"data": {"image": "x"}}])
    studio.annotate(foreign, 2, results(veracity="fact"))
    (gone,) = studio.add_tasks(project, [{"data": {"dataset": "small", "key": "r0:h"}}])
    studio.annotate(gone, 2, results(veracity="fact"))
    first = min(studio.tasks)
    odd = [{"from_name": "veracity", "to_name": "claim", "type": "choices", "value": {"choices": ["maybe"]}}]
    studio.annotate(first, 1, odd + results(scope="private"))
    report = pull(annotated)
    assert report.foreign == 1
    assert sorted(remark.split(":")[0] for remark in report.remarks) == [
        f"record {studio.tasks[first]['data']['record_id']}",
        f"task {gone}",
    ]
    (said,) = (j for found in judged(annotated).values() for j in found if j.unknown)
    assert (said.answers, said.unknown) == ({"scope": "private"}, {"veracity": ["maybe"]})


def test_annotations_of_an_earlier_state_of_a_record_keep_its_hash(annotated: Path, studio: FakeLabelStudio) -> None:
    name = studio.tasks[min(studio.tasks)]["data"]["record_id"]
    edit_rows(annotated, [{"record_id": name, "question": "Which one?"}], reason="x")
    pull(annotated)
    assert {said.shown for said in judged(annotated)[name]} == {
        studio.tasks[min(studio.tasks)]["data"]["key"].split(":")[1]
    }


def test_from_a_file(annotated: Path, studio: FakeLabelStudio, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    tasks = json.loads(json.dumps(list(studio.tasks.values())))
    for task in tasks:  # As the file export of some versions has it: who, with everything.
        for said in task["annotations"]:
            said["completed_by"] = next(user for user in USERS if user["id"] == said["completed_by"])
    file.write_text(json.dumps(tasks), encoding="utf-8")
    assert counts(pull_from_file(annotated, file)) == (8, 24, 1, 24, 8)
    # The same people, told by their addresses, and the same annotations, by their ids.
    report = pull(annotated)
    assert (report.new, report.annotators) == (0, ("a1", "a2", "a3"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "not JSON"),
        ("{}", "must be a list of tasks"),
        ("[1]", "must be a list of tasks"),
        (b"[]\xe9", r"not text in UTF-8 \(byte 3\)"),
        ("[]".encode("utf-16"), r"not text in UTF-8 \(UTF-16\)"),
        (" \n", "is empty"),
        ("[" * 10_000 + "]" * 10_000, "nested too deep"),
    ],
)
def test_a_file_that_is_no_export(fresh: OffsideDataset, tmp_path: Path, content: str | bytes, message: str) -> None:
    file = tmp_path / "export.json"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UsageError, match=message):
        pull_from_file(fresh.path, file)
    with pytest.raises(UsageError, match="can't be read"):
        pull_from_file(fresh.path, tmp_path / "none.json")


def test_a_pull_before_any_push(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    with pytest.raises(UsageError, match="no project of the dataset small"):
        pull(fresh.path)


def test_killed_at_any_move_it_is_all_or_nothing(
    annotated: Path, killed_at: Callable[[int, Callable[[], Any]], bool]
) -> None:
    digest, moves = open_dataset(annotated).digest, 0
    while killed_at(moves, lambda: pull(annotated)):
        moves += 1
        found = judged(annotated)
        assert len(found) in (0, 8)
        assert (open_dataset(annotated).digest == digest) == (not found)
        assert sum(len(said) for said in found.values()) in (0, 24)
    assert moves > 3
    assert sum(len(said) for said in judged(annotated).values()) == 24


def test_people_who_are_met_later_are_not_named_before(annotated: Path, studio: FakeLabelStudio, results: Any) -> None:
    """A comment names somebody whose annotation stands further down, and somebody who makes none."""
    first = studio.tasks[min(studio.tasks)]
    first["annotations"][0]["result"] += results(comment="Dora Tester and Ana Curator disagree")
    pull(annotated)
    (said,) = [j for found in judged(annotated).values() for j in found if "comment" in j.answers]
    assert said.answers["comment"] == "a3 and somebody disagree"


def test_what_a_control_of_others_says_names_nobody(annotated: Path, studio: FakeLabelStudio) -> None:
    first = studio.tasks[min(studio.tasks)]
    theirs = {"from_name": "who", "to_name": "claim", "type": "textarea", "value": {"text": ["bruno@example.com", 1]}}
    first["annotations"][0]["result"].append(theirs)
    pull(annotated)
    (said,) = [j for found in judged(annotated).values() for j in found if j.unknown]
    assert said.unknown == {"who": {"text": ["a1", 1]}}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"id": 1, "veracity": "fact", "record_id": "r1"}, "Their data has no key of ours"),
        ({"data": {"key": "r1:h", "dataset": "other"}}, "They are of the dataset other"),
        ({"data": [], "meta": 3}, "none of its 1 tasks is of the dataset small"),
    ],
)
def test_a_file_of_something_else(fresh: OffsideDataset, tmp_path: Path, task: Any, message: str) -> None:
    file = tmp_path / "export.json"
    file.write_text(json.dumps([task]), encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        pull_from_file(fresh.path, file)
    file.write_text("[]", encoding="utf-8")
    assert pull_from_file(fresh.path, file).new == 0


def test_odd_things_in_a_file_do_no_harm(annotated: Path, studio: FakeLabelStudio, tmp_path: Path) -> None:
    tasks = json.loads(json.dumps(list(studio.tasks.values())))
    first = tasks[0]
    comment = {
        "from_name": "comment",
        "to_name": "claim",
        "type": "textarea",
        "value": {"text": ["a\x00b\x1b[2Jc\ud800"]},
    }
    first["annotations"][0]["result"] = [comment, 7, {"value": None}]
    first["annotations"] += [None, {"result": "x"}, {"result": [], "completed_by": {}, "updated_at": 5}]
    for odd in ("r:h:\u00b2", "r:h:-1", ":::", 7, None):
        tasks.append({"id": "x", "meta": {"offside_key": odd}, "data": {"dataset": "small"}, "annotations": [{}]})
    tasks += [{"annotations": {"a": 1}}, {**tasks[1], "annotations": "none"}, {}]
    file = tmp_path / "export.json"
    file.write_text(json.dumps(tasks), encoding="utf-8")
    assert pull_from_file(annotated, file).new == 25
    (said,) = [j for found in judged(annotated).values() for j in found if "comment" in j.answers]
    assert said.answers["comment"] == "a b [2Jc?"
    assert [i for i in check_dataset(open_dataset(annotated)) if i.severity == "error"] == []


@pytest.mark.parametrize("depth", [400, 900])
def test_an_answer_without_bottom_blocks_no_pull(annotated: Path, studio: FakeLabelStudio, depth: int) -> None:
    deep = json.loads("[" * depth + "]" * depth)
    studio.tasks[min(studio.tasks)]["annotations"][0]["result"] += [deep, {"from_name": "q", "value": {"a": deep}}]
    assert pull(annotated).new == 24
    (said,) = [j for found in judged(annotated).values() for j in found if j.unknown]
    assert said.unknown == {"?": "(nested too deep)", "q": "(nested too deep)"}


def test_what_a_file_says_twice_or_nowhere_is_told(annotated: Path, studio: FakeLabelStudio, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    first, *others = json.loads(json.dumps(list(studio.tasks.values())))
    other = json.loads(json.dumps(first))
    other["annotations"][0]["result"] = [{"from_name": "\u202ever\x1b[2J", "value": {"text": ["x"]}}]
    file.write_text(json.dumps([first, other, first, *others]), encoding="utf-8")
    report = pull_from_file(annotated, file)
    assert report.new == 24
    assert sum("is there twice" in remark for remark in report.remarks) == 2
    assert all(remark.isprintable() for remark in report.remarks)
    for task in (first, *others):
        del task["annotations"]
    file.write_text(json.dumps([first, *others]), encoding="utf-8")
    (remark,) = pull_from_file(annotated, file).remarks
    assert "is it what was pushed" in remark


@pytest.mark.parametrize("left", ['{"project": "x"', '{"project": "P"}', '{"project": "P", "export": "7"}', "[]"])
def test_a_damaged_note_of_a_snapshot_is_passed_over(annotated: Path, studio: FakeLabelStudio, left: str) -> None:
    (project,) = studio.projects
    place = annotated / ".offside/annotation/pending.json"
    place.parent.mkdir(parents=True)
    place.write_text(left.replace("P", f"{studio.url}/projects/{project}"), encoding="utf-8")
    assert pull(annotated).new == 24
