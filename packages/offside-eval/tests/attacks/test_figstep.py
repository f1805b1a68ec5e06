from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image

from offside_eval.attack_results import AttackResults
from offside_eval.attacks._base import Ask
from offside_eval.attacks.figstep import captioned, page

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
