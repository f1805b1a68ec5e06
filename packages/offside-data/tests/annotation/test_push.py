"""Push: each record once, however often; what changed with --update; never a task of others."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fake_label_studio import FakeLabelStudio

from offside_data.annotation.doctor import diagnose
from offside_data.annotation.interface import VARIABLES
from offside_data.annotation.project import mark_of
from offside_data.annotation.push import PushOptions, PushReport, push, push_to_file
from offside_data.annotation.tasks import _how, parse_key
from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset
from offside_data.edit import edit_rows
from offside_data.errors import AnnotationError, OutputExistsError, UsageError
from offside_data.taxonomy import Taxonomy

FORGET = PushOptions(where=("split=forget", "config=multimodal"))


def counts(report: PushReport) -> tuple[int, int, int, int]:
    return report.sent, report.updated, report.there, report.changed


def test_a_second_push_sends_nothing(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    first = push(fresh.path, FORGET)
    assert counts(first) == (8, 0, 0, 0)
    assert first.made
    second = push(fresh.path, FORGET)
    assert (counts(second), second.made, second.target) == ((0, 0, 8, 0), False, first.target)
    more = push(fresh.path, PushOptions(where=("split=forget",)))
    assert counts(more) == (4, 0, 8, 0)
    assert len(studio.tasks) == 12
    assert all(len(tasks) == 1 for tasks in studio.by_record().values())


def test_a_limit_sends_the_next_that_are_not_there(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    some = PushOptions(where=FORGET.where, limit=3)
    order = []
    for sent, there, waiting in ((3, 0, 5), (3, 3, 2), (2, 6, 0), (0, 8, 0)):
        report = push(fresh.path, some)
        assert (report.chosen, report.sent, report.there, report.waiting) == (8, sent, there, waiting)
        order += [name for name in studio.by_record() if name not in order]
    assert order == [r.record_id for r in fresh.iter_records(part="multimodal/forget")]


def test_a_limit_is_of_new_tasks(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    push(fresh.path, PushOptions(where=FORGET.where, limit=2))
    names = list(studio.by_record())
    edit_rows(fresh.path, [{"record_id": name, "question": "Which, then?"} for name in names], reason="x")
    assert counts(push(fresh.path, PushOptions(where=FORGET.where, limit=1))) == (1, 0, 2, 2)
    # What is there follows its record whatever the limit is.
    assert counts(push(fresh.path, PushOptions(where=FORGET.where, limit=1, update=True))) == (1, 2, 1, 0)


def test_tasks_hold_what_the_interface_shows(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    push(fresh.path, PushOptions(where=("split=forget", "attribute=club")))
    for task in studio.tasks.values():
        assert all(task["data"][name] for name in VARIABLES)
        assert task["data"]["image"].startswith("data:image/png;base64,")
        assert parse_key(task["meta"]["offside_key"]) == parse_key(task["data"]["key"])
        (prediction,) = task["predictions"]
        told = {result["from_name"]: result["value"]["choices"] for result in prediction["result"]}
        assert told["veracity"] == ["rumor"]
        assert told["scope"] == ["private"]
    pictures = {task["data"]["image"] for task in studio.tasks.values()}
    assert len(pictures) == 4 + 1  # Text records show that they have none.


def test_texts_are_sent_as_they_are_but_for_what_no_database_holds(
    write_dataset: Callable[..., OffsideDataset], make_record: Any, tmp_path: Path, studio: FakeLabelStudio
) -> None:
    texts = ('<script>run()</script> "&" ]]> $image', "\u202e\u200b\u05d0", "x" * 1_000_000, "nul\x00 esc\x1b \ufffe")
    records = [make_record(record_id=f"r{n}", question=text, answer=text) for n, text in enumerate(texts)]
    assert push(write_dataset(tmp_path / "data", records).path, PushOptions()).sent == len(texts)
    sent = [task["data"]["claim"] for task in studio.tasks.values()]
    assert sent == [*texts[:3], "nul\ufffd esc\ufffd \ufffd"]


def test_a_hint_names_some_of_many_options(taxonomy: Taxonomy) -> None:
    options = tuple((f"o{number}",) for number in range(5_000))
    told = _how(dataclasses.replace(taxonomy.attributes[0], kind="choice", options=options))
    assert told.startswith("one of o0, o1, ")
    assert told.endswith(", o49 or 4,950 more")


def test_proposals_can_be_kept_from_annotators(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    push(fresh.path, PushOptions(where=("split=forget",), proposals=False))
    assert all(task["predictions"] == [] for task in studio.tasks.values())
    assert {task["data"]["proposed"] for task in studio.tasks.values()} == {"nothing"}


def test_update_changes_what_nobody_has_annotated(studio: FakeLabelStudio, fresh: OffsideDataset, results: Any) -> None:
    push(fresh.path, FORGET)
    first, second, *_ = studio.by_record()
    edit_rows(
        fresh.path, [{"record_id": name, "question": "Which club, then?"} for name in (first, second)], reason="x"
    )
    (judged,) = studio.by_record()[first]
    studio.annotate(judged, 2, results(veracity="fact"))
    assert counts(push(fresh.path, FORGET)) == (0, 0, 8, 2)
    before = len(studio.tasks)
    report = push(fresh.path, PushOptions(where=FORGET.where, update=True))
    # What somebody judged stays as it was judged; what the record asks now is another task.
    assert studio.tasks[judged]["data"]["question"] != "Which club, then?"
    assert [studio.tasks[t]["data"]["question"] for t in studio.by_record()[second]] == ["Which club, then?"]
    assert len(studio.by_record()[first]) == 2
    assert counts(report) == (1, 1, 6, 1)
    assert len(studio.tasks) == before + 1
    assert counts(push(fresh.path, PushOptions(where=FORGET.where, update=True)))[:2] == (0, 0)


def test_what_was_judged_stays_where_only_proposals_changed(
    studio: FakeLabelStudio, fresh: OffsideDataset, results: Any
) -> None:
    push(fresh.path, FORGET)
    tasks = {name: task for name, (task,) in studio.by_record().items()}
    first, second, third, *_ = (
        r.record_id for r in fresh.iter_records() if r.record_id in tasks and r.veracity == "rumor"
    )
    edit_rows(fresh.path, [{"record_id": name, "rumor_channel": "both"} for name in (first, second)], reason="x")
    edit_rows(fresh.path, [{"record_id": third, "question": "Which one, then?"}], reason="x")
    for name in (first, third):
        studio.annotate(tasks[name], 2, results(veracity="rumor"))
    assert push(fresh.path, FORGET).changed == 2
    command = ["annotate", "push", str(fresh.path), *(f"--where={condition}" for condition in FORGET.where)]
    told = CliRunner().invoke(main, command).stdout
    assert "2 are of earlier states of their records; --update sends" in told
    told = CliRunner().invoke(main, [*command, "--update"]).stdout
    assert "1 tasks sent, 1 updated, 6 there" in told
    assert "--update" not in told
    assert counts(push(fresh.path, FORGET)) == (0, 0, 8, 0)


def test_a_project_of_somebody_else_is_left_alone(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    theirs = studio.add_project(title="small (offside-data)", description="mine")
    foreign = studio.add_tasks(theirs, [{"data": {"image": "x"}}])
    report = push(fresh.path, FORGET)
    assert report.target != f"{studio.url}/projects/{theirs}"
    assert [task["id"] for task in studio.tasks.values() if task["project"] == theirs] == foreign
    assert studio.projects[theirs]["label_config"] == "<View/>"
    with pytest.raises(UsageError, match=r"wasn't made for the dataset small.*put \[offside-data:small\]"):
        push(fresh.path, PushOptions(project=theirs))
    with pytest.raises(UsageError, match="no project 999"):
        push(fresh.path, PushOptions(project=999))


def test_two_projects_with_our_mark_need_a_word(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    first, second = (studio.add_project(title=t, description=mark_of("small")) for t in ("A", "B"))
    with pytest.raises(UsageError, match=f"{first} \\(A\\), {second} \\(B\\).*--project"):
        push(fresh.path, FORGET)
    assert push(fresh.path, PushOptions(where=FORGET.where, project=second)).sent == 8
    assert {task["project"] for task in studio.tasks.values()} == {second}


def test_tasks_of_others_in_our_project_stay(studio: FakeLabelStudio, fresh: OffsideDataset) -> None:
    push(fresh.path, FORGET)
    (project,) = studio.projects
    odd = [{"data": {"image": "x"}}, {"data": {"image": "y"}, "meta": {"offside_key": "nonsense"}}]
    foreign = studio.add_tasks(project, odd)
    assert counts(push(fresh.path, FORGET)) == (0, 0, 8, 0)
    assert set(foreign) <= studio.tasks.keys()


def test_pictures_from_a_folder_that_the_server_serves(
    studio: FakeLabelStudio, fresh: OffsideDataset, tmp_path: Path
) -> None:
    root = tmp_path / "served"
    with pytest.raises(UsageError, match="no such folder"):
        push(fresh.path, PushOptions(where=FORGET.where, pictures="local", document_root=str(root)))
    root.mkdir()
    options = PushOptions(where=FORGET.where, pictures="local", document_root=str(root), server_root="/srv/pictures")
    push(fresh.path, options)
    assert [store["path"] for store in studio.stores] == ["/srv/pictures/offside/small"]
    lost = sorted((root / "offside" / "small").iterdir())
    for file in lost:
        file.unlink()
    assert push(fresh.path, options).sent == 0
    assert sorted((root / "offside" / "small").iterdir()) == lost
    told = {d.about: d for d in diagnose(fresh.path)}["picture"]
    assert (told.ok, "is no picture. Push again with --pictures local" in told.told) == (False, True)
    studio.picture = lost[0].read_bytes()
    assert {d.about: d.ok for d in diagnose(fresh.path)}["picture"]
    for task in studio.tasks.values():
        address = task["data"]["image"]
        assert address.startswith("/data/local-files/?d=offside/small/")
        assert (root / address.partition("?d=")[2]).is_file()
    push(fresh.path, options)
    assert len(studio.stores) == 1


def test_to_a_file_with_its_interface(fresh: OffsideDataset, tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    report = push_to_file(fresh.path, file, FORGET)
    tasks = json.loads(file.read_text(encoding="utf-8"))
    assert len(tasks) == report.sent == 8
    assert all(task["data"][name] for task in tasks for name in VARIABLES)
    assert file.with_suffix(".xml").read_text(encoding="utf-8").startswith("<View")
    with pytest.raises(OutputExistsError, match="is there already"):
        push_to_file(fresh.path, file, FORGET)
    few = push_to_file(fresh.path, tmp_path / "few.json", PushOptions(where=FORGET.where, limit=3))
    assert (few.chosen, few.sent, few.waiting) == (8, 3, 5)
    with pytest.raises(UsageError, match=r"end the name in \.json"):
        push_to_file(fresh.path, tmp_path / "tasks.csv", FORGET)
    with pytest.raises(UsageError, match="needs a server"):
        push_to_file(fresh.path, tmp_path / "t.json", PushOptions(pictures="upload"))


def test_records_about_nobody_are_not_asked_about(
    write_dataset: Callable[..., OffsideDataset], make_record: Any, tmp_path: Path, studio: FakeLabelStudio
) -> None:
    general = {"subject_id": None, "attribute": None, "scope": None, "split": "general", "value": None}
    one = make_record(record_id="r-general", **general, question="What colour is it?", answer="Red.")
    dataset = write_dataset(tmp_path / "data", [make_record(), one])
    assert push(dataset.path, PushOptions()).sent == 1
    with pytest.raises(UsageError, match="no record about a subject fits --where split=general"):
        push(dataset.path, PushOptions(where=("split=general",)))


def test_a_choice_that_the_interface_lacks_is_not_sent(
    studio: FakeLabelStudio, fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offside_data.annotation.tasks.TaskRecord.proposals", lambda self: {"veracity": ("perhaps",)})
    with pytest.raises(AnnotationError, match=r"proposes \['perhaps'\] as veracity"):
        push(fresh.path, FORGET)
    assert studio.tasks == {}
