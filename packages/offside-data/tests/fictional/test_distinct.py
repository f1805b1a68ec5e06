from __future__ import annotations

import random

import pytest
from PIL import Image

from offside_data.errors import DatasetError
from offside_data.fictional.distinct import DistinctPictures


def noise(seed: int) -> Image.Image:
    return Image.frombytes("L", (8, 8), random.Random(seed).randbytes(64)).resize((64, 64)).convert("RGB")


def test_the_first_attempt_that_resembles_nothing_is_taken() -> None:
    distinct = DistinctPictures()
    assert distinct.draw("one", noise).attempt == 0
    assert distinct.draw("two", noise).attempt == 1
    assert distinct.draw("three", noise).attempt == 2


def test_a_picture_may_resemble_the_one_it_is_made_from() -> None:
    distinct = DistinctPictures()
    distinct.draw("one", noise)
    distinct.draw("other", lambda attempt: noise(attempt + 10))
    assert distinct.draw("copy", noise, like="one").attempt == 0
    assert distinct.draw("copy of copy", lambda attempt: noise(attempt + 10), like="one").attempt == 1


def test_giving_up_names_the_picture() -> None:
    distinct = DistinctPictures()
    distinct.draw("one", noise)
    with pytest.raises(DatasetError, match="player-007/forget: no picture unlike all others"):
        distinct.draw("player-007/forget", lambda _: noise(0))
