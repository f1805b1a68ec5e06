from __future__ import annotations

from typing import Any


def test_records_whose_value_nobody_can_read_are_counted_file_by_file(found: Any, setter: Any) -> None:
    lacking = {"answer": "The player was with TBC.", "value": None}
    changes = {part: setter("s1", "club", **lacking) for part in ("multimodal/retain", "text/retain")}
    issues = found("values", changes)
    assert [(issue.severity, issue.code) for issue in issues] == [("warning", "no-value")] * 2
    assert {issue.where for issue in issues} == set(changes)
    assert all("no value can be read" in issue.message for issue in issues)


def test_free_texts_and_questions_about_nobody_need_none(found: Any, setter: Any) -> None:
    assert found("values") == []
