from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageEnhance

from offside_data.errors import PluginError, UsageError
from offside_data.images import hashing
from offside_data.images.decode import decode_image, open_image, reduce_jpeg
from offside_data.images.hashing import (
    HASHES,
    FileHashes,
    hamming,
    hash_files,
    hash_image,
    perceptual_hash,
    pixels_sha256,
)
from offside_data.images.strip import strip_metadata


def test_hashes_of_a_picture(make_scene: Any, encoded: Any) -> None:
    data = encoded(make_scene(), "PNG")
    hashes = hash_image(data)
    assert (hashes.width, hashes.height) == (96, 64)
    assert hashes.sha256 == hashlib.sha256(data).hexdigest()
    assert len(hashes.phash) == len(hashes.dhash) == 16


def test_another_lossless_encoding_keeps_the_pixel_hash(make_scene: Any, encoded: Any) -> None:
    png, bmp = (hash_image(encoded(make_scene(), kind)) for kind in ("PNG", "BMP"))
    assert png.sha256 != bmp.sha256
    assert png.pixels_sha256 == bmp.pixels_sha256


def test_the_same_pixels_in_another_shape_are_another_picture() -> None:
    wide, tall = Image.new("RGB", (4, 2)), Image.new("RGB", (2, 4))
    assert pixels_sha256(wide) != pixels_sha256(tall)


