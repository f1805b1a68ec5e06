from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from offside_data.fictional.looks import FEATURES, HAIR, HEADBAND, looks
from offside_data.fictional.scenes import PALETTE, Scene, draw_portrait, random_scene
from offside_data.fictional.world import World
from offside_data.seeding import rng

LOOK = looks(0, 1)[0]


def plain_scene(world: World) -> Scene:
    return replace(random_scene(rng("scene"), world.scenery), light=(1, 1, 1))


@pytest.mark.parametrize("feature", list(FEATURES))
def test_every_level_of_every_feature_shows(feature: str, football: World) -> None:
    levels, _ = FEATURES[feature]
    scene = plain_scene(football)
    seen = {draw_portrait(replace(LOOK, **{feature: level}), scene, football.scenery).tobytes() for level in levels}
    assert len(seen) == len(levels)


def test_every_outfit_and_place_shows(world: World) -> None:
    scene = plain_scene(world)
    scenes = [replace(scene, outfit=outfit) for outfit in world.scenery.outfits]
    scenes += [replace(scene, place=place) for place in world.scenery.places if place != scene.place]
    assert len({draw_portrait(LOOK, each, world.scenery).tobytes() for each in scenes}) == len(scenes)


def test_clothes_have_their_own_color_above_all(world: World) -> None:
    scene = replace(plain_scene(world), cloth=("navy", "white"), scale=1.0, degrees=0.0, x=112.0, y=104.0)
    for outfit in world.scenery.outfits:
        drawn = np.asarray(draw_portrait(LOOK, replace(scene, outfit=outfit), world.scenery)).astype(int)
        other = np.asarray(draw_portrait(LOOK, replace(scene, outfit=outfit, cloth=("wine", "white")), world.scenery))
        changed = (drawn != other).any(axis=2)
        assert changed.sum() > 1200, outfit
        assert np.flatnonzero(changed.any(axis=1)).min() > 160


def test_a_place_leaves_most_of_the_background_in_its_main_color(world: World) -> None:
    for place in world.scenery.places:
        shares = []
        for number in range(4):
            scene = replace(plain_scene(world), place=place, colors=("rose", "navy", "pine"), detail=number)
            pixels = np.asarray(draw_portrait(LOOK, scene, world.scenery)).reshape(-1, 3)
            counts = [(pixels == PALETTE[name]).all(axis=1).sum() for name in scene.colors]
            shares.append(counts[0] / sum(counts))
        assert np.mean(shares) > 0.4, (place, shares)


def test_colors_of_people_are_strong_and_those_around_them_muted() -> None:
    def strength(color: tuple[int, int, int]) -> float:
        return (max(color) - min(color)) / 255

    strong = [color for name, color in HAIR.items() if name not in ("black", "brown")]
    assert max(map(strength, PALETTE.values())) < 0.45
    assert min(map(strength, [*strong, *HEADBAND.values()])) > 0.55
