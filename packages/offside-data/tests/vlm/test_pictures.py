from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from offside_data.vlm.pictures import Recent, decode_picture, picture_bytes, picture_inputs
from offside_data.vlm.tiny import FAMILIES


def test_recent_keeps_what_was_used_last() -> None:
    made = []
    recent: Recent[str, str] = Recent(2)
    for key in "ab" + "a" + "c" + "ab":
        assert recent.get(key, lambda key=key: made.append(key) or key.upper()) == key.upper()  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]


def test_recent_weighs() -> None:
    recent: Recent[int, str] = Recent(5, len)
    for number, value in enumerate(("aa", "bbb", "cc")):
        recent.get(number, lambda value=value: value)  # type: ignore[misc]
    assert list(recent._values) == [1, 2]
    assert recent.get(9, lambda: "too long") == "too long"
    assert not recent._values


def test_pictures_are_turned_upright() -> None:
    image = Image.new("RGB", (60, 30))
    exif = Image.Exif()
    exif[274] = 6
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", exif=exif)
    assert decode_picture(buffer.getvalue(), "r").size == (30, 60)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_any_mode_becomes_rgb(mode) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (20, 20)).save(buffer, format="JPEG" if mode == "CMYK" else "PNG")
    assert decode_picture(buffer.getvalue(), "r").mode == "RGB"


def test_no_picture() -> None:
    assert picture_bytes({"record_id": "r", "image": None}) is None
    assert picture_bytes({"record_id": "r"}) is None
    assert picture_bytes({"record_id": "r", "image": b"xyz"}) == b"xyz"


@pytest.mark.parametrize("family", FAMILIES)
def test_vision_inputs_are_told_from_text_inputs(family, tiny, picture) -> None:
    inputs, replacement = picture_inputs(tiny(family)[1], decode_picture(picture(1), "r"))
    assert torch.is_tensor(inputs["pixel_values"])
    assert not {"input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids"} & set(inputs)
    assert replacement is not None
