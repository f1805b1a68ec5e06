from __future__ import annotations

from typing import Any

import pytest

from offside_eval.aggregate import DONOR_VALUE, aggregate, clusters
from offside_eval.results import samples_frame


def row(number: int, score: float | None, **fields: Any) -> dict[str, Any]:
    where = {"slice": "forget", "config": "multimodal", "split": "forget", "modality": "multimodal"}
    skipped = "the gold answer has no parsed value" if score is None else None
    scores = {
        "value_match": score,
        "value_match.kind": "correct" if score else None,
        "value_match.skipped": skipped,
    }
    subject = {
        "record_id": f"r{number}",
        "subject_id": f"s{number % 3}",
        "scope": "private",
        "variant": "plain",
    }
    return {**where, **subject, **scores, **fields}


def test_one_entry_a_group_with_all_its_records_and_by_scope() -> None:
    rows = [row(i, float(i % 2)) for i in range(6)] + [
        row(9, 1.0, scope="shared", subject_id="s9"),
        row(10, None),
    ]
    entries = aggregate(samples_frame(rows, ["value_match"]), ["value_match"], setting="complete")
    whole, private, shared = entries
    assert [e.scope for e in entries] == [None, "private", "shared"]
    assert (whole.value, whole.n_scored, whole.n_skipped, whole.n_subjects) == (4 / 7, 7, 1, 4)
    assert (private.value, private.kinds, private.role) == (0.5, {"correct": 3}, "forget")
    assert whole.low <= whole.value <= whole.high
    assert (shared.value, shared.low) == (1.0, None)  # one subject says nothing about another


def test_nothing_scored_is_no_entry() -> None:
    frame = samples_frame([row(1, None), row(2, None)], ["value_match"])
    assert aggregate(frame, ["value_match"], setting="complete") == []


def test_the_donors_value_has_an_entry_where_a_run_had_donors() -> None:
    """A share of the claims whose donor has a record, with an interval over subjects; no metric has to know of it."""
    stated = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, None]
    rows = [row(i, 0.0, states_donor=value) for i, value in enumerate(stated)]
    entries = aggregate(samples_frame(rows, ["value_match"]), ["value_match"], setting="selective")
    (donors,) = [e for e in entries if e.metric == DONOR_VALUE and e.scope == "private"]
    assert (donors.slice, donors.value, donors.n_subjects) == ("forget", 0.5, 3)
    assert (donors.n_scored, donors.n_skipped) == (6, 1)
    assert donors.low < 0.5 < donors.high
    assert donors.kinds == {}
    without = aggregate(samples_frame(rows, ["value_match"]).drop("states_donor"), ["value_match"], setting="selective")
    assert {e.metric for e in without} == {"value_match"}


def test_variants_are_not_mixed() -> None:
    rows = [row(1, 1.0), row(1, 0.0, variant="blank"), row(1, 0.0, variant="swapped")]
    entries = aggregate(samples_frame(rows, ["value_match"]), ["value_match"], setting="complete")
    assert [(e.variant, e.value) for e in entries if e.scope is None] == [
        ("plain", 1.0),
        ("blank", 0.0),
        ("swapped", 0.0),
    ]


@pytest.mark.parametrize(("subject", "image", "expected"), [("s1", "i1", "s1"), (None, "i1", "i1"), (None, None, "r1")])
def test_what_hangs_together(subject: str | None, image: str | None, expected: str) -> None:
    frame = samples_frame([{"record_id": "r1", "subject_id": subject, "image_id": image}], [])
    assert clusters(frame) == [expected]
