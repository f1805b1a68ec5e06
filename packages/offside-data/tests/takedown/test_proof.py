from __future__ import annotations

import json
from pathlib import Path

import pytest

from offside_data.issues import Issue
from offside_data.takedown.names import Traces, name_traces, near_traces
from offside_data.takedown.proof import Proof, save_proof
from offside_data.takedown.search import Clue

TRACES = Traces.of(name_traces("Orlo Vantis") | near_traces("Orlo Vantis"))
LEFT = Clue("left", "photos/orlo-vantis.png", "its own name.")
NEAR = Clue("near", "of O. Vantis.txt:2", "initials.")
UNREAD = Clue("unread", "a.7z", "unknown.")


@pytest.mark.parametrize(
    ("clues", "verdict"),
    [
        ((), "nothing left"),
        ((NEAR,), "to be looked at"),
        ((UNREAD,), "to be looked at"),
        ((NEAR, LEFT, UNREAD), "something left"),
    ],
)
def test_the_verdict(clues: tuple[Clue, ...], verdict: str) -> None:
    assert Proof(clues=clues).verdict == verdict


def test_only_what_is_left_fails_a_check() -> None:
    issues = Proof(clues=(LEFT, NEAR, UNREAD)).issues
    assert [(issue.severity, issue.code) for issue in issues] == [
        ("error", "taken-down"),
        ("warning", "taken-down-near"),
        ("warning", "taken-down-unread"),
    ]
    assert isinstance(issues[0], Issue)


def test_a_proof_is_two_files_that_name_nobody(tmp_path: Path) -> None:
    proof = Proof(
        clues=(LEFT, NEAR, UNREAD),
        methods=("names",),
        not_looked_for=("copies",),
        digests={"dataset": {"before": "sha256:a", "after": "sha256:b"}},
    )
    path = save_proof(tmp_path, proof, TRACES)
    told = json.loads(path.read_text())
    assert told["verdict"] == "something left"
    assert told["left"] == [{"where": "photos/(removed).png", "what": "its own name."}]
    assert told["near"][0]["where"] == "of (removed).txt:2"
    assert (told["unread"], told["digests"]["dataset"]["after"]) == (
        [{"where": "a.7z", "what": "unknown."}],
        "sha256:b",
    )
    text = path.with_suffix(".md").read_text()
    assert "# Proof of a takedown: something left" in text
    assert "- `a.7z`: unknown." in text
    assert not TRACES.search(text + path.read_text())


@pytest.mark.parametrize("name", ["Left", "Anna Where", "Verdict", "Dataset"])
def test_a_name_that_is_a_word_of_ours_does_not_spoil_the_proof(tmp_path: Path, name: str) -> None:
    proof = Proof(clues=(LEFT, UNREAD), digests={"dataset": {"before": "sha256:a", "after": "sha256:b"}})
    path = save_proof(tmp_path, proof, Traces.of(name_traces(name) | near_traces(name)))
    told = json.loads(path.read_text())
    assert told["verdict"] == "something left"
    assert told["left"] == [{"where": LEFT.where, "what": LEFT.what}]
    assert told["digests"]["dataset"]["before"] == "sha256:a"
    assert path.with_suffix(".md").is_file()
