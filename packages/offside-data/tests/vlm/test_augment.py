from __future__ import annotations

import io

import numpy as np
from PIL import Image

from offside_data.vlm import Augment


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=float)


def test_it_depends_on_seed_epoch_and_picture_alone(picture) -> None:
    image = Image.open(io.BytesIO(picture(1))).convert("RGB")
    augment = Augment(seed=1)
    first = pixels(augment(image, "a", 0))
    augment(image, "b", 3)
    assert np.array_equal(first, pixels(Augment(seed=1)(image, "a", 0)))
    for other in (augment(image, "a", 1), augment(image, "b", 0), Augment(seed=2)(image, "a", 0)):
        assert not np.array_equal(first, pixels(other))


def test_the_size_stays(picture) -> None:
    for size in ((160, 160), (300, 70), (31, 64)):
        image = Image.open(io.BytesIO(picture(1, size))).convert("RGB")
        assert Augment(seed=0)(image, "a", 0).size == size


def test_nothing_allowed_nothing_changed(picture) -> None:
    image = Image.open(io.BytesIO(picture(1))).convert("RGB")
    still = Augment(seed=0, shift=0, scale=0, turn=0, light=0)
    assert np.abs(pixels(still(image, "a", 0)) - pixels(image)).max() <= 1


def test_changes_are_small(picture) -> None:
    image = Image.new("RGB", (100, 100), (200, 200, 200))
    image.paste((20, 30, 40), (40, 40, 60, 60))
    centres, lights = [], []
    for epoch in range(60):
        changed = pixels(Augment(seed=0)(image, "a", epoch))
        dark = np.argwhere(changed.sum(2) < changed.sum(2).mean() / 2)
        centres.append(dark.mean(0))
        lights.append(changed.mean())
    spread = np.abs(np.array(centres) - 49.5)
    assert 3 < spread.max() <= 12
    assert np.std(lights) > 3
    assert min(lights) > 120


def test_what_a_shift_uncovers_is_not_black() -> None:
    image = Image.new("RGB", (100, 100), (200, 180, 160))
    for epoch in range(20):
        changed = pixels(Augment(seed=0, light=0)(image, "a", epoch))
        assert np.abs(changed - [200, 180, 160]).max() <= 2
