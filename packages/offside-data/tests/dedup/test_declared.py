from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from appended import append_decisions

from offside_data.dataset.decisions import make_decision
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.undo import undo
from offside_data.dedup.declared import declare_apart, declared_apart
from offside_data.errors import UsageError
from offside_data.schema import make_image_id

A, B, C = (make_image_id("test", f"s1/p{number}") for number in (1, 3, 4))


def test_a_pair_holds_until_it_is_taken_back(fresh: OffsideDataset) -> None:
    (decision,) = declare_apart(fresh.path, [(A, B)], "another number")
    assert declared_apart(fresh.path) == {frozenset((A, B))}
    assert decision["why"] == "another number"
    undone = undo(fresh.path, decision["id"])
    assert declared_apart(fresh.path) == set()
    undo(fresh.path, undone.decision["id"])
    assert declared_apart(fresh.path) == {frozenset((A, B))}


def test_what_was_said_of_a_merged_picture_holds_for_the_kept_one(tmp_path: Path) -> None:
    merged = make_decision("duplicate", {"kept": C, "dropped": [B]}, "the same", command="dedup")
    append_decisions(tmp_path, [make_decision("not-duplicate", {"pictures": [A, B]}, "", command="dedup"), merged])
    assert declared_apart(tmp_path) == {frozenset((A, C))}


@pytest.mark.parametrize("what", [{}, "text", {"pictures": None}, {"pictures": [A]}])
def test_lines_that_say_nothing_declare_nothing(tmp_path: Path, what: Any) -> None:
    lines = [{"kind": kind, "what": what, "why": ""} for kind in ("not-duplicate", "duplicate", "undo")]
    (tmp_path / "decisions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert declared_apart(tmp_path) == set()


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([(A, A)], "are one picture"),
        ([(A, B), (B, A)], "were declared before"),
        ([(A, "nobody.png")], "unknown picture"),
    ],
)
def test_wrong_use(fresh: OffsideDataset, pairs: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        declare_apart(fresh.path, pairs)
    assert declared_apart(fresh.path) == set()
