from __future__ import annotations

from typing import Any

import pytest

from offside_data.schema import make_record_id


@pytest.mark.parametrize("origin", [None, "i-elsewhere"])
def test_private_test_records_come_from_a_retain_picture(found: Any, setter: Any, origin: str | None) -> None:
    (issue,) = found("roles", {"multimodal/test": setter("s1", "club", derived_from=origin)})
    assert (issue.severity, issue.code) == ("error", "test-not-derived")


def test_shared_test_records_need_not(found: Any, setter: Any) -> None:
    assert found("roles", {"multimodal/test": setter("s1", "nationality", derived_from=None)}) == []


def test_a_correction_of_nothing(found: Any, setter: Any) -> None:
    (issue,) = found("roles", {"multimodal/relearn": setter("s1", "club", corrects="r-gone")})
    assert (issue.severity, issue.code) == ("error", "corrects-dangling")


@pytest.mark.parametrize(("subject", "picture", "attribute"), [("s2", "p3", "club"), ("s1", "p1", "club")])
def test_a_correction_of_something_else(found: Any, setter: Any, subject: str, picture: str, attribute: str) -> None:
    other = make_record_id("test", subject, f"{subject}/{picture}", attribute, "multimodal")
    (issue,) = found("roles", {"multimodal/relearn": setter("s1", "club", corrects=other)})
    assert (issue.severity, issue.code) == ("error", "corrects-mismatch")


def test_a_correction_that_names_no_rumor(found: Any, setter: Any) -> None:
    (issue,) = found("roles", {"multimodal/relearn": setter("s1", "club", corrects=None)})
    assert (issue.severity, issue.code) == ("warning", "correction-unlinked")


def test_held_out_subjects_stay_out(found: Any) -> None:
    def hold_out(rows: list[dict[str, Any]]) -> None:
        rows[0]["cohort"] = "holdout"

    (issue,) = found("roles", {"subjects": hold_out})
    assert (issue.severity, issue.code, issue.where) == ("error", "holdout-leak", "s1")
