from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from offside_data.errors import DatasetError
from offside_data.issues import Issue, apply_waivers, read_waivers

WHY = "the same poster, on purpose"
WAIVER = {"kind": "waiver", "what": {"code": "picture-leak", "where": "i1"}, "why": WHY}
OLD_WAIVER = {"kind": "waiver", "code": "picture-leak", "where": "i1", "reason": WHY}


@pytest.fixture
def decisions(tmp_path: Path) -> Any:
    def write(*lines: Any) -> Path:
        path = tmp_path / "decisions.jsonl"
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
        return path

    return write


def test_no_file_no_waivers(tmp_path: Path) -> None:
    assert read_waivers(tmp_path / "decisions.jsonl") == ([], [])


def test_other_decisions_are_passed_over(decisions: Any) -> None:
    waivers, issues = read_waivers(decisions({"kind": "dedup"}, "", WAIVER))
    assert [(w.line, w.code, w.where) for w in waivers] == [(3, "picture-leak", "i1")]
    assert issues == []


def test_waivers_of_older_versions_count_the_same(decisions: Any) -> None:
    assert read_waivers(decisions(OLD_WAIVER)) == read_waivers(decisions(WAIVER))
    assert read_waivers(decisions(OLD_WAIVER))[0][0].why == WHY


@pytest.mark.parametrize(
    ("waiver", "lacking"),
    [
        ({**WAIVER, "what": {"code": " ", "where": "i1"}}, "code"),
        ({**WAIVER, "what": {"code": "picture-leak"}}, "where"),
        ({**WAIVER, "why": ""}, "why"),
        ({**WAIVER, "what": "picture-leak"}, "code, where"),
        ({**OLD_WAIVER, "code": None}, "code"),
        ({**OLD_WAIVER, "where": " "}, "where"),
        ({**OLD_WAIVER, "reason": " "}, "why"),
    ],
)
def test_a_waiver_needs_all_it_says(decisions: Any, waiver: dict[str, Any], lacking: str) -> None:
    waivers, issues = read_waivers(decisions(waiver))
    assert waivers == []
    assert [(f.severity, f.code, f.where) for f in issues] == [("error", "waiver-invalid", "decisions.jsonl:1")]
    assert f"lacks {lacking};" in issues[0].message


def test_no_reason_makes_a_wrong_digest_right(decisions: Any) -> None:
    waivers, issues = read_waivers(decisions({**OLD_WAIVER, "code": "digest-mismatch"}))
    assert waivers == []
    assert "can't be waived" in issues[0].message


@pytest.mark.parametrize("line", ["{", "[1]", "3"])
def test_malformed_lines_are_found(decisions: Any, line: str) -> None:
    waivers, issues = read_waivers(decisions(line, WAIVER))
    assert len(waivers) == 1
    assert [f.code for f in issues] == ["decisions-malformed"]


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(b"\xff")
    with pytest.raises(DatasetError, match="UTF-8"):
        read_waivers(tmp_path / "decisions.jsonl")


def test_a_waiver_silences_one_issue(decisions: Any) -> None:
    waivers, _ = read_waivers(decisions(WAIVER))
    one, other = (
        Issue("error", "picture-leak", "i1", "Twice."),
        Issue("error", "picture-leak", "i2", "Twice."),
    )
    assert list(apply_waivers([one, other], waivers)) == [
        Issue("info", "picture-leak", "i1", "Twice. Waived: the same poster, on purpose"),
        other,
    ]


def test_a_waiver_without_use_is_warned_about(decisions: Any) -> None:
    waivers, _ = read_waivers(decisions(WAIVER))
    (issue,) = apply_waivers([], waivers)
    assert (issue.severity, issue.code, issue.where) == (
        "warning",
        "waiver-unused",
        "decisions.jsonl:1",
    )
