from __future__ import annotations

from typing import Any


def test_a_character_that_nobody_sees(found: Any, setter: Any) -> None:
    change = setter("s1", "nationality", answer="The player represents A\u200bvaria\u202e.")
    (issue,) = found("invisible", {"multimodal/retain": change})
    assert (issue.severity, issue.code) == ("warning", "invisible-character")
    assert "its answer holds U+200B, U+202E, which nobody sees" in issue.message


def test_what_people_can_read(found: Any, setter: Any) -> None:
    assert found("invisible", {"multimodal/retain": setter("s1", "nationality", answer="Ångström\u00a0–\tÉire")}) == []
