from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from offside_data.errors import PictureError
from offside_data.images.quality import Quality, faults, measure


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


def scene(side: int) -> Image.Image:
    """A picture full of detail."""
    return Image.effect_mandelbrot((side, side), (-1.6, -1.0, 0.6, 0.9), 60).convert("RGB")


def spotted(picture: Image.Image) -> Image.Image:
    """Nearly all of it one colour."""
    plain = Image.new("RGB", picture.size, "teal")
    plain.paste(picture.crop((0, 0, 20, 20)), (5, 5))
    return plain


POOR: dict[str, Callable[[Image.Image], Image.Image]] = {
    "tiny": lambda picture: picture.resize((31, 90)),
    "blank": lambda picture: Image.new("RGB", picture.size, (250, 250, 250)),
    "one-color": spotted,
    "dark": lambda picture: picture.point([round(level * 0.12) for level in range(256)] * 3),
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(6)),
    "extreme-shape": lambda picture: picture.crop((0, 0, 300, 60)),
}


@pytest.mark.parametrize("fault", POOR)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_each_fault_is_told_and_no_other(fault: str, kind: str) -> None:
    picture = POOR[fault](scene(300))
    quality = measure(encoded(picture, kind), "")
    assert [name for name, _ in faults(quality)] == [fault]
    assert all("{" not in message for _, message in faults(quality))
    assert Quality.from_row(quality.to_row()) == quality


@pytest.mark.parametrize("size", [40, 120, 300, 900])
def test_a_good_picture_has_no_fault(size: int) -> None:
    assert list(faults(measure(encoded(scene(size)), ""))) == []


@pytest.mark.parametrize("ground", ["white", (21, 32, 43)])
def test_a_screenshot_has_no_fault(ground: Any) -> None:
    picture = Image.new("RGB", (500, 300), ground)
    pen = ImageDraw.Draw(picture)
    for number in range(4):
        text, ink = "Fee agreed: 35 million euros", "black" if ground == "white" else "white"
        pen.text((20, 20 + 40 * number), text, font=ImageFont.load_default(18), fill=ink)
    assert list(faults(measure(encoded(picture), ""))) == []


def test_what_cannot_be_decoded_is_named() -> None:
    with pytest.raises(PictureError, match=r"old\.png"):
        measure(b"nothing", "old.png")
