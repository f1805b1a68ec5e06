from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont
from run_check import run_check

from offside_data.dedup.declared import declare_apart
from offside_data.schema import make_image_id

Rows = list[dict[str, Any]]


def show(data: bytes, **fields: Any) -> Any:
    """A change after which the pictures of `s1` in a part are this one."""

    def change(rows: Rows) -> None:
        for row in rows:
            if row["subject_id"] == "s1":
                row.update(image={"bytes": data, "path": "x.png"}, **fields)

    return change


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("part", ["multimodal/forget", "multimodal/relearn"])
def test_the_same_picture_in_two_splits(found: Any, make_png: Any, part: str) -> None:
    (issue,) = found("leakage", {part: show(make_png(0))})
    assert (issue.severity, issue.code) == ("error", "picture-leak")
    assert f"stands in {part.split('/')[1]} and has the same pixels as" in issue.message
    assert "in retain. Keep it" in issue.message


def test_a_copy_that_says_so_is_no_leak(found: Any, make_png: Any) -> None:
    assert found("leakage", {"multimodal/test": show(make_png(0))}) == []


def test_a_test_copy_of_a_forget_picture_is_a_leak(found: Any, make_png: Any) -> None:
    (issue,) = found("leakage", {"multimodal/test": show(make_png(2))})
    assert "stands in test and has the same pixels as" in issue.message


@pytest.mark.parametrize("copy", ["jpeg", "half", "brighter", "crop"])
def test_a_near_copy_in_another_split_is_a_leak(found: Any, make_scene: Any, copy: str) -> None:
    picture = make_scene(1)
    data = {
        "jpeg": lambda: encoded(picture, "JPEG", quality=40),
        "half": lambda: encoded(picture.resize((60, 60))),
        "brighter": lambda: encoded(picture.point([min(255, round(level * 1.12)) for level in range(256)] * 3)),
        "crop": lambda: encoded(picture.crop((2, 3, 118, 117))),
    }[copy]()
    changes = {"multimodal/forget": show(encoded(picture)), "multimodal/test": show(data)}
    (issue,) = found("leakage", changes)
    assert issue.code == "picture-leak"
    assert "shows the same as" in issue.message


def test_a_near_copy_that_says_so_is_no_leak(found: Any, make_scene: Any) -> None:
    changes = {
        "multimodal/retain": show(encoded(make_scene(1))),
        "multimodal/test": show(encoded(make_scene(1), "JPEG", quality=40)),
    }
    assert found("leakage", changes) == []


def test_other_pictures_of_the_same_kind_are_no_leak(found: Any, make_scene: Any) -> None:
    parts = ["multimodal/retain", "multimodal/forget", "multimodal/test", "multimodal/relearn"]
    assert found("leakage", {part: show(encoded(make_scene(seed))) for seed, part in enumerate(parts)}) == []


def poster(text: str, size: int = 300) -> bytes:
    """A screenshot that says something."""
    picture = Image.new("RGB", (size, 200), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, size, 24), fill=(30, 120, 220))
    pen.text((14, 60), text, font=ImageFont.load_default(20), fill="black")
    pen.text((14, 100), "Posted by transfer news", font=ImageFont.load_default(16), fill="black")
    return encoded(picture)


def test_one_template_with_other_text_is_a_warning_of_both_splits(found: Any) -> None:
    issues = found(
        "leakage",
        {
            "multimodal/retain": show(poster("Fee: 35 million")),
            "multimodal/forget": show(poster("Fee: 53 million")),
            "multimodal/relearn": show(poster("Fee: 30 million")),
        },
    )
    assert {(issue.severity, issue.code) for issue in issues} == {("warning", "picture-look-alike")}
    assert {issue.where for issue in issues} == {"retain and forget", "retain and relearn", "forget and relearn"}


def test_what_a_person_declared_to_be_different_is_no_leak(fresh: Any, edit_rows: Any, make_png: Any) -> None:
    pictures = [make_image_id("test", f"s1/{picture}") for picture in ("p1", "p3")]
    declare_apart(fresh.path, [(pictures[0], pictures[1])])
    edit_rows(fresh, "multimodal/forget", show(make_png(0)))
    assert run_check("leakage", fresh.path) == []


def test_one_image_id_in_two_splits_without_pictures(found: Any) -> None:
    def strip(rows: Rows) -> None:
        for row in rows:
            row.update(image=None, image_id="i-one" if row["subject_id"] == "s1" else row["image_id"])

    (issue,) = found("leakage", {"multimodal/retain": strip, "multimodal/forget": strip})
    assert (issue.code, issue.where) == ("picture-leak", "i-one")


def test_the_same_pixels_in_another_encoding_are_a_leak(found: Any) -> None:
    pictures = [make_image_id("test", f"s1/{picture}") for picture in ("p1", "p3")]

    def same_pixels(rows: Rows) -> None:
        for row in rows:
            row["pixels_sha256"] = "same" if row["image_id"] in pictures else row["image_id"]

    (issue,) = found("leakage", {"images": same_pixels})
    assert (issue.severity, issue.code) == ("error", "picture-leak")


def test_hashes_of_other_bytes_are_not_believed(found: Any, make_png: Any) -> None:
    def state(rows: Rows) -> None:
        for row in rows:
            row.update(sha256="0" * 64, pixels_sha256="same", phash="0" * 16)

    assert found("leakage", {"images": state}) == []


def test_a_damaged_picture_stops_nothing(found: Any, make_png: Any) -> None:
    issues = found("leakage", {"multimodal/retain": show(b"no picture"), "multimodal/forget": show(make_png(3))})
    assert [f.code for f in issues] == ["picture-leak"]
