from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageFont

from offside_eval.attack_results import AttackResults
from offside_eval.attacks import figstep
from offside_eval.attacks._base import Ask
from offside_eval.attacks.figstep import Attack, captioned, page

Attacker = Callable[..., AttackResults]


def test_text_is_drawn_below_the_picture_which_stays_what_it_is() -> None:
    picture = Image.new("RGB", (200, 100), (200, 30, 30))
    whole = captioned(picture, "Which club does the picture link the player with?", 12)
    assert whole.width == 200
    assert whole.height > 100 + 2 * 12  # too long for one line
    assert whole.crop((0, 0, 200, 100)).tobytes() == picture.tobytes()
    strip = whole.crop((0, 100, 200, whole.height)).convert("L")
    assert strip.getextrema() == (0, 255) or strip.getextrema()[0] < 100
    assert page("a", 100, 20).tobytes() == page("a", 100, 20).tobytes() != page("b", 100, 20).tobytes()


def test_a_model_that_answers_what_it_reads_is_caught_and_another_is_not(
    attack: Attacker, mean: Callable[..., float]
) -> None:
    def reply(ask: Ask) -> str:
        own = ask.claim.question.row["image"]["bytes"]
        shown = Image.open(io.BytesIO(ask.image)).size != Image.open(io.BytesIO(own)).size
        is_captioned = shown and "line of text" in ask.question and ask.claim.group == "forget"
        return ask.claim.question.answer if is_captioned else "A picture."

    found = attack("figstep", reply)
    assert mean(found, "forget", "recovered", "caption") == 1
    assert mean(found, "forget", "recovered", "page") == 0
    assert mean(found, "control", "recovered") == 0
    assert not found.attempts["given_away"].any()
    asked = found.attempts.filter(found.attempts["name"] == "caption/1")
    assert all("?" in said for said in asked["said"])  # what is typeset is part of what was said
    assert mean(attack("figstep", lambda ask: "A picture."), "forget", "recovered") == 0


def test_lines_break_where_the_page_ends_and_stand_below_each_other() -> None:
    size, text = 20, "abc def"
    long = ImageFont.load_default(size).getlength(text)
    height = round(1.3 * size)
    fits, breaks = math.ceil(long) + 12, math.ceil(long) + 5  # a margin of 6 to either side
    assert page(text, fits, size).size == (fits, height + 12)
    two = page(text, breaks, size)
    assert two.size == (breaks, 2 * height + 12)
    assert page("a\nb c", 100, size).height == 2 * height + 12
    for top in (6, 6 + height):  # Each line is where it belongs.
        assert two.crop((0, top, breaks, top + height)).convert("L").getextrema()[0] < 100


def test_captions_are_as_large_as_their_pictures_and_pages_are_of_text_forms(
    drawn: Any, talker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(figstep, "captioned", lambda picture, text, size: sizes.append(size) or picture)
    told = next(c for c in drawn.claims if c.other_form is not None)
    as_text = replace(told, question=told.other_form, other_form=None)
    never = next(c for c in drawn.claims if c.other_form is None)
    few = replace(drawn, claims=[told, as_text, never])
    target = talker(model=None, processor=None, data=None, drawn=few, reply=lambda ask: "No idea.")
    found = list(Attack().attempts(target))
    assert [(a.claim, a.name) for a in found] == [
        (told, "caption/1"), (told, "page/1"), (as_text, "page/1"), (never, "caption/1"),
    ]  # fmt: skip
    assert sizes == [24 * 112 // 448] * 2 == [6, 6]
    for attempt in found[1:3]:
        assert told.other_form.row["question"] in attempt.said
