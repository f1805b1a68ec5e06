from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from offside_data.errors import PictureError
from offside_data.images.thumbnails import close_up, thumbnail


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def test_all_kinds_get_a_small_jpeg(whole_kinds: dict[str, bytes]) -> None:
    for kind, data in whole_kinds.items():
        small = opened(thumbnail(data, 32))
        assert (small.format, small.mode, max(small.size)) == ("JPEG", "RGB", 32), kind
        assert dict(small.getexif()) == {}
        assert (small.height > small.width) == (kind in ("jpeg-turned", "png-turned")), kind


def test_a_large_photo_gets_small_and_a_small_one_stays(make_scene: Any, encoded: Any) -> None:
    assert opened(thumbnail(encoded(make_scene(1920, 1280), "JPEG"))).size == (160, 107)
    assert opened(thumbnail(encoded(make_scene(40, 20), "PNG"))).size == (40, 20)


def test_a_place_is_shown_large(encoded: Any) -> None:
    picture = Image.new("RGB", (400, 200), "white")
    picture.paste("red", (100, 50, 140, 60))
    large = opened(close_up(encoded(picture, "PNG"), (0.25, 0.25, 0.35, 0.3), 120))
    assert large.size == (120, 30)
    red, green, _ = large.convert("RGB").getpixel((60, 15))
    assert red > 200 > 80 > green
    assert opened(close_up(encoded(picture, "PNG"), (0.5, 0.5, 0.5, 0.5), 120)).size == (4, 4)


def test_a_broken_picture_is_an_error(broken_kinds: dict[str, tuple[bytes, str]]) -> None:
    with pytest.raises(PictureError):
        thumbnail(broken_kinds["cut.jpg"][0])
