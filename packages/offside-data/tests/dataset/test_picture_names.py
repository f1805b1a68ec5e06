from __future__ import annotations

from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.picture_names import PictureNames, file_of
from offside_data.errors import UsageError

SOURCES = {0: "claims:posts/one.png", 1: "claims:posts/two.png", 2: "claims:more/two.png", 3: None}


@pytest.fixture
def names(fresh: OffsideDataset, edit_rows: Any) -> PictureNames:
    def state(rows: list[dict[str, Any]]) -> None:
        for number, row in enumerate(sorted(rows, key=lambda row: row["image_id"])):
            row["source"] = SOURCES.get(number)

    return PictureNames(edit_rows(fresh, "images", state))


def test_pictures_are_called_by_file_and_id(names: PictureNames) -> None:
    ids = sorted(names.files)
    assert names.name(ids[0]) == f"posts/one.png ({ids[0]})"
    assert names.name(ids[3]) == ids[3]
    for text in (ids[0], "posts/one.png", "one.png"):
        assert names.find(text) == ids[0]
    assert names.find("more/two.png") == ids[2]


@pytest.mark.parametrize(
    ("text", "message"), [("two.png", "2 pictures are called 'two.png'"), ("ones.png", "Did you mean 'one.png'")]
)
def test_a_name_must_mean_one_picture(names: PictureNames, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        names.find(text)


@pytest.mark.parametrize(
    ("source", "file"),
    [("imagefolder:a/b.jpg", "a/b.jpg"), ("generated", ""), ("https://host/b.jpg", ""), (None, "")],
)
def test_the_file_of_a_source(source: str | None, file: str) -> None:
    assert file_of(source) == file
