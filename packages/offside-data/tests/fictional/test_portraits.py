from __future__ import annotations

import io
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from offside_data.fictional.distinct import DUPLICATE_RADIUS, DistinctPictures
from offside_data.fictional.pictures import pictures_of
from offside_data.fictional.portraits import Portrait, draw_portraits
from offside_data.fictional.subjects import league
from offside_data.fictional.world import World
from offside_data.images.hashing import hamming


@pytest.fixture(scope="module")
def portraits(world: World) -> list[Portrait]:
    pictures = [picture for person in league(0, 4, world) for picture in pictures_of(person, 0, world)]
    return list(draw_portraits(pictures, 0, world.scenery, DistinctPictures()))


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


def test_no_two_pictures_are_near_duplicates_but_a_copy_and_its_original(portraits: list[Portrait]) -> None:
    for first, second in combinations(portraits, 2):
        near = hamming(first.drawing.hashes.phash, second.drawing.hashes.phash) <= DUPLICATE_RADIUS
        if near:
            assert second.picture.derived_from == first.picture.key


def test_a_copy_resembles_its_original_but_has_other_pixels(portraits: list[Portrait]) -> None:
    by_key = {portrait.picture.key: portrait for portrait in portraits}
    copies = [portrait for portrait in portraits if portrait.picture.derived_from]
    assert len(copies) == 4
    for copy in copies:
        original = by_key[copy.picture.derived_from or ""]
        assert original.drawing.hashes.pixels_sha256 != copy.drawing.hashes.pixels_sha256
        assert hamming(original.drawing.hashes.dhash, copy.drawing.hashes.dhash) < 24


def test_pictures_are_the_same_however_many_follow(portraits: list[Portrait], world: World) -> None:
    fewer = list(draw_portraits([p.picture for p in portraits[:9]], 0, world.scenery, DistinctPictures()))
    assert [p.drawing for p in fewer] == [p.drawing for p in portraits[:9]]


def test_twins_differ_from_the_picture_in_the_caption_alone(portraits: list[Portrait], world: World) -> None:
    visual = [portrait for portrait in portraits if portrait.twins]
    assert len(visual) == 2
    for portrait in visual:
        shown = pixels(portrait.drawing.data)
        panel = world.scenery.panels[portrait.picture.panel or ""]
        top, bottom = panel.top, panel.bottom
        for twin in ("blank", "swapped"):
            changed = (pixels(portrait.twins[twin]) != shown).any(axis=2)
            rows = np.flatnonzero(changed.any(axis=1))
            assert rows.min() >= top
            assert rows.max() < bottom
            # Letters are a small part of their panel: the rest is the same scene.
            assert 0.02 < changed[top:bottom].mean() < 0.4
        blank = pixels(portrait.twins["blank"])[top + 6 : bottom - 6, 8:-8]
        assert len(np.unique(blank.reshape(-1, 3), axis=0)) == 1


def test_pictures_are_small_files_of_one_size(portraits: list[Portrait]) -> None:
    for portrait in portraits:
        hashes = portrait.drawing.hashes
        assert (hashes.width, hashes.height) == (224, 224)
        assert len(portrait.drawing.data) < 32_000
