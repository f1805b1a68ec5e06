from __future__ import annotations

from typing import Any

import pytest

from offside_data.dedup.clusters import HashedPicture, choose_keeper, hash_distance


def picture(key: str, **changes: Any) -> HashedPicture:
    fields: dict[str, Any] = {"key": key, "content": key, "hashes": ("ff",), "width": 10, "height": 10}
    return HashedPicture(**{**fields, **changes})


@pytest.mark.parametrize(
    ("pictures", "kept"),
    [
        ([picture("a", width=9), picture("b")], "b"),
        ([picture("a", width=20, height=4), picture("b", width=9, height=9)], "b"),
        ([picture("a", license="other"), picture("b", license="cc-by-4.0")], "b"),
        ([picture("a", license="cc-by-nc-nd-4.0"), picture("b", license="cc-by-sa-4.0")], "b"),
        ([picture("a", license="cc-by-4.0"), picture("b", license="CC0-1.0")], "b"),
        ([picture("a"), picture("b", license="agency, all rights reserved")], "b"),
        ([picture("b"), picture("a")], "a"),
        ([picture("a", width=90), picture("b", home="old@1.0.0")], "b"),
    ],
)
def test_the_keeper_has_most_pixels_then_the_freest_licence_then_the_lowest_key(
    pictures: list[HashedPicture], kept: str
) -> None:
    assert choose_keeper(pictures).key == kept
    assert choose_keeper(reversed(pictures)).key == kept


def test_the_nearest_parts_count() -> None:
    assert hash_distance(picture("a", hashes=("00", "f0")), picture("b", hashes=("ff", "70"))) == 1
    assert hash_distance(picture("a", hashes=()), picture("b")) == 0
