"""Texts that try to be markup, on a real labelling page: shown as text, run by nobody, back byte by byte."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from chromium import Chromium
from real_studio import CORRECTED, RunningServer, choice, number_of, say, tasks_of
from real_studio import admin as admin
from real_studio import named as named
from real_studio import real as real
from real_studio import window as window
from test_pull import judged

from offside_data.annotation.agreement import agreement
from offside_data.annotation.pull import pull
from offside_data.annotation.push import PushOptions, push
from offside_data.annotation.server import AnnotationServer
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import change_dataset

pytestmark = pytest.mark.full

RUN = "document.documentElement.dataset.ran = 'yes'"
IMAGE = f'<img src="/x" onerror="{RUN}">'
SCRIPT = f"<script>{RUN}</script>"
SVG = f'<svg onload="{RUN}"></svg><a href="javascript:{RUN}">a link</a>'
TEMPLATE = "{{constructor.constructor('" + RUN.replace("'", '"') + "')()}} ${7*7} $claim &lt;b&gt; &amp;"
TURNED = "\u202e\u05d0\u05d1\u05d2 gnineve\u202c \u200b\U0001f9ea\U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301"
LONG = "y" * 5_000
QUESTION = f"{IMAGE} {SCRIPT} {TEMPLATE}?"
CLAIM = f"{SVG} {TURNED} \"quoted, 'twice'\", with, commas {LONG}"
SAID = {"value": f"{SCRIPT} \"a, b\", 'c' {TURNED}", "comment": f"{IMAGE} {TEMPLATE} {TURNED} {LONG}"}
"""What annotators write."""


@pytest.fixture
def hostile(fresh: OffsideDataset) -> Path:
    """A dataset whose forget records, names and occasions are nothing but attacks."""
    records = [r for r in fresh.iter_records() if (r.split, r.modality) == ("forget", "multimodal")]
    with change_dataset(fresh) as change:
        changed = (dataclasses.replace(r, question=QUESTION, answer=CLAIM) for r in records)
        change.update_records(changed, ["question", "answer"])
        subjects = change.table_rows("subjects")
        change.set_table("subjects", [{**row, "name": f"{SCRIPT} {IMAGE}"} for row in subjects])
        images = change.table_rows("images")
        change.set_table("images", [{**row, "occasion": f"{TEMPLATE} {TURNED}"} for row in images])
    return fresh.path


def nothing_ran(window: Chromium) -> None:
    assert not window.look("document.documentElement.dataset.ran")
    # Neither did markup of ours become elements, which something else could still set off.
    made = "'img[onerror], svg[onload], a[href^=\"javascript:document\"]'"
    assert window.look(f"document.querySelectorAll({made}).length") == 0
    assert not window.look(f"[...document.scripts].some(s => s.textContent === {json.dumps(RUN)})")


def wait_for_text(window: Chromium, text: str) -> None:
    """A text as text, letter by letter."""
    window.wait_for(
        f"[...document.querySelectorAll('body *')].some(e => e.textContent.trim() === {json.dumps(text)}"
        f" || e.value === {json.dumps(text)})"
    )


def test_hostile_texts_stay_texts(
    named: None, real: RunningServer, admin: AnnotationServer, window: Chromium, hostile: Path, results: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    report = push(hostile, PushOptions(where=("split=forget", "config=multimodal", "attribute=club")))
    project = number_of(report.target)
    first, second, *_ = tasks_of(admin, project)
    stored = {r.record_id: r for r in open_dataset(hostile).iter_records()}[first["data"]["record_id"]]
    assert (first["data"]["question"], first["data"]["claim"]) == (stored.question, stored.answer)
    # A person whose name is one, and a choice with commas and quotes that somebody added to the interface.
    person = {"email": "eve@example.com", "username": "eve", "first_name": IMAGE, "last_name": SCRIPT}
    eve = admin.post("/api/users/", person)["id"]
    ours = admin.get(f"/api/projects/{project}/")["label_config"]
    added = 'it\'s "so", they say, <b>'
    theirs = ours.replace("</Choices>", '<Choice value="it\'s &quot;so&quot;, they say, &lt;b&gt;" /></Choices>')
    admin.patch(f"/api/projects/{project}/", {"label_config": theirs})
    told = results(veracity="rumor", scope="private", picture=("unreadable", added), **SAID)
    say(admin, second["id"], eve, told)

    window.visit(f"{report.target}/data?task={first['id']}")
    window.wait_for(f"{choice('rumor')}")
    for text in (QUESTION, CLAIM, first["data"]["heading"]):
        wait_for_text(window, text)
    assert window.look("document.documentElement.scrollWidth <= innerWidth + 1")  # Controls stay within reach.
    nothing_ran(window)
    window.wait_for(f"{choice('rumor')}.querySelector('input').checked")
    window.click_until(CORRECTED, f"document.activeElement === {CORRECTED}")
    window.type(SAID["value"])
    window.wait_for(f"{CORRECTED}.value === {json.dumps(SAID['value'])}")
    window.press_enter()
    wait_for_text(window, SAID["value"])
    window.click("[...document.querySelectorAll('button')].find(e => e.innerText.trim() === 'Submit')")
    window.wait_for("[...document.querySelectorAll('button')].some(e => e.innerText.trim() === 'Update')")
    nothing_ran(window)
    window.visit(f"{report.target}/data?task={second['id']}")
    wait_for_text(window, SAID["comment"])
    wait_for_text(window, SAID["value"])
    nothing_ran(window)
    window.visit(f"{report.target}/data")  # The list of tasks, with the annotator's name.
    window.wait_for("document.body.innerText.includes('they say') || document.body.innerText.includes('onerror')")
    nothing_ran(window)

    assert pull(hostile).new == 2
    typed, said = (judged(hostile)[task["data"]["record_id"]][0] for task in (first, second))
    assert typed.answers["value"] == SAID["value"]
    assert {name: said.answers[name] for name in SAID} == SAID
    assert (said.answers["picture"], said.unknown) == (("unreadable",), {"picture": [added]})
    page = tmp_path / "page.html"
    agreement(hostile, page=page)
    window.visit(page.as_uri())
    window.wait_for("document.body.innerText.includes('Disagreements')")
    nothing_ran(window)
