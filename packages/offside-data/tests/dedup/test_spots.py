from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from offside_data.dedup.spots import LONGEST, FoundSpots, SpotLimits, detail_of, differences

LIMITS = SpotLimits()
PHOTO = Image.effect_mandelbrot((480, 320), (-1.6, -1.0, 0.6, 0.9), 60).convert("RGB")


def post(text: str, size: int = 16, width: int = 420) -> Image.Image:
    """A drawn screenshot."""
    picture = Image.new("RGB", (width, 240), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, width, 26), fill=(30, 120, 220))
    for number, line in enumerate(("Ada Vest joins FC Varnhavn", text, "Posted by transfer news")):
        pen.text((14, 40 + 2 * size * number), line, font=ImageFont.load_default(size), fill="black")
    return picture


def banner(text: str) -> Image.Image:
    """A picture full of detail with a line of text on it."""
    picture = PHOTO.copy()
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 280, 480, 320), fill=(200, 0, 0))
    pen.text((12, 288), text, font=ImageFont.load_default(22), fill="white")
    return picture


def as_jpeg(picture: Image.Image, quality: int = 40) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def halved(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)


CUT = "cut at the edge"
COPIES: dict[str, Any] = {
    "as it is": lambda picture: picture,
    "JPEG 40": as_jpeg,
    "half size": halved,
    "darker": lambda picture: picture.point([round(level * 0.8) for level in range(256)] * 3),
    "78 %, JPEG 60": lambda picture: as_jpeg(picture.resize((picture.width * 7 // 9, picture.height * 7 // 9)), 60),
    CUT: lambda picture: picture.crop((4, 2, picture.width - 2, picture.height)),
}


def between(a: Image.Image, b: Image.Image) -> FoundSpots:
    return differences(detail_of(a), detail_of(b), LIMITS)


@pytest.mark.parametrize("copy", COPIES)
def test_copies_do_not_differ_and_other_text_does(copy: str) -> None:
    change = COPIES[copy]
    pairs = [(banner, "JOINS IN MAY", "STAYS IN MAY")]
    if copy != CUT:  # Nearly blank pictures hold too little to lay a cut one over the other.
        pairs.append((post, "Fee: 35 million", "Fee: 53 million"))
    for draw, said, instead in pairs:
        assert between(draw(said), change(draw(said))).strength < LIMITS.certain, draw
        found = between(draw(said), change(draw(instead)))
        assert found.strength >= LIMITS.certain, draw
        assert found.spots


def test_a_spot_is_where_the_text_is() -> None:
    (spot,) = between(banner("JOINS"), banner("STAYS")).spots
    assert spot.top > 0.85
    assert spot.right < 0.3
    assert str(spot).endswith("from the top")


def test_equal_pictures_have_no_spots() -> None:
    assert between(PHOTO, PHOTO) == FoundSpots()


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (900, 2)])
def test_pictures_of_any_size_are_compared(size: tuple[int, int]) -> None:
    assert between(Image.new("RGB", size, "red"), Image.new("RGB", size, "red")).strength == 0


def test_details_are_bounded() -> None:
    assert detail_of(Image.new("RGB", (4000, 20))).size == (LONGEST, 3)
    assert detail_of(Image.new("RGB", (40, 20))).size == (40, 20)


@settings(max_examples=25)
@given(st.from_regex(r"[0-9]{2}", fullmatch=True), st.from_regex(r"[0-9]{2}", fullmatch=True), st.integers(14, 30))
def test_any_other_number_is_told(number: str, other: str, size: int) -> None:
    assume(number != other)
    a, b = post(f"Fee: {number} million", size), post(f"Fee: {other} million", size)
    assert between(a, b).strength >= LIMITS.certain
    assert between(a, as_jpeg(a)).strength < LIMITS.certain
