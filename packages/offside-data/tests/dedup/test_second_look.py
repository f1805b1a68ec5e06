from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from offside_data.dedup.second_look import SecondLook, SecondLookResult, small_picture
from offside_data.errors import PictureError

KINDS = ("exact", "jpeg", "half", "brighter")


def look(a: bytes, b: bytes) -> SecondLookResult:
    return SecondLook().compare(small_picture(a, "a"), small_picture(b, "b"))


def photos() -> dict[str, Image.Image]:
    """A few of the photos that come with scikit-image and scikit-learn, some of them much alike."""
    skimage, sklearn = (Path(str(find_spec(name).origin)).parent for name in ("skimage", "sklearn"))  # type: ignore[union-attr]
    names = ("astronaut", "brick", "gravel", "motorcycle_left", "motorcycle_right", "page")
    paths = [skimage / "data" / f"{name}.png" for name in names]
    paths.append(sklearn / "datasets" / "images" / "china.jpg")
    return {path.stem: Image.open(path).convert("RGB").resize((240, 200)) for path in paths}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_copies_show_the_same(make_scene: Any, encoded: Any, copies: Any, kind: str, seed: int) -> None:
    second_look = look(encoded(make_scene(seed)), copies[kind](make_scene(seed)))
    assert second_look.same
    assert second_look.correlation > 0.97
    assert second_look.bits < 40


def test_a_crop_is_laid_over(make_scene: Any, encoded: Any) -> None:
    second_look = look(encoded(make_scene(1)), encoded(make_scene(1).crop((6, 4, 120, 118))))
    assert second_look.same
    assert second_look.aligned


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda p: Image.merge("RGB", p.split()[::-1]),
        lambda p: p.point([255 - level for level in range(256)] * 3),
    ],
    ids=["mirrored", "other colours", "negative"],
)
def test_what_shows_something_else(make_scene: Any, encoded: Any, change: Any) -> None:
    assert not look(encoded(make_scene(1)), encoded(change(make_scene(1)))).same


def test_different_pictures_of_a_style(make_scene: Any, encoded: Any) -> None:
    small = [small_picture(encoded(make_scene(seed)), "") for seed in range(12)]
    assert not any(SecondLook().compare(a, b).same for i, a in enumerate(small) for b in small[:i])


def test_flat_pictures_are_never_the_same(encoded: Any) -> None:
    flat = [encoded(Image.new("RGB", (30, 30), color)) for color in ((200, 0, 0), (201, 0, 0))]
    assert look(*flat) == SecondLookResult(same=False, bits=0, correlation=0.0)


def test_photos(encoded: Any, copies: Any) -> None:
    found = photos()
    small = {name: small_picture(encoded(picture), name) for name, picture in found.items()}
    for name, picture in found.items():
        for kind in ("jpeg", "half", "brighter"):
            assert SecondLook().compare(small[name], small_picture(copies[kind](picture), name)).same, (name, kind)
    names = list(found)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[:i]]
    assert [pair for pair in pairs if SecondLook().compare(small[pair[0]], small[pair[1]]).same] == []


def test_a_damaged_picture_is_named() -> None:
    with pytest.raises(PictureError, match=r"old\.png"):
        small_picture(b"nothing", "old.png")
