from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from offside_data.adapters._base import Picture
from offside_data.adapters._pictures import NearNames, places_of
from offside_data.images import nearby
from offside_data.images.nearby import look_nearby

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD"))


def picture(name: str, root: Path) -> Picture:
    return Picture(
        image_id=name, key=name, subject_id="s1", split="retain", paths=places_of(name, [root], shorten="name")
    )


@pytest.mark.parametrize(
    ("there", "written", "found"),
    [
        ([DECOMPOSED], COMPOSED, [DECOMPOSED]),
        ([COMPOSED], DECOMPOSED, [COMPOSED]),
        (["IMG_1.JPG"], "img_1.jpg", ["IMG_1.JPG"]),
        (["sub/deep/a.png"], "a.png", ["sub/deep/a.png"]),
        (["old/sub/a.png", "new/a.png"], "old/a.png", ["old/sub/a.png"]),
        (["a.png", "new/a.png"], "old/a.png", []),  # Another picture may have its name.
        (["sub/A.PNG"], "a.png", ["sub/A.PNG"]),
        (["x/a.png", "y/a.png"], "a.png", ["x/a.png", "y/a.png"]),
        (["A.png", "sub/a.png"], "a.png", ["A.png"]),  # Case differs less than the folder.
        (["b.png"], "a.png", []),
    ],
)
def test_a_name_that_is_written_otherwise(there: list[str], written: str, found: list[str]) -> None:
    assert NearNames(there).find(written) == found


def test_only_what_one_file_can_be_is_taken(tmp_path: Path) -> None:
    for name in ("IMG_1.JPG", "x/dup.png", "y/dup.png", "moon-landing.png", ".hidden/lost.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = ("img_1.jpg", "dup.png", "moonlanding.png", "lost.png")
    found = look_nearby([picture(name, tmp_path) for name in names], [tmp_path])
    assert found.found == {"img_1.jpg": tmp_path / "IMG_1.JPG"}
    assert found.suggestions == ["dup.png: x/dup.png or y/dup.png", "moonlanding.png: moon-landing.png"]
    assert "dup.png: x/dup.png or y/dup.png; moonlanding.png: moon-landing.png." in found.advice
    (remark,) = found.remarks
    assert remark.why.startswith("1 pictures are found under names that differ in Unicode form, case or folder")


def test_a_large_folder_is_not_looked_through_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").touch()
    monkeypatch.setattr(nearby, "MOST_FILES", 3)
    assert len(list(nearby._files(tmp_path))) == 3
