from __future__ import annotations

from typing import Any

from offside_data.dataset.digest import row_leaf


def test_a_changed_record_is_named(found: Any, setter: Any) -> None:
    issues = found("content", {"text/retain": setter("s2", "club", answer="The player was with nobody.")})
    assert [(f.severity, f.code) for f in issues] == [
        ("error", "digest-mismatch"),
        ("error", "digest-mismatch"),
        ("error", "content-hash"),
    ]
    assert issues[0].where == "offside.digest"
    assert issues[1].where == "offside.splits.text/retain.digest"


def test_a_changed_record_with_a_fitting_hash_is_still_noticed(found: Any) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["answer"] = "The player was with nobody."
        rows[0]["content_hash"] = row_leaf(rows[0], None).hex()

    assert {f.code for f in found("content", {"text/retain": change})} == {"digest-mismatch"}


def test_a_changed_table_is_noticed(found: Any) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["occasion"] = "the gala of May 2021"

    (issue,) = found("content", {"images": change})
    assert issue.where == "offside.digest"


def test_the_order_of_rows_does_not_matter(found: Any) -> None:
    assert found("content", {"multimodal/retain": lambda rows: rows[::-1]}) == []