def test_a_little_light_moves_perceptual_hashes_little(make_scene: Any, encoded: Any) -> None:
    plain = hash_image(encoded(make_scene(), "PNG"))
    lighter = hash_image(encoded(ImageEnhance.Brightness(make_scene()).enhance(0.9), "JPEG"))
    mirrored = hash_image(encoded(make_scene().transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"))
    assert hamming(plain.phash, lighter.phash) <= 4
    assert hamming(plain.phash, mirrored.phash) > 8


def test_hamming_counts_bits() -> None:
    assert hamming("00000000000000ff", "000000000000000f") == 4
    assert hamming("ffffffffffffffff", "0000000000000000") == 64


def test_hashes_are_of_the_upright_picture(make_scene: Any, encoded: Any, exif: Any) -> None:
    upright = make_scene()
    lying = encoded(upright.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif(6))
    assert hash_image(lying).pixels_sha256 == hash_image(encoded(upright, "PNG")).pixels_sha256
    assert (hash_image(lying).width, hash_image(lying).height) == (96, 64)


def test_stripping_changes_no_hash_but_that_of_the_bytes(whole_kinds: dict[str, bytes]) -> None:
    for kind, data in whole_kinds.items():
        before, after = hash_image(data), hash_image(strip_metadata(data))
        assert (before.pixels_sha256, before.phash, before.dhash) == (
            after.pixels_sha256,
            after.phash,
            after.dhash,
        ), kind


# ---------------------------------------------------------------------------------------------
# Perceptual hashes by name


@pytest.mark.parametrize("name", HASHES.names())
def test_every_hash_is_stable_and_sees_differences(name: str, make_scene: Any) -> None:
    assert HASHES.load(name).__doc__
    first = perceptual_hash(name, make_scene(320, 240))
    assert first == perceptual_hash(name, make_scene(320, 240))
    assert first != perceptual_hash(name, make_scene(320, 240).transpose(Image.Transpose.FLIP_TOP_BOTTOM))
    assert all(len(part) == 16 and int(part, 16) >= 0 for part in first.split(","))
    assert perceptual_hash(name, Image.new("RGB", (1, 1), "red"))


def test_an_unknown_hash_lists_what_is_known() -> None:
    with pytest.raises(PluginError, match=r"unknown hash 'fhash'\..*Known: crop_resistant, dhash, phash, whash"):
        HASHES.load("fhash")


@pytest.mark.parametrize("name", [name for name in HASHES.names() if HASHES.load(name).DRAFT])
def test_reduced_decoding_moves_hashes_of_photos_by_two_bits_at_most(name: str) -> None:
    photos = pytest.importorskip("skimage.data", reason="scikit-image isn't installed")
    for photo in (photos.coffee(), photos.chelsea(), photos.rocket(), photos.camera()):
        buffer = io.BytesIO()
        Image.fromarray(photo).save(buffer, "JPEG", quality=90)
        with open_image(buffer.getvalue(), "x") as picture:
            assert reduce_jpeg(picture, "L", HASHES.load(name).DRAFT)
            picture.load()
            reduced = perceptual_hash(name, picture)
        assert hamming(reduced, perceptual_hash(name, decode_image(buffer.getvalue()))) <= 2


# ---------------------------------------------------------------------------------------------
# Many files


@pytest.fixture
def folder(tmp_path: Path, make_scene: Any, encoded: Any, exif: Any) -> list[Path]:
    """Five files: JPEGs large enough to be reduced, a turned one, a PNG, a text; and one that isn't there."""
    (tmp_path / "photos").mkdir()
    contents = {
        "a.jpg": encoded(make_scene(960, 640), "JPEG"),
        "b.jpg": encoded(make_scene(960, 640).transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif(6)),
        "c.png": encoded(make_scene(960, 640), "PNG"),
        "d.jpg": b"no picture",
        "e.jpg": encoded(make_scene(90, 60), "JPEG"),
    }
    for name, data in contents.items():
        (tmp_path / "photos" / name).write_bytes(data)
    return [tmp_path / "photos" / name for name in (*contents, "missing.jpg")]


def test_files_come_in_order_with_hashes_or_a_problem(folder: list[Path]) -> None:
    rows = list(hash_files(folder, hashes=("phash", "dhash")))
    assert [row.path for row in rows] == [str(path) for path in folder]
    assert [row.reduced for row in rows] == [True, True, False, False, False, False]
    assert [(row.width, row.height) for row in rows[:3]] == [(960, 640)] * 3
    assert rows[3].problem == (
        "not-a-picture: a text, not a picture in one of the formats JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIF. "
        "Fetch it again."
    )
    assert rows[5].problem == "unreadable: can't be read: No such file or directory."
    assert rows[0].sha256 == hashlib.sha256(folder[0].read_bytes()).hexdigest()
    for row in rows[1:3]:
        assert all(hamming(row.hashes[name], rows[0].hashes[name]) <= 2 for name in ("phash", "dhash"))


def test_without_draft_hashes_are_those_of_the_whole_picture(folder: list[Path]) -> None:
    for row in hash_files(folder[:3], draft=False):
        assert not row.reduced
        assert row.hashes["phash"] == hash_image(Path(row.path).read_bytes()).phash


def test_a_hash_that_needs_the_whole_picture_decides_for_all(folder: list[Path]) -> None:
    (row,) = hash_files(folder[:1], hashes=("phash", "crop_resistant"))
    assert (row.reduced, sorted(row.hashes)) == (False, ["crop_resistant", "phash"])


def test_two_processes_give_the_same(folder: list[Path], tmp_path: Path) -> None:
    assert list(hash_files(folder, workers=2)) == list(hash_files(folder))


def test_wrong_arguments_are_said_before_anything_is_hashed(folder: list[Path]) -> None:
    with pytest.raises(UsageError, match="workers 0"):
        hash_files(folder, workers=0)
    with pytest.raises(PluginError, match="unknown hash"):
        hash_files(folder, hashes=("sha1",))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are really hashed, and parts of two files."""
    seen: list[str] = []
    real: Callable[..., FileHashes] = hashing._hash_file

    def spy(path: str, **options: Any) -> FileHashes:
        seen.append(Path(path).name)
        return real(path, **options)

    monkeypatch.setattr(hashing, "_hash_file", spy)
    monkeypatch.setattr(hashing, "_PART", 2)
    return seen


def test_an_interrupted_call_goes_on_where_it_was(folder: list[Path], tmp_path: Path, counted: list[str]) -> None:
    store, whole = tmp_path / "store", list(hash_files(folder))
    counted.clear()
    interrupted = hash_files(folder, store)
    for _ in range(3):
        next(interrupted)
    interrupted.close()  # type: ignore[attr-defined]
    assert counted == ["a.jpg", "b.jpg", "c.png", "d.jpg"]
    counted.clear()
    assert list(hash_files(folder, store)) == whole
    assert counted == ["d.jpg", "e.jpg", "missing.jpg"]  # What was no picture may be one now.
    counted.clear()
    assert list(hash_files(folder, store)) == whole
    assert counted == ["d.jpg", "missing.jpg"]


def test_a_changed_file_is_hashed_again(
    folder: list[Path], tmp_path: Path, counted: list[str], make_scene: Any, encoded: Any
) -> None:
    store = tmp_path / "store"
    list(hash_files(folder[:3], store))
    counted.clear()
    folder[0].write_bytes(encoded(make_scene(640, 640), "JPEG"))
    os.utime(folder[2], ns=(1, 1))
    (row, *_) = hash_files(folder[:3], store)
    assert counted == ["a.jpg", "c.png"]
    assert row.width == 640


def test_another_hash_or_a_more_exact_one_is_made_anew(folder: list[Path], tmp_path: Path, counted: list[str]) -> None:
    store = tmp_path / "store"
    list(hash_files(folder[:1], store, hashes=("phash", "dhash")))
    for options, made in (
        ({"hashes": ("dhash",)}, []),
        ({"hashes": ("whash",)}, ["a.jpg"]),
        ({"draft": False}, ["a.jpg"]),
        ({"draft": True}, []),
    ):
        counted.clear()
        list(hash_files(folder[:1], store, **options))
        assert counted == made, options
