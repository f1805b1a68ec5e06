from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from offside_data.errors import PictureError
from offside_data.images.decode import decode_image
from offside_data.images.hashing import hash_image
from offside_data.images.strip import has_metadata, strip_metadata

SECRETS = (b"Ostholm Optics", b"planted caption", b"planted place", b"planted thumbnail", b"planted trailer")
"""What is planted in the files below; GPS is looked for apart."""


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


@pytest.fixture
def loaded(make_scene: Any, encoded: Any, exif: Any, whole_kinds: dict[str, bytes]) -> dict[str, bytes]:
    """Pictures full of metadata, one a format."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">planted caption</x:xmpmeta>'
    jpeg = whole_kinds["jpeg-icc"]
    head, body = jpeg[:2], jpeg[2:]
    planted = (
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp)
        + segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0dplanted place")  # IPTC
        + segment(0xE0, b"JFXX\0\x10planted thumbnail")
        + segment(0xFE, b"planted caption")
    )
    info = PngInfo()
    info.add_text("Comment", "planted caption")
    info.add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=False)
    info.add_text("Place", "planted place", zip=True)
    lossless = {"lossless": True, "exif": exif(), "xmp": xmp}
    return {
        "jpeg": head + planted + body + b"planted trailer",
        "png": encoded(make_scene(), "PNG", pnginfo=info, exif=exif()) + b"planted trailer",
        "webp": encoded(make_scene(), "WEBP", **lossless) + b"planted trailer",
        "gif": encoded(make_scene(), "GIF", comment=b"planted caption") + b"planted trailer",
    }


def test_what_was_planted_is_gone_and_the_pixels_are_not(loaded: dict[str, bytes]) -> None:
    for kind, data in loaded.items():
        stripped = strip_metadata(data)
        assert [secret for secret in SECRETS if secret in stripped] == [], kind
        assert len(stripped) < len(data)
        assert decode_image(stripped).tobytes() == decode_image(data).tobytes(), kind
        with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(stripped)) as after:
            assert after.format == before.format
            assert after.info.get("icc_profile") == before.info.get("icc_profile")
            assert dict(after.getexif()) == {}
            assert dict(after.getexif().get_ifd(0x8825)) == {}
            assert not {"comment", "xmp", "photoshop", "Comment", "Place"} & after.info.keys()


def test_the_gps_position_was_there(loaded: dict[str, bytes]) -> None:
    for kind in ("jpeg", "png", "webp"):
        with Image.open(io.BytesIO(loaded[kind])) as before:
            assert before.getexif().get_ifd(0x8825)[2] == (54.0, 12.0, 37.0)


def test_all_kinds_look_the_same_and_a_second_time_changes_nothing(whole_kinds: dict[str, bytes]) -> None:
    for kind, data in whole_kinds.items():
        stripped = strip_metadata(data)
        assert decode_image(stripped).tobytes() == decode_image(data).tobytes(), kind
        assert strip_metadata(stripped) is stripped, kind


@pytest.mark.parametrize("kind", ["jpeg", "jpeg-cmyk", "png", "png-palette-transparent", "gif-animated", "webp", "bmp"])
def test_without_metadata_the_same_object_comes_back(whole_kinds: dict[str, bytes], kind: str) -> None:
    assert strip_metadata(whole_kinds[kind]) is whole_kinds[kind]


def test_metadata_are_told_without_decoding(loaded: dict[str, bytes], whole_kinds: dict[str, bytes]) -> None:
    assert all(map(has_metadata, loaded.values()))
    for kind, data in whole_kinds.items():
        assert has_metadata(data) or strip_metadata(data) is data, kind
    bare = ["jpeg", "jpeg-cmyk", "png", "png-palette-transparent", "gif-animated", "webp", "bmp"]
    assert not any(has_metadata(whole_kinds[kind]) for kind in bare)
    assert all(map(has_metadata, (b"", b"no picture", whole_kinds["tiff"])))


@pytest.mark.parametrize("kind", ["gif-animated", "png-animated", "webp-animated"])
def test_animations_stay(whole_kinds: dict[str, bytes], kind: str) -> None:
    with Image.open(io.BytesIO(strip_metadata(whole_kinds[kind]))) as picture:
        assert getattr(picture, "n_frames") == 2  # noqa: B009


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_of_exif_only_the_orientation_stays(
    make_scene: Any, encoded: Any, exif: Any, kind: str, orientation: int
) -> None:
    data = encoded(make_scene(), kind, exif=exif(orientation))
    stripped = strip_metadata(data)
    assert b"Ostholm" not in stripped
    with Image.open(io.BytesIO(stripped)) as picture:
        assert dict(picture.getexif()) == {0x0112: orientation}
    assert hash_image(stripped).pixels_sha256 == hash_image(data).pixels_sha256


def test_appended_pictures_go(whole_kinds: dict[str, bytes]) -> None:
    with Image.open(io.BytesIO(strip_metadata(whole_kinds["mpo"]))) as picture:
        assert picture.format == "JPEG"


def test_the_thumbnail_of_a_jfif_header_goes(whole_kinds: dict[str, bytes]) -> None:
    data = whole_kinds["jpeg"]
    (length,) = struct.unpack_from(">H", data, 4)
    header = data[6 : 4 + length]
    with_thumbnail = data[:2] + segment(0xE0, header[:12] + b"\1\1\xff\0\0") + data[4 + length :]
    assert decode_image(with_thumbnail).tobytes() == decode_image(data).tobytes()
    assert strip_metadata(with_thumbnail) == data


def test_what_cannot_be_cut_comes_back_as_png(whole_kinds: dict[str, bytes]) -> None:
    with Image.open(io.BytesIO(strip_metadata(whole_kinds["tiff"]))) as picture:
        assert picture.format == "PNG"


def test_a_broken_picture_is_an_error(broken_kinds: dict[str, tuple[bytes, str]]) -> None:
    for name, (data, kind) in broken_kinds.items():
        with pytest.raises(PictureError) as error:
            strip_metadata(data, name)
        assert (error.value.kind, error.value.where) == (kind, name)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF"]),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    color=st.tuples(*[st.integers(0, 255)] * 3),
    orientation=st.integers(1, 8),
    text=st.text(max_size=20),
)
def test_stripping_is_idempotent_and_keeps_all_hashes_of_pixels(
    kind: str, size: tuple[int, int], color: tuple[int, int, int], orientation: int, text: str
) -> None:
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    picture.putpixel((0, 0), color)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = orientation, text
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({} if kind == "GIF" else {"exif": exif.tobytes()}))
    stripped = strip_metadata(buffer.getvalue())
    assert strip_metadata(stripped) is stripped
    before, after = hash_image(buffer.getvalue()), hash_image(stripped)
    assert (before.pixels_sha256, before.phash, before.dhash) == (after.pixels_sha256, after.phash, after.dhash)
