"""The project before a push: an interface that a person changed is never lost; two pushes make one project."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_label_studio import FakeLabelStudio
from faulty_proxy import FaultyProxy

from offside_data.annotation.doctor import diagnose
from offside_data.annotation.interface import label_config, missing_of
from offside_data.annotation.preparing import interface_mark
from offside_data.annotation.project import mark_of
from offside_data.annotation.push import PushOptions, push
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import AnnotationError
from offside_data.taxonomy import Taxonomy

FORGET = PushOptions(where=("split=forget", "config=multimodal"))
REPLACING = PushOptions(where=FORGET.where, replace_interface=True)


def changed(config: str, name: str = "tier", *, without: bool = False) -> str:
    """An interface as a person changes it: another title; or a control is gone."""
    root = ElementTree.fromstring(config)
    parents = {child: parent for parent in root.iter() for child in parent}
    (control,) = (element for element in root.iter() if element.get("name") == name)
    if without:
        parents[control].remove(control)
    else:
        ElementTree.SubElement(control, "Choice", {"value": "a blog"})
    return ElementTree.tostring(root, encoding="unicode")


def test_an_interface_that_asks_all_stays_as_a_person_made_it(
    studio: FakeLabelStudio, fresh: OffsideDataset, capfd: pytest.CaptureFixture[str]
) -> None:
    push(fresh.path, FORGET)
    (project,) = studio.projects.values()
    mine = project["label_config"] = changed(project["label_config"])
    assert push(fresh.path, PushOptions(where=("split=forget",))).sent == 4
    assert project["label_config"] == mine
    assert "was changed by a person" in capfd.readouterr().err
    (told,) = (d for d in diagnose(fresh.path) if d.about == "interface")
    assert told.ok
    push(fresh.path, REPLACING)
    assert project["label_config"] != mine
    (kept,) = (fresh.path / ".offside/annotation/interfaces").iterdir()
    assert kept.read_text(encoding="utf-8") == mine
    assert str(kept) in capfd.readouterr().err


def test_an_interface_that_lacks_something_is_told_and_not_overwritten(
    studio: FakeLabelStudio, fresh: OffsideDataset
) -> None:
    push(fresh.path, FORGET)
    (project,) = studio.projects.values()
    mine = project["label_config"] = changed(project["label_config"], "veracity", without=True)
    with pytest.raises(AnnotationError, match=r'"veracity".*isn\'t there\n.*--replace-interface'):
        push(fresh.path, PushOptions(where=("split=forget",)))
    assert project["label_config"] == mine
    assert len(studio.tasks) == 8
    (told,) = (d for d in diagnose(fresh.path) if d.about == "interface")
    assert (told.ok, '"veracity"' in told.told) == (False, True)
    assert push(fresh.path, PushOptions(where=("split=forget",), replace_interface=True)).sent == 4


def test_a_project_that_a_person_gave_our_mark_keeps_its_interface(
    studio: FakeLabelStudio, fresh: OffsideDataset
) -> None:
    number = studio.add_project(title="Mine", description=mark_of("small"), label_config="<View><Text/></View>")
    with pytest.raises(AnnotationError, match="isn't the one that was made for this dataset"):
        push(fresh.path, FORGET)
    assert studio.projects[number]["label_config"] == "<View><Text/></View>"


def test_what_nobody_changed_follows_the_taxonomy(
    studio: FakeLabelStudio, fresh: OffsideDataset, capfd: pytest.CaptureFixture[str]
) -> None:
    push(fresh.path, FORGET)
    (project,) = studio.projects.values()
    now = project["label_config"]
    old = project["label_config"] = now.replace('value="Comment"', 'value="Remark"')
    project["description"] = f"Ours. {mark_of('small')} {interface_mark(old)} Mind the gap."
    push(fresh.path, FORGET)
    assert project["label_config"] == now
    assert project["description"] == f"Ours. {mark_of('small')} Mind the gap. {interface_mark(now)}"
    assert "was made anew" in capfd.readouterr().err
    assert not (fresh.path / ".offside/annotation/interfaces").exists()


def test_what_an_interface_lacks(taxonomy: Taxonomy) -> None:
    config = label_config(taxonomy)
    assert missing_of(config) == []
    assert missing_of("<View>") == ["it isn't XML: no element found: line 1, column 6"]
    assert missing_of(config.replace('value="media"', 'value="press"')) == [
        '<Choices name="tier"> doesn\'t offer media'
    ]
    assert missing_of(config.replace('value="media"', 'value="Press" alias="media"')) == []
    assert missing_of(config.replace("$heading", "$title")) == ["it shows $title, which tasks don't have"]
    assert 'nothing is named "image"' in missing_of(config.replace('name="image"', 'name="photo"'))


@pytest.mark.usefixtures("quick")
def test_two_pushes_at_the_same_time_make_one_project(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset
) -> None:
    """Another push makes its project between our look and ours."""
    other: list[int] = []

    def meet(request: str) -> None:
        if request == "POST /api/projects/" and not other:
            other.append(studio.add_project(description=mark_of("small"), label_config=label_config(fresh.taxonomy)))

    proxy.on_request = meet
    report = push(fresh.path, FORGET)
    assert report.target.endswith(f"/projects/{other[0]}")
    assert list(studio.projects) == other
    assert {task["project"] for task in studio.tasks.values()} == set(other)
    assert push(fresh.path, FORGET).sent == 0


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", ["cut before", "cut after"])
def test_a_project_whose_making_was_cut_off(
    studio: FakeLabelStudio, proxy: FaultyProxy, fresh: OffsideDataset, fault: str
) -> None:
    proxy.fail("POST /api/projects/$", fault)  # type: ignore[arg-type]
    if fault == "cut before":
        with pytest.raises(AnnotationError, match=r"the project wasn't made\. Run the command again"):
            push(fresh.path, FORGET)
    assert push(fresh.path, FORGET).sent == 8
    assert len(studio.projects) == 1


def test_what_is_kept_is_not_published(studio: FakeLabelStudio, fresh: OffsideDataset, tmp_path: Path) -> None:
    push(fresh.path, FORGET)
    (project,) = studio.projects.values()
    project["label_config"] = changed(project["label_config"])
    digest = fresh.digest
    push(fresh.path, REPLACING)
    assert fresh.verify() == digest
