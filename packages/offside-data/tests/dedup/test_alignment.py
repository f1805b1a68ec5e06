from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from offside_data.dedup.alignment import align, warped

SIDE = 64


def grey(picture: Image.Image) -> Any:
    return np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=float)


def difference(a: Any, b: Any, inside: Any) -> float:
    return float(np.abs(a - b)[inside].mean())


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.crop((3, 2, 117, 116)),
        lambda p: p.crop((0, 0, 110, 112)),
        lambda p: p.rotate(2, Image.Resampling.BICUBIC).crop((4, 4, 116, 116)),
        lambda p: p.crop((5, 4, 118, 119)).point([min(255, round(level * 0.8)) for level in range(256)] * 3),
    ],
    ids=["crop", "corner", "turned", "darker crop"],
)
def test_a_small_change_is_found(make_scene: Any, change: Any) -> None:
    still, moving = grey(make_scene(2)), grey(change(make_scene(2)))
    found = align(still, moving)
    assert found is not None
    laid, inside = warped(moving, found)
    assert inside.mean() > 0.75
    correlation = np.corrcoef(still[inside], laid[inside])[0, 1]
    assert correlation > 0.99
    assert correlation > np.corrcoef(still.ravel(), moving.ravel())[0, 1]


def test_the_same_picture_stays_where_it_is(make_scene: Any) -> None:
    still = grey(make_scene(3))
    found = align(still, still)
    assert found is not None
    assert np.allclose(found, [[1, 0, 0], [0, 1, 0]], atol=1e-6)


@pytest.mark.parametrize("change", [lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT), lambda p: p.rotate(30)])
def test_a_large_change_is_none_of_ours(make_scene: Any, change: Any) -> None:
    assert align(grey(make_scene(2)), grey(change(make_scene(2)))) is None


def test_colours_move_together(make_scene: Any) -> None:
    levels = np.asarray(make_scene(1).resize((SIDE, SIDE)), dtype=float)
    laid, inside = warped(levels, np.array([[1.0, 0.0, 0.1], [0.0, 1.0, 0.0]]))
    assert laid.shape == levels.shape
    assert 0.9 < inside.mean() < 1
