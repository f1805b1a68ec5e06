from __future__ import annotations

import builtins
import importlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from offside_data.errors import PictureError
from offside_data.images import decode
from offside_data.images.decode import decode_image, read_bytes, read_image, reduce_jpeg, verify_image


def difference(first: Image.Image, second: Image.Image) -> float:
    """Mean difference of two pictures' pixels, of 255."""
    assert first.size == second.size
    return float(np.abs(np.asarray(first).astype(int) - np.asarray(second).astype(int)).mean())


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_bytes_are_kept_as_they_are(tmp_path: Path, make_scene: Any, encoded: Any, format: str) -> None:
    path = tmp_path / "001.jpg"
    path.write_bytes(encoded(make_scene(), format))
    image = read_image(path)
    assert (image.bytes, image.path) == (path.read_bytes(), "001.jpg")


def test_what_is_no_usable_picture_has_a_kind_and_a_reason(broken_kinds: dict[str, tuple[bytes, str]]) -> None:
    for name, (data, kind) in broken_kinds.items():
        with pytest.raises(PictureError) as error:
            verify_image(data, name)
        assert error.value.kind == kind, name
        assert str(error.value) == f"{name}: {error.value.reason}"
        assert error.value.reason.endswith("."), name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("note.jpg", "a text, not a picture in one of the formats JPEG, PNG"),
        ("logo.svg", "an SVG drawing, not a picture in one of the formats"),
        ("header.jpg", "it starts like JPEG, but isn't readable"),
        ("large.png", "10000 x 9000 pixels are more than the 64,000,000 that are allowed"),
    ],
)
def test_reasons_say_what_it_is(broken_kinds: dict[str, tuple[bytes, str]], name: str, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        verify_image(broken_kinds[name][0], name)


def test_a_picture_with_too_many_pixels_is_refused_before_decoding(make_scene: Any, encoded: Any) -> None:
    with pytest.raises(PictureError, match=r"x\.png: 16 x 12 pixels are more than the 100"):
        verify_image(encoded(make_scene(16, 12), "PNG"), "x.png", max_pixels=100)


def test_all_kinds_show_the_same_picture(make_scene: Any, whole_kinds: dict[str, bytes]) -> None:
    expected = make_scene()
    grey, turned = expected.convert("L").convert("RGB"), {"jpeg-turned": -90, "png-turned": 90, "webp-turned": 180}
    for kind, data in whole_kinds.items():
        shown = decode_image(data)
        assert shown.mode == "RGB"
        if kind in turned:
            assert difference(shown, expected.rotate(turned[kind], expand=True)) < 6, kind
        elif "alpha" in kind and "opaque" not in kind:
            assert shown.getpixel((0, 0)) == (255, 255, 255), kind  # Transparent there: the ground is white.
        elif kind == "png-palette-transparent":
            assert (255, 255, 255) in {color for _, color in shown.getcolors(96 * 64) or ()}
        elif kind == "tiff-float":
            assert (shown.getextrema()[0], difference(shown, grey) < 40) == ((0, 255), True)
        elif kind != "png-one-bit":
            assert min(difference(shown, expected), difference(shown, grey)) < 6, kind


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_made_upright(make_scene: Any, encoded: Any, exif: Any, orientation: int) -> None:
    data = encoded(make_scene(), "PNG", exif=exif(orientation))
    with Image.open(io.BytesIO(data)) as picture:
        expected = ImageOps.exif_transpose(picture)
    assert decode_image(data).tobytes() == expected.tobytes()


def test_reduced_jpegs_are_smaller_and_nearly_the_same(make_scene: Any, encoded: Any) -> None:
    data = encoded(make_scene(960, 640), "JPEG")
    with decode.open_image(data, "x") as picture:
        assert reduce_jpeg(picture, "L", 100)
        assert (picture.size, picture.mode) == ((240, 160), "L")
    with decode.open_image(encoded(make_scene(960, 640), "PNG"), "x") as picture:
        assert not reduce_jpeg(picture, "L", 100)


# ---------------------------------------------------------------------------------------------
# HEIF and AVIF


def test_heif_is_read_where_the_plugin_is(make_scene: Any, encoded: Any) -> None:
    pytest.importorskip("pillow_heif", reason="pillow-heif isn't installed").register_heif_opener()
    data = encoded(make_scene(), "HEIF")
    assert difference(decode_image(data), make_scene()) < 6
    with pytest.raises(PictureError) as error:
        decode_image(data[:-60])
    assert error.value.kind == "damaged"


def test_heif_without_the_plugin_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    decode._register_heif.cache_clear()
    try:
        with pytest.raises(PictureError, match=r"HEIF\. To read it: pip install 'offside-data\[heif\]'") as error:
            decode_image(b"\0\0\0\x18ftypheic" + b"\0" * 40, "IMG_1.heic")
    finally:
        decode._register_heif.cache_clear()
    assert error.value.kind == "unsupported"


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read(make_scene: Any, encoded: Any) -> None:
    assert difference(decode_image(encoded(make_scene(), "AVIF")), make_scene()) < 6


# ---------------------------------------------------------------------------------------------
# Files


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"404\.jpg: can't be read: No such file"):
        read_image(tmp_path / "404.jpg")


def test_a_file_without_permission_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x.jpg").write_bytes(b"x")
    monkeypatch.setattr(io, "open", refuse)
    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(PictureError, match=r"x\.jpg: can't be read: Permission denied") as error:
        read_bytes(tmp_path / "x.jpg")
    assert error.value.kind == "unreadable"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.jpg").open("wb") as file:
        os.ftruncate(file.fileno(), decode.MAX_BYTES + 1)
    with pytest.raises(PictureError, match="larger than 256 MiB"):
        read_bytes(tmp_path / "x.jpg")


@pytest.fixture
def linked(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a link in the source folder to a file in another."""

    def make(target: str) -> Path:
        for folder in ("source", "elsewhere"):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / target).write_bytes(b"pixels")
        link = tmp_path / "source" / "link.jpg"
        link.symlink_to(tmp_path / target)
        return link

    return make


def test_links_may_not_lead_out_of_the_source(linked: Callable[[str], Path], tmp_path: Path) -> None:
    link = linked("elsewhere/private.jpg")
    with pytest.raises(PictureError, match=r"link\.jpg -> .*private\.jpg: a link that leads out") as error:
        read_bytes(link, [tmp_path / "source"])
    assert error.value.kind == "outside"
    assert str(tmp_path) not in error.value.reason
    assert read_bytes(link, [tmp_path / "source", tmp_path / "elsewhere"]) == b"pixels"


def test_links_inside_the_source_are_followed(linked: Callable[[str], Path], tmp_path: Path) -> None:
    assert read_bytes(linked("source/real.jpg"), [tmp_path / "source"]) == b"pixels"


def test_a_link_to_the_source_itself_is_no_way_out(linked: Callable[[str], Path], tmp_path: Path) -> None:
    linked("source/real.jpg")
    (tmp_path / "alias").symlink_to(tmp_path / "source")
    assert read_bytes(tmp_path / "alias" / "real.jpg", [tmp_path / "alias"]) == b"pixels"
