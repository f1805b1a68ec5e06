from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from raw_card import edit_block
from run_check import run_check

from offside_data.check import CHECKS, Issue, check_dataset, check_reference
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import DatasetReferenceError


def codes(issues: list[Issue]) -> list[tuple[str, str]]:
    return [(f.severity, f.code) for f in issues]


def test_a_good_dataset_has_no_issues(small: OffsideDataset) -> None:
    assert check_dataset(small) == []
    assert check_reference(small.path, strict=True) == []


@pytest.mark.parametrize("name", CHECKS.names())
def test_every_check_says_what_it_asks_and_runs(small: OffsideDataset, name: str) -> None:
    assert CHECKS.load(name).__doc__
    assert run_check(name, small.path) == []


def test_another_file_is_another_check(small: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = ModuleType("extra")
    extra.run = lambda checked: [  # type: ignore[attr-defined]
        Issue("info", "b", "x", "."),
        Issue("warning", "c", "x", "."),
        Issue("error", "d", "x", "."),
        Issue("error", "a", "x", "."),
    ]
    load = CHECKS.load
    monkeypatch.setattr(type(CHECKS), "names", lambda self: ["extra", "card"])
    monkeypatch.setattr(type(CHECKS), "load", lambda self, name: extra if name == "extra" else load(name))
    assert codes(check_dataset(small)) == [("error", "a"), ("error", "d"), ("warning", "c"), ("info", "b")]
    assert codes(check_dataset(small, strict=True))[:3] == [("error", "a"), ("error", "c"), ("error", "d")]


def test_a_broken_file_is_one_issue(fresh: OffsideDataset) -> None:
    fresh.files("text/forget")[0].write_bytes(b"PAR1")
    found = codes(check_dataset(open_dataset(fresh.path)))
    assert ("error", "file-unreadable") in found
    assert ("error", "digest-mismatch") in found


def test_a_card_that_cannot_be_read_is_an_issue(tmp_path: Path, fresh: OffsideDataset) -> None:
    (tmp_path / "README.md").write_text("no card")
    assert codes(check_reference(tmp_path)) == [("error", "card-malformed")]
    edit_block(fresh.path, name="a b", settings=["total"])
    (issue,) = check_reference(fresh.path)
    assert (issue.severity, issue.code, issue.where) == ("error", "card-malformed", str(fresh.path))
    assert "key 'name': must be a name" in issue.message
    assert "key 'settings.0': must be one of" in issue.message
    fresh.card.save(fresh.path)
    (fresh.path / "taxonomy.yaml").write_text("- 3")
    assert codes(check_reference(fresh.path)) == [("error", "taxonomy-malformed")]


def test_what_is_not_there_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(DatasetReferenceError):
        check_reference(tmp_path / "gone")


def test_a_waiver_lets_an_issue_pass(fresh: OffsideDataset, edit_rows: Any) -> None:
    def repeat(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["suspect"] = "two runs in one group" if row["subject_id"] == "s1" else None

    dataset = edit_rows(fresh, "text/forget", repeat)
    (suspect,) = [f for f in check_dataset(dataset) if f.code == "suspect"]
    waiver = {"kind": "waiver", "what": {"code": "suspect", "where": suspect.where}, "why": "looked at, fine"}
    (dataset.path / "decisions.jsonl").write_text(json.dumps(waiver))
    (waived,) = [f for f in check_dataset(dataset, strict=True) if f.code == "suspect"]
    assert waived.severity == "info"
    assert waived.message.endswith("Waived: looked at, fine")
