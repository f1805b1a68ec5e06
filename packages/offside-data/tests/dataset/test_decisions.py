from __future__ import annotations

import json
from pathlib import Path

import pytest
from appended import append_decisions

from offside_data.dataset.decisions import make_decision, read_decisions
from offside_data.errors import DatasetError


def test_decisions_are_appended_and_read_back(tmp_path: Path) -> None:
    first = make_decision(
        "duplicate", {"image_id": "i1"}, "same pixels as i2", command="dedup", when="2026-01-01T00:00:00"
    )
    second = make_decision("undo", {"decision": first["id"]}, "was different", command="undo")
    append_decisions(tmp_path, [first])
    append_decisions(tmp_path, [second])
    assert read_decisions(tmp_path) == [first, second]
    assert first["id"] != second["id"]
    assert "dedup" in first["who"]


def test_all_lines_have_the_same_fields(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_text(
        '{"kind": "waiver", "code": "suspect", "where": "r1", "reason": "looked at"}\n'
        '{"kind": "note", "what": {"file": "a"}, "why": "by hand", "who": "a curator"}\n'
    )
    before = read_decisions(tmp_path)
    append_decisions(tmp_path, [make_decision("tag", {}, "parsed", command="tag")])
    written = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert written[:2] == before  # Filling in makes the same ids every time.
    assert {tuple(sorted(line)) for line in written} == {("id", "kind", "what", "when", "who", "why")}
    assert (written[0]["what"], written[0]["why"]) == ({"code": "suspect", "where": "r1"}, "looked at")
    assert (written[1]["who"], written[1]["when"]) == ("a curator", "")
    assert len({line["id"] for line in written}) == 3


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(b"\xff")
    with pytest.raises(DatasetError, match="UTF-8"):
        read_decisions(tmp_path)


def test_a_folder_without_decisions_has_none(tmp_path: Path) -> None:
    assert read_decisions(tmp_path) == []


@pytest.mark.parametrize("line", ["{", "[1]"])
def test_a_damaged_line_is_named_and_nothing_is_added(tmp_path: Path, line: str) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text('{"kind": "note"}\n' + line + "\n")
    with pytest.raises(DatasetError, match=r"decisions\.jsonl:2"):
        append_decisions(tmp_path, [])
    assert path.read_text().endswith(line + "\n")


def test_odd_ends_of_lines_in_a_text_end_no_line(tmp_path: Path) -> None:
    why = "one\u2028two\x85three\x0bfour"
    append_decisions(tmp_path, [make_decision("rejected", {"id": "r1"}, why, command="test")])
    assert [decision["why"] for decision in read_decisions(tmp_path)] == [why]


@pytest.mark.parametrize("line", ['{"kind": {"a": 1}}', '{"kind": "waiver", "id": [1]}'])
def test_a_decision_is_named_by_texts(tmp_path: Path, line: str) -> None:
    (tmp_path / "decisions.jsonl").write_text(f"{line}\n")
    with pytest.raises(DatasetError, match=r"decisions\.jsonl:1: must hold one JSON object, its `id` and `kind` texts"):
        read_decisions(tmp_path)
