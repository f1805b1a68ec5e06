from __future__ import annotations

from typing import Any


def test_a_record_outside_the_model(found: Any, setter: Any) -> None:
    changes = {
        "multimodal/retain": setter("s1", "nationality", attribute="shoe_size"),
        "text/forget": setter("s2", "club", answer=None),
    }
    issues = found("records", changes)
    assert [(f.severity, f.code) for f in issues] == [("error", "record-invalid")] * 2
    assert "'shoe_size' isn't in the taxonomy" in issues[0].message
    assert issues[1].message == "answer may not be null."


def test_a_record_in_another_s_file(found: Any, setter: Any) -> None:
    (issue,) = found("records", {"multimodal/retain": setter("s1", "club", split="test")})
    assert (issue.code, issue.message) == (
        "wrong-file",
        "a multimodal/test record lies in multimodal/retain.",
    )


def test_an_id_that_stands_twice(found: Any) -> None:
    (issue,) = found("records", {"text/retain": lambda rows: [*rows, rows[0]]})
    assert (issue.severity, issue.code) == ("error", "duplicate-record-id")
    assert "stands 2 times" in issue.message


def test_rows_of_tables_that_stand_twice(found: Any) -> None:
    twice = {table: lambda rows: [*rows, rows[0]] for table in ("subjects", "images")}
    assert [f.code for f in found("records", twice)] == ["duplicate-subject-id", "duplicate-image-id"]


def test_suspects_are_warned_about(found: Any, setter: Any) -> None:
    (issue,) = found("records", {"text/retain": setter("s1", "club", suspect="contradicts another record")})
    assert (issue.severity, issue.code) == ("warning", "suspect")
    assert "contradicts another record" in issue.message


def test_a_subject_without_a_row(found: Any) -> None:
    (issue,) = found("records", {"subjects": lambda rows: rows[1:]})
    assert (issue.severity, issue.code, issue.where) == ("warning", "subject-unlisted", "s1")
