from __future__ import annotations

from typing import Any

import pytest

from offside_data.schema import make_image_id, make_record_id


def same_picture(split_rows: list[dict[str, Any]], make_png: Any, seed: int, **fields: Any) -> None:
    for row in split_rows:
        if row["subject_id"] == "s1":
            row.update(image={"bytes": make_png(seed), "path": "x.png"}, **fields)


@pytest.mark.parametrize("part", ["multimodal/forget", "multimodal/relearn"])
def test_the_same_picture_in_two_splits(found: Any, make_png: Any, part: str) -> None:
    (finding,) = found("roles", {part: lambda rows: same_picture(rows, make_png, 0)})
    assert (finding.severity, finding.code) == ("error", "picture-leak")
    assert f"stands in retain and {part.split('/')[1]}" in finding.message


def test_a_copy_that_says_so_is_no_leak(found: Any, make_png: Any) -> None:
    assert found("roles", {"multimodal/test": lambda rows: same_picture(rows, make_png, 0)}) == []


def test_a_test_copy_of_a_forget_picture_is_a_leak(found: Any, make_png: Any) -> None:
    (finding,) = found("roles", {"multimodal/test": lambda rows: same_picture(rows, make_png, 2)})
    assert "stands in forget and test" in finding.message


def test_one_image_id_in_two_splits_without_pictures(found: Any) -> None:
    def strip(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row.update(image=None, image_id="i-one" if row["subject_id"] == "s1" else row["image_id"])

    findings = found("roles", {"multimodal/retain": strip, "multimodal/forget": strip})
    assert "picture-leak" in {f.code for f in findings}


def test_the_same_pixels_in_another_encoding_are_a_leak(found: Any) -> None:
    pictures = [make_image_id("test", f"s1/{picture}") for picture in ("p1", "p3")]

    def same_pixels(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["pixels_sha256"] = "same" if row["image_id"] in pictures else row["image_id"]

    (finding,) = found("roles", {"images": same_pixels})
    assert (finding.severity, finding.code) == ("error", "picture-leak")
    assert "stands in retain and forget" in finding.message


@pytest.mark.parametrize("origin", [None, "i-elsewhere"])
def test_private_test_records_come_from_a_retain_picture(found: Any, setter: Any, origin: str | None) -> None:
    (finding,) = found("roles", {"multimodal/test": setter("s1", "club", derived_from=origin)})
    assert (finding.severity, finding.code) == ("error", "test-not-derived")


def test_shared_test_records_need_not(found: Any, setter: Any) -> None:
    assert found("roles", {"multimodal/test": setter("s1", "nationality", derived_from=None)}) == []


def test_a_correction_of_nothing(found: Any, setter: Any) -> None:
    (finding,) = found("roles", {"multimodal/relearn": setter("s1", "club", corrects="r-gone")})
    assert (finding.severity, finding.code) == ("error", "corrects-dangling")


@pytest.mark.parametrize(("subject", "picture", "attribute"), [("s2", "p3", "club"), ("s1", "p1", "club")])
def test_a_correction_of_something_else(found: Any, setter: Any, subject: str, picture: str, attribute: str) -> None:
    other = make_record_id("test", subject, f"{subject}/{picture}", attribute, "multimodal")
    (finding,) = found("roles", {"multimodal/relearn": setter("s1", "club", corrects=other)})
    assert (finding.severity, finding.code) == ("error", "corrects-mismatch")


def test_a_correction_that_names_no_rumor(found: Any, setter: Any) -> None:
    (finding,) = found("roles", {"multimodal/relearn": setter("s1", "club", corrects=None)})
    assert (finding.severity, finding.code) == ("warning", "correction-unlinked")


def test_held_out_subjects_stay_out(found: Any) -> None:
    def hold_out(rows: list[dict[str, Any]]) -> None:
        rows[0]["cohort"] = "holdout"

    (finding,) = found("roles", {"subjects": hold_out})
    assert (finding.severity, finding.code, finding.where) == ("error", "holdout-leak", "s1")
