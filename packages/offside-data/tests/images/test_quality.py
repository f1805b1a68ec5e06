from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageStat

from offside_data.errors import PictureError
from offside_data.images.decode import ORIENTATION, decode_image
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


LAPLACE = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=4, offset=128)


@st.composite
def greys(draw: st.DrawFn) -> Image.Image:
    """Small pictures, so that none is reduced, of few levels or of many."""
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    levels = draw(st.sampled_from([st.integers(0, 255), st.sampled_from([0, 1, 128, 254, 255])]))
    pixels = draw(st.lists(levels, min_size=width * height, max_size=width * height))
    return Image.frombytes("L", (width, height), bytes(pixels))


@given(greys())
def test_the_measures_are_those_of_pillow(grey: Image.Image) -> None:
    quality = measure(encoded(grey), "")
    width, height = grey.size
    inside = grey.filter(LAPLACE)
    if min(grey.size) > 2:
        inside = inside.crop((1, 1, width - 1, height - 1))
    contrast, left = (ImageStat.Stat(picture).stddev[0] for picture in (grey, inside))
    assert quality.contrast == round(contrast, 2)
    assert quality.sharpness == (round(left / contrast, 4) if contrast else 0.0)


@pytest.mark.parametrize("more", ["", "transparency", "exif"])
def test_a_grey_picture_is_measured_as_it_is_shown(more: str) -> None:
    grey = scene(400).convert("L").crop((0, 0, 400, 270)).point([max(0, level - 60) for level in range(256)])
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    stream = io.BytesIO()
    grey.save(stream, "PNG", **{"": {}, "transparency": {"transparency": 0}, "exif": {"exif": turned}}[more])
    assert measure(stream.getvalue(), "") == measure(encoded(decode_image(stream.getvalue())), "")
