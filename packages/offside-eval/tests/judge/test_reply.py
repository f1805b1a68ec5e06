"""Only a number from 0 to 10 in exactly one JSON object is a score."""

from __future__ import annotations

import json
from typing import Any

import pytest

from offside_eval.judge.reply import Verdict, read_reply
from offside_eval.judge.rubric import Rubric

RUBRIC = Rubric.load("factuality")


def reply(content: Any, *, finish: str | None = "stop", **message: Any) -> Verdict:
    told = {"choices": [{"message": {"content": content, **message}, "finish_reason": finish}]}
    return read_reply(json.dumps(told).encode(), "application/json", RUBRIC)


@pytest.mark.parametrize(
    ("content", "score"),
    [
        ('{"factuality": 7}', 7.0),
        ('{"factuality": 0, "reason": "no"}', 0.0),
        ('\n {"reason": "yes", "factuality": 9.5}\n', 9.5),
        ('{"factuality": 1e1}', 10.0),
        ('{"factuality": 3, "reason": null}', 3.0),
    ],
)
def test_what_is_a_score(content: str, score: float) -> None:
    verdict = reply(content)
    assert (verdict.score, verdict.reason) == (score, None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("10/10", "isn't one JSON object"),
        ("7", "isn't a JSON object"),
        ("[7]", "isn't a JSON object"),
        ('"7"', "isn't a JSON object"),
        ("null", "isn't a JSON object"),
        ('{"factuality": NaN}', "NaN is no number"),
        ('{"factuality": Infinity}', "Infinity is no number"),
        ('{"factuality": 1e999}', "not from 0 to 10"),
        ('{"factuality": 11}', "not from 0 to 10"),
        ('{"factuality": -1}', "not from 0 to 10"),
        ('{"factuality": 10.0001}', "not from 0 to 10"),
        ('{"factuality": true}', "not a number"),
        ('{"factuality": "7"}', "not a number"),
        ('{"factuality": "10/10"}', "not a number"),
        ('{"factuality": null}', "not a number"),
        ('{"factuality": [7]}', "not a number"),
        ('{"score": 7}', "has the keys score"),
        ('{"factuality": 7, "score": 7}', "has the keys factuality, score"),
        ("{}", "has the keys"),
        ('{"factuality": 1, "factuality": 10}', "twice"),
        ('Sure! {"factuality": 7}', "isn't one JSON object"),
        ('{"factuality": 7} That is all.', "isn't one JSON object"),
        ('{"factuality": 7}{"factuality": 8}', "isn't one JSON object"),
        ('```json\n{"factuality": 7}\n```', "isn't one JSON object"),
        ('{"factuality": 7', "isn't one JSON object"),
        ('{"factuality": ' + "9" * 5000 + "}", "isn't one JSON object"),
        ("[" * 100_000, "isn't one JSON object"),
        ("", "said nothing"),
        (None, "said nothing"),
        ([{"type": "text", "text": '{"factuality": 7}'}], "said nothing"),
    ],
)
def test_what_is_none(content: Any, why: str) -> None:
    verdict = reply(content)
    assert verdict.score is None
    assert why in (verdict.reason or "")
    assert verdict.of_judge
    assert verdict.passing


def test_declined_cut_and_filtered_are_unscored_for_good() -> None:
    good = '{"factuality": 7}'
    for verdict, why in (
        (reply(good, refusal="I can't judge people."), "declined"),
        (reply(good, finish="length"), "cut"),
        (reply(good, finish="content_filter"), "filter"),
    ):
        assert (verdict.score, verdict.passing, verdict.of_judge) == (None, False, True)
        assert why in (verdict.reason or "")


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Bad gateway</body></html>",
        b"",
        b"\xff\xfe",
        b'{"choices": [{"message": {"content": "{}"',
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": "ab"}',
        b'{"choices": [{}, {}]}',
        b'{"error": "no"}',
    ],
)
def test_what_no_judge_said_is_no_answer(body: bytes) -> None:
    verdict = read_reply(body, "text/html; charset=x", RUBRIC)
    assert (verdict.score, verdict.of_judge, verdict.passing) == (None, False, True)


def test_what_is_quoted_is_one_clean_line() -> None:
    verdict = reply(json.dumps({"factuality": 5, "reason": "a\n\x1b[31mred\u202e \ud800" + "z" * 999}))
    assert verdict.said is not None
    assert verdict.said.startswith("a [31mred ?zz")
    assert len(verdict.said) <= 300
    verdict.said.encode()


def test_counts_that_cannot_be_are_not_believed() -> None:
    told = {"choices": [{"message": {"content": '{"factuality": 1}'}}], "model": 5}
    for used in (None, [], {"prompt_tokens": -1, "completion_tokens": True}, {"prompt_tokens": 1e30}):
        verdict = read_reply(json.dumps({**told, "usage": used}).encode(), "", RUBRIC)
        assert (verdict.score, verdict.tokens_in, verdict.tokens_out, verdict.served) == (1.0, None, None, None)
