from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from offside_data.fictional.looks import FEATURES, HAIR, HEADBAND, looks
from offside_data.fictional.scenes import LAYOUTS, PALETTE, PATTERNS, PLACES, draw_portrait, random_scene
from offside_data.seeding import rng

LOOK = looks(0, 1)[0]
SCENE = replace(random_scene(rng("scene")), place=PLACES[0], light=(1, 1, 1))


@pytest.mark.parametrize("feature", list(FEATURES))
def test_every_level_of_every_feature_shows(feature: str) -> None:
    levels, _ = FEATURES[feature]
    seen = {draw_portrait(replace(LOOK, **{feature: level}), SCENE).tobytes() for level in levels}
    assert len(seen) == len(levels)


def test_every_pattern_and_place_shows() -> None:
    scenes = [replace(SCENE, pattern=pattern) for pattern in PATTERNS]
    scenes += [replace(SCENE, place=place) for place in PLACES[1:]]
    assert len({draw_portrait(LOOK, scene).tobytes() for scene in scenes}) == len(scenes)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_long_caption_fits_and_has_a_euro_sign(layout: str) -> None:
    scene = replace(SCENE, layout=layout)
    blank, plain, euro = (
        np.asarray(draw_portrait(LOOK, replace(scene, caption=caption))).astype(int)
        for caption in ((), ("C35.00 million",), ("€35.00 million",))
    )
    bars = np.argwhere((plain != euro).any(axis=2))
    assert 0 < len(bars) < 120
    wide = np.asarray(draw_portrait(LOOK, replace(scene, caption=("Yarrowgate Town United Athletic",)))).astype(int)
    columns = np.flatnonzero((wide != blank).any(axis=(0, 2)))
    assert columns.min() >= 6
    assert columns.max() < 218


def test_colors_of_people_are_strong_and_those_around_them_muted() -> None:
    def strength(color: tuple[int, int, int]) -> float:
        return (max(color) - min(color)) / 255

    strong = [color for name, color in HAIR.items() if name not in ("black", "brown")]
    assert max(map(strength, PALETTE.values())) < 0.45
    assert min(map(strength, [*strong, *HEADBAND.values()])) > 0.55
