from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from offside_data.dedup.second_look import TURNS, SecondLook, SecondLookResult, see
from offside_data.errors import PictureError

KINDS = ("exact", "jpeg", "half", "brighter")


def look(a: bytes, b: bytes) -> SecondLookResult:
    return SecondLook().compare_closely(see(a, "a"), see(b, "b"))


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
    small = [see(encoded(make_scene(seed)), "") for seed in range(12)]
    assert not any(SecondLook().compare_closely(a, b).same for i, a in enumerate(small) for b in small[:i])


def test_flat_pictures_are_never_the_same(encoded: Any) -> None:
    flat = [encoded(Image.new("RGB", (30, 30), color)) for color in ((200, 0, 0), (201, 0, 0))]
    assert look(*flat) == SecondLookResult(same=False, bits=0, correlation=0.0)


def test_photos(encoded: Any, copies: Any) -> None:
    found = photos()
    small = {name: see(encoded(picture), name) for name, picture in found.items()}
    for name, picture in found.items():
        for kind in ("jpeg", "half", "brighter"):
            assert SecondLook().compare_closely(small[name], see(copies[kind](picture), name)).same, (name, kind)
    names = list(found)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[:i]]
    assert [pair for pair in pairs if SecondLook().compare_closely(small[pair[0]], small[pair[1]]).same] == []


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_turned_copies_are_found_when_asked_for(make_scene: Any, encoded: Any, turn: Image.Transpose) -> None:
    a, b = see(encoded(make_scene(1)), "a"), see(encoded(make_scene(1).transpose(turn), "JPEG", quality=60), "b")
    assert not SecondLook().compare_closely(a, b).same
    found = SecondLook(turned=True).compare_closely(a, b)
    assert found.same
    assert make_scene(1).transpose(turn).transpose(TURNS[found.turn]) == make_scene(1)


def test_what_differs_in_a_place_only_is_a_look_alike(make_scene: Any, encoded: Any) -> None:
    scene, other = make_scene(1, 300), make_scene(1, 300)
    for picture, text in ((scene, "35 million"), (other, "53 million")):
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, 260, 300, 300), fill=(200, 0, 0))
        draw.text((10, 266), text, font=ImageFont.load_default(22), fill="white")
    found = look(encoded(scene), encoded(other, "JPEG", quality=40))
    assert (found.same, found.look_alike, found.unsure) == (False, True, False)
    (spot,) = found.spots
    assert spot.top > 0.8
    assert spot.right < 0.3
    turned = SecondLook(turned=True).compare_closely(
        see(encoded(scene), ""), see(encoded(other.transpose(Image.Transpose.ROTATE_90)), "")
    )
    assert turned.look_alike


def test_a_damaged_picture_is_named() -> None:
    with pytest.raises(PictureError, match=r"old\.png"):
        see(b"nothing", "old.png")
