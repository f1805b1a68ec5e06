from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from offside_data.errors import SourceError
from offside_data.images.decode import read_image, verify_image


def encoded(format: str, size: tuple[int, int] = (16, 12)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, format)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_bytes_are_kept_as_they_are(tmp_path: Path, format: str) -> None:
    path = tmp_path / "001.jpg"
    path.write_bytes(encoded(format))
    image = read_image(path)
    assert (image.bytes, image.path) == (path.read_bytes(), "001.jpg")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not a picture"),
        (b"<html>not found</html>", "not a picture"),
        (encoded("PNG", (64, 64))[:-40], "damaged"),
        (encoded("JPEG", (64, 64))[:400], "damaged|not a picture"),
        (encoded("ICO"), "not a picture"),
    ],
    ids=["empty", "html", "png-cut-off", "jpeg-cut-off", "other-format"],
)
def test_what_does_not_decode_is_an_error_that_names_it(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "017.jpg"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=rf"017\.jpg: .*({problem})"):
        read_image(path)


def test_a_picture_with_too_many_pixels_is_refused_before_decoding() -> None:
    with pytest.raises(SourceError, match=r"x\.png: 16 x 12 pixels are more than the 100"):
        verify_image(encoded("PNG"), "x.png", max_pixels=100)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"404\.jpg: can't be read: No such file"):
        read_image(tmp_path / "404.jpg")
