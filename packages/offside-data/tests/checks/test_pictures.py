from __future__ import annotations

import hashlib
from typing import Any


def without(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["image"] = None


def test_a_missing_picture(found: Any, setter: Any) -> None:
    (issue,) = found("pictures", {"multimodal/retain": setter("s1", "club", image=None)})
    assert (issue.severity, issue.code) == ("error", "image-missing")
    assert "there is none" in issue.message


def test_a_picture_given_by_its_path_alone(found: Any, setter: Any) -> None:
    change = setter("s1", "club", image={"bytes": None, "path": "/home/me/p1.png"})
    (issue,) = found("pictures", {"multimodal/retain": change})
    assert "only the path '/home/me/p1.png' is stored" in issue.message


def test_no_picture_at_all_is_one_warning(found: Any) -> None:
    parts = ["multimodal/retain", "multimodal/forget", "multimodal/test", "multimodal/relearn"]
    (issue,) = found("pictures", dict.fromkeys(parts, without))
    assert (issue.severity, issue.code) == ("warning", "images-absent")
    assert "none of the 32 picture records" in issue.message


def test_unreadable_pictures(found: Any, make_png: Any) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["subject_id"] == "s1":
                row["image"] = {"bytes": b"not a picture", "path": "a.png"}
            if row["subject_id"] == "s2":
                row["image"] = {"bytes": row["image"]["bytes"][:700], "path": "b.png"}

    issues = found("pictures", {"multimodal/retain": spoil})
    assert [(f.severity, f.code) for f in issues] == [("error", "image-unreadable")] * 2


def test_one_id_for_two_pictures(found: Any, setter: Any, make_png: Any) -> None:
    change = setter("s1", "club", image={"bytes": make_png(77), "path": "p1.png"})
    (issue,) = found("pictures", {"multimodal/retain": change})
    assert (issue.severity, issue.code) == ("error", "image-differs")


def test_a_picture_without_a_row(found: Any) -> None:
    (issue,) = found("pictures", {"images": lambda rows: rows[1:]})
    assert (issue.severity, issue.code) == ("warning", "image-unlisted")


def test_a_row_with_another_hash(found: Any, make_png: Any) -> None:
    def state(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["sha256"] = hashlib.sha256(make_png(0)).hexdigest()

    issues = found("pictures", {"images": state})
    assert {f.code for f in issues} == {"image-hash"}
    assert len(issues) == 15  # All but the one that it is the hash of.
