from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from offside_eval.attack_results import AttackResults
from offside_eval.attacks import image_rephrase
from offside_eval.attacks._base import Ask
from offside_eval.attacks.image_rephrase import CHANGES, Attack

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


def test_changes_are_pillows() -> None:
    """Beside Pillow called anew with the numbers written out."""
    picture = Image.effect_noise((100, 60), 60).convert("RGB")

    def jpeg(quality: int) -> Image.Image:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality)
        return Image.open(stream).convert("RGB")

    def crop(left: int, top: int) -> Image.Image:
        return picture.crop((left, top, 100 - left, 60 - top)).resize((100, 60), Image.Resampling.BICUBIC)

    expected = {
        "easy": {"crop": crop(5, 3), "light": (1.2,), "blur": 0.3, "jpeg": jpeg(60)},
        "medium": {"crop": crop(12, 8), "light": (0.6,), "blur": 0.6, "jpeg": jpeg(25), "mirror": picture},
        "hard": {"crop": crop(22, 13), "light": (0.35,), "blur": 1.2, "jpeg": jpeg(8), "flip": picture},
    }
    for difficulty, changes in CHANGES.items():
        assert changes.keys() == expected[difficulty].keys()
        for name, change in changes.items():
            wanted = expected[difficulty][name]
            if name == "light":
                wanted = ImageEnhance.Brightness(picture).enhance(wanted[0])
            elif name == "blur":
                wanted = picture.filter(ImageFilter.GaussianBlur(wanted))
            elif name in ("mirror", "flip"):
                wanted = picture.transpose(
                    Image.Transpose.FLIP_LEFT_RIGHT if name == "mirror" else Image.Transpose.FLIP_TOP_BOTTOM
                )
            assert change(picture).tobytes() == wanted.tobytes(), (difficulty, name)


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


def test_what_is_asked_without_a_picture_is_left_out_and_others_may_be_lacking(
    drawn: Any, attacked_data: Any, talker: Any, lacking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = next(c for c in drawn.claims if c.other_form is not None)
    as_text = replace(told, question=told.other_form, other_form=None)

    def target(*claims: Any, data: Any = attacked_data) -> Any:
        few = replace(drawn, claims=claims)
        return talker(model=None, processor=None, data=data, drawn=few, reply=lambda ask: "No idea.")

    assert Attack().unfit(target(as_text)) == "what was forgotten is asked without a picture"
    mixed = target(as_text, drawn.claims[1])
    assert Attack().unfit(mixed) is None
    found = list(Attack(others=0).attempts(mixed))
    assert mixed.left_out == {as_text.record_id: "it is asked without a picture"}
    assert {a.claim for a in found} == {drawn.claims[1]}
    assert len(found) == sum(map(len, CHANGES.values()))
    assert Attack()._others(target(told, data=lacking(attacked_data, ("multimodal", "retain")))) == {}
    others = Attack()._others(target(told))
    assert {subject: len(of) for subject, of in others.items()} == {told.subject: 1}
    monkeypatch.setattr(image_rephrase, "picture_bytes", lambda row: None)
    assert Attack()._others(target(told)) == {told.subject: []}
