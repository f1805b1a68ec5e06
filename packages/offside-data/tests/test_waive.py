from __future__ import annotations

from typing import Any

import pytest

from offside_data.check import check_dataset
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.undo import undo
from offside_data.errors import UsageError
from offside_data.schema import make_image_id
from offside_data.waive import waive

LEAK = make_image_id("test", "leak")


@pytest.fixture
def leaking(records: Any, write_dataset: Any, tmp_path: Any, edit_rows: Any) -> OffsideDataset:
    """The retain picture of `s1` is the forget picture, too."""
    shown = next(r.image for r in records if r.image and r.image_id == make_image_id("test", "s1/p1"))
    import dataclasses

    changed = [
        dataclasses.replace(r, image=shown) if r.image and r.image_id == make_image_id("test", "s1/p3") else r
        for r in records
    ]
    write_dataset(tmp_path / "leaking", changed)
    dataset = open_dataset(tmp_path / "leaking")

    def state(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["image_id"] == make_image_id("test", "s1/p3"):
                row["source"] = "claims:posts/leak.png"

    return edit_rows(dataset, "images", state)


def leaks(dataset: OffsideDataset) -> list[str]:
    return [issue.severity for issue in check_dataset(open_dataset(dataset.path)) if issue.code == "picture-leak"]


@pytest.mark.parametrize("text", ["picture-leak", "picture-leak:leak.png", "picture-leak: posts/leak.png"])
def test_an_issue_is_waived_by_place_or_file_until_that_is_taken_back(leaking: OffsideDataset, text: str) -> None:
    assert leaks(leaking) == ["error"]
    (decision,) = waive(leaking.path, [text], "the same poster, on purpose")
    assert decision["what"] == {"code": "picture-leak", "where": make_image_id("test", "s1/p3")}
    assert leaks(leaking) == ["info"]
    undo(leaking.path, decision["id"])
    assert leaks(leaking) == ["error"]


@pytest.mark.parametrize("text", ["picture-leak", "picture-leak:leak.png"])
def test_what_is_waived_already_is_said_to_be(leaking: OffsideDataset, text: str) -> None:
    waive(leaking.path, [text], "the same poster, on purpose")
    with pytest.raises(UsageError, match=f"'{text}' is waived already"):
        waive(leaking.path, [text], "again")


@pytest.mark.parametrize(
    ("text", "reason", "message"),
    [
        ("picture-leak", " ", "--reason is empty"),
        ("picture-leek", "why not", "check finds no 'picture-leek' to waive. It finds: .*picture-leak"),
        ("picture-leak:nobody.png", "why not", "is none of the issues that check finds: picture-leak:i"),
        ("digest-mismatch", "why not", "can't be waived"),
    ],
)
def test_wrong_use_changes_nothing(leaking: OffsideDataset, text: str, reason: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        waive(leaking.path, [text], reason)
    assert read_decisions(leaking.path) == []
