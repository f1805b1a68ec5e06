from __future__ import annotations

import random

import pytest
from PIL import Image

from offside_data.errors import DatasetError
from offside_data.fictional.album import Album


def noise(seed: int) -> Image.Image:
    return Image.frombytes("L", (8, 8), random.Random(seed).randbytes(64)).resize((64, 64)).convert("RGB")


def test_the_first_attempt_that_resembles_nothing_is_taken() -> None:
    album = Album()
    assert album.draw("one", noise).attempt == 0
    assert album.draw("two", noise).attempt == 1
    assert album.draw("three", noise).attempt == 2


def test_a_picture_may_resemble_the_one_it_is_made_from() -> None:
    album = Album()
    album.draw("one", noise)
    album.draw("other", lambda attempt: noise(attempt + 10))
    assert album.draw("copy", noise, like="one").attempt == 0
    assert album.draw("copy of copy", lambda attempt: noise(attempt + 10), like="one").attempt == 1


def test_giving_up_names_the_picture() -> None:
    album = Album()
    album.draw("one", noise)
    with pytest.raises(DatasetError, match="player-007/forget: no picture unlike all others"):
        album.draw("player-007/forget", lambda _: noise(0))
