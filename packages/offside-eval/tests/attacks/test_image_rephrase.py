from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageOps

from offside_eval.attack_results import AttackResults
from offside_eval.attacks._base import Ask
from offside_eval.attacks.image_rephrase import CHANGES

Attacker = Callable[..., AttackResults]


def pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def own(ask: Ask) -> Image.Image:
    return pixels(ask.claim.question.row["image"]["bytes"])


@pytest.mark.parametrize("difficulty", CHANGES)
def test_changes_keep_the_size_and_change_the_pixels(difficulty: str) -> None:
    picture = Image.effect_noise((112, 96), 60).convert("RGB")
    for change in CHANGES[difficulty].values():
        changed = change(picture)
        assert changed.size == picture.size
        assert changed.mode == "RGB"
        assert changed.tobytes() != picture.tobytes()


def test_a_model_that_knows_the_mirrored_picture_is_caught_at_that_difficulty(
    attack: Attacker, mean: Callable[..., float]
) -> None:
    def reply(ask: Ask) -> str:
        is_mirrored = pixels(ask.image).tobytes() == ImageOps.mirror(own(ask)).tobytes()
        return ask.claim.question.answer if is_mirrored and ask.claim.group == "forget" else "No idea."

    found = attack("image_rephrase", reply)
    assert mean(found, "forget", "recovered", "medium") == 1
    assert mean(found, "forget", "recovered", "easy") == mean(found, "forget", "recovered", "hard") == 0
    assert mean(found, "control", "recovered") == 0
    assert mean(attack("image_rephrase", lambda ask: "No idea."), "forget", "recovered") == 0


def test_other_pictures_are_of_the_same_subject(attack: Attacker, mean: Callable[..., float], small: object) -> None:
    shown: list[Ask] = []

    def reply(ask: Ask) -> str:
        if ask.name.startswith("other_picture"):
            shown.append(ask)
            return ask.claim.question.answer
        return "No idea."

    found = attack("image_rephrase", reply)
    assert mean(found, "forget", "recovered", "other_picture") == 1
    for ask in shown:
        assert pixels(ask.image).tobytes() == pixels(small.picture(f"retain-{ask.claim.subject}")).tobytes()
