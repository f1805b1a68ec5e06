"""Answers: read from what the server has, kept in records, the same when they are pulled again."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from offside_data.annotation.answers import RecordJudgement, judgements_of, merged, read_results

SAID = RecordJudgement(annotator="a1", at="2026-01-02T03:04:05Z", answers={"veracity": "rumor"}, id="x", shown="h")


def plain(*said: RecordJudgement) -> list[dict[str, str]]:
    return [dataclasses.asdict(judgement.to_annotation()) for judgement in said]


def test_results_become_answers(results: Any) -> None:
    told = results(veracity="rumor", picture=["unreadable", "several people"], value=" 1 July\n2019 ", comment="x")
    answers, unknown = read_results(told)
    assert answers == {
        "veracity": "rumor",
        "picture": ("several people", "unreadable"),
        "value": "1 July 2019",
        "comment": "x",
    }
    assert unknown == {}


@pytest.mark.parametrize(
    ("result", "unknown"),
    [
        ({"from_name": "veracity", "value": {"choices": ["maybe"]}}, {"veracity": ["maybe"]}),
        ({"from_name": "veracity", "value": {"choices": ["fact", "rumor"]}}, {"veracity": ["fact", "rumor"]}),
        ({"from_name": "mood", "value": {"choices": ["good"]}}, {"mood": {"choices": ["good"]}}),
        ({"from_name": "veracity", "value": {"choices": [1]}}, {"veracity": {"choices": [1]}}),
        ({"from_name": "veracity", "value": {"rating": 3}}, {"veracity": {"rating": 3}}),
        ("odd", {"?": "odd"}),
    ],
)
def test_what_the_interface_does_not_offer_is_kept_apart(result: Any, unknown: dict[str, Any]) -> None:
    assert read_results([result]) == ({}, unknown)


def test_of_several_choices_those_that_are_offered_count(results: Any) -> None:
    """Somebody may add choices to the interface; what else was ticked was ticked all the same."""
    told = results(picture=['it\'s "so", they say', "unreadable", "several people"])
    expected = {"picture": ("several people", "unreadable")}
    assert read_results(told) == (expected, {"picture": ['it\'s "so", they say']})


def test_an_empty_text_or_choice_is_no_answer(results: Any) -> None:
    assert read_results(results(comment="  ", picture=[])) == ({}, {})


@pytest.mark.parametrize(
    "said",
    [
        SAID,
        dataclasses.replace(SAID, skipped=True, answers={}),
        dataclasses.replace(SAID, round=2, answers={"picture": ("unreadable",)}, unknown={"veracity": ["maybe"]}),
    ],
)
def test_a_record_keeps_all_of_it(said: RecordJudgement) -> None:
    assert judgements_of(plain(said)) == [said]


def test_annotations_of_others_stay() -> None:
    theirs = {"annotator": "someone", "value": "rumour", "at": "2025"}
    assert judgements_of([theirs]) == []
    assert merged([theirs], [SAID]) == [theirs, *plain(SAID)]


def test_pulling_again_changes_nothing_and_a_correction_replaces() -> None:
    once = merged(None, [SAID])
    assert merged(once, [SAID]) == once
    corrected = dataclasses.replace(SAID, answers={"veracity": "fact"}, at="2026-01-03T00:00:00Z")
    assert judgements_of(merged(once, [corrected])) == [corrected]
    second = dataclasses.replace(SAID, id="y", annotator="a2")
    assert judgements_of(merged(once, [second])) == [SAID, second]
