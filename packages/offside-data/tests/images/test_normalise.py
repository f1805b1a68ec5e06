from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from offside_data.errors import PictureError
from offside_data.images.decode import decode_image
from offside_data.images.normalise import normalise_image

JPEGS = ("jpeg", "jpeg-grey", "jpeg-progressive", "jpeg-icc", "mpo")
KEPT = (*JPEGS, "png", "png-palette", "png-opaque-alpha", "png-one-bit", "gif", "webp", "bmp")
"""Kinds that every reader shows the same way."""


def as_a_model_loads(data: bytes) -> Image.Image:
    """As `datasets` and `transformers` decode a stored picture."""
    with Image.open(io.BytesIO(data)) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def test_every_reader_sees_what_was_curated(whole_kinds: dict[str, bytes]) -> None:
    for kind, data in whole_kinds.items():
        normal = normalise_image(data, "x.bin")
        assert as_a_model_loads(normal.image.bytes).tobytes() == normal.pixels.tobytes(), kind
        with Image.open(io.BytesIO(normal.image.bytes)) as stored:
            assert stored.format in ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP"), kind


def test_only_what_readers_disagree_on_is_stored_anew(whole_kinds: dict[str, bytes]) -> None:
    for kind, data in whole_kinds.items():
        normal = normalise_image(data, f"photo.{kind.partition('-')[0]}")
        assert (normal.image.bytes == data) == (kind in KEPT), kind
        if kind not in KEPT:
            assert normal.changes[0].startswith("stored anew as "), kind
        again = normalise_image(normal.image.bytes, normal.image.path)
        assert (again.image, again.changes) == (normal.image, ()), kind


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("jpeg-cmyk", "JPEG, so that every reader shows the same: colours of type CMYK"),
        ("jpeg-turned", "JPEG, so that every reader shows the same: turned by EXIF"),
        ("png-alpha", "PNG, so that every reader shows the same: transparent (laid on white)"),
        ("gif-animated", "PNG, so that every reader shows the same: several frames (the first counts)"),
        ("tiff-16-bit", "PNG, so that every reader shows the same: TIFF, colours of type I;16"),
    ],
)
def test_changes_say_why(whole_kinds: dict[str, bytes], kind: str, change: str) -> None:
    assert normalise_image(whole_kinds[kind], "x").changes == (f"stored anew as {change}",)


def test_what_is_not_lossy_loses_nothing(whole_kinds: dict[str, bytes]) -> None:
    for kind, data in whole_kinds.items():
        if not kind.startswith("jpeg"):
            assert normalise_image(data, "x").pixels.tobytes() == decode_image(data).tobytes(), kind


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("size", [(96, 64), (90, 61)])
def test_a_turned_jpeg_hardly_changes(
    make_scene: Any, encoded: Any, exif: Any, size: tuple[int, int], subsampling: int
) -> None:
    for orientation in range(2, 9):
        data = encoded(make_scene(*size), "JPEG", exif=exif(orientation), quality=70, subsampling=subsampling)
        normal = normalise_image(data, "x.jpg")
        change = np.asarray(normal.pixels).astype(int) - np.asarray(decode_image(data)).astype(int)
        assert np.abs(change).mean() < 2
        with Image.open(io.BytesIO(normal.image.bytes)) as stored:
            assert stored.getexif().get(0x0112) is None
            assert stored.getexif()[0x010F] == "Ostholm Optics"  # Only a release strips metadata.


def test_colour_profiles_stay(whole_kinds: dict[str, bytes], encoded: Any, make_scene: Any, exif: Any) -> None:
    with Image.open(io.BytesIO(whole_kinds["jpeg-icc"])) as picture:
        profile = picture.info["icc_profile"]
    for kind in ("JPEG", "PNG", "TIFF"):
        data = encoded(make_scene(), kind, icc_profile=profile, exif=exif(6))
        with Image.open(io.BytesIO(normalise_image(data, "x").image.bytes)) as stored:
            assert stored.info["icc_profile"] == profile


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b/photo.jpg", "photo.png"),
        ("photo.PNG", "photo.PNG"),
        ("photo", "photo.png"),
        ("photo.final", "photo.final.png"),
        ("a\\b.gif", "b.png"),
    ],
)
def test_the_content_decides_the_suffix(whole_kinds: dict[str, bytes], name: str, path: str) -> None:
    normal = normalise_image(whole_kinds["png"], name)
    assert normal.image.path == path
    said = () if name in ("photo", "photo.PNG") else (f"stored as {path}, because it is PNG",)
    assert normal.changes == said


def test_unreadable_exif_is_dropped_and_the_picture_kept(make_scene: Any, encoded: Any) -> None:
    info = PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n 4\nzz\n")
    data = encoded(make_scene(), "PNG", pnginfo=info)
    normal = normalise_image(data, "x.png")
    assert normal.changes == ("stored without its metadata, because the EXIF can't be read",)
    assert as_a_model_loads(normal.image.bytes).tobytes() == make_scene().tobytes()


def test_an_unusable_picture_is_an_error(broken_kinds: dict[str, tuple[bytes, str]]) -> None:
    for name, (data, _) in broken_kinds.items():
        with pytest.raises(PictureError):
            normalise_image(data, name)


pictures = st.builds(
    lambda mode, width, height, seed: Image.frombytes(
        "RGBA", (width, height), np.random.default_rng(seed).bytes(4 * width * height)
    ).convert(mode),
    st.sampled_from(["RGB", "RGBA", "L", "LA", "1", "P"]),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(0, 99),
)


@settings(max_examples=60, deadline=None)
@given(picture=pictures, kind=st.sampled_from(["PNG", "WEBP", "TIFF", "BMP"]), orientation=st.integers(1, 8))
def test_any_picture_is_seen_the_same_by_every_reader(picture: Image.Image, kind: str, orientation: int) -> None:
    if kind in ("WEBP", "BMP") and picture.mode not in ("RGB", "RGBA"):
        picture = picture.convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({} if kind == "BMP" else {"exif": exif}))
    normal = normalise_image(buffer.getvalue(), "x")
    assert as_a_model_loads(normal.image.bytes).tobytes() == normal.pixels.tobytes()
    assert normal.pixels.tobytes() == decode_image(buffer.getvalue()).tobytes()
