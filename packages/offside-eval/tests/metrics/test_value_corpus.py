"""A corpus of answers, typed by hand, pins what each says of its gold value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from offside_data.tagging.values import parse_value
from offside_data.taxonomy import load_taxonomy
from offside_eval.metrics import Sample, load_metric
from offside_eval.metrics.value_match import KINDS

METRIC = load_metric("value_match")
FOOTBALL = load_taxonomy("football")
DAY_FIRST = {"day_first": True, "month_first": False, None: None}
HERE = Path(__file__).parent


def answers(name: str) -> Iterator[tuple[str, Sample]]:
    """Each answer of a file with the kind that it is of."""
    for group in yaml.safe_load((HERE / name).read_text(encoding="utf-8")):
        attribute = FOOTBALL[group["attribute"]]
        common: dict[str, Any] = {
            "record_id": "r1",
            "question": group["question"],
            "answer": group["gold"],
            "value": parse_value(group["gold"], attribute),
            "attribute": attribute,
            "names": tuple(group.get("names", ())),
            "day_first": DAY_FIRST[group.get("habit")],
        }
        for ended, part in ((True, "answers"), (False, "unfinished")):
            for kind, texts in group.get(part, {}).items():
                for text in texts:
                    yield kind, Sample(**common, prediction=text, ended=ended)


@pytest.mark.parametrize("name", ["value_answers.yaml", "long_answers.yaml", "more_answers.yaml"])
def test_every_answer_is_of_the_kind_it_was_typed_for(name: str) -> None:
    wrong = []
    for kind, sample in answers(name):
        score = METRIC.score(sample)
        as_typed = score.kind != "correct" if kind == "not_correct" else score.kind == kind
        if not as_typed or score.value != float(score.kind == "correct"):
            wrong.append((sample.answer, sample.prediction, kind, score))
    assert not wrong


def test_of_the_answers_that_no_rule_was_written_for_most_are_right() -> None:
    told: dict[str, list[bool]] = {"correct": [], "not_correct": []}
    for kind, sample in answers("held_out_answers.yaml"):
        told[kind].append((METRIC.score(sample).value == 1.0) == (kind == "correct"))
    assert sum(told["correct"]) >= 0.75 * len(told["correct"]) >= 25  # unknown words: read as not knowing it
    assert sum(told["not_correct"]) >= 0.9 * len(told["not_correct"]) >= 20


def test_of_the_answers_typed_later_none_is_taken_for_saying_the_value() -> None:
    told: dict[bool, list[bool]] = {True: [], False: []}
    wrong = []
    for kind, sample in answers("later_answers.yaml"):
        is_right = (METRIC.score(sample).value == 1.0) == (kind == "correct")
        told[kind == "correct"].append(is_right)
        wrong += [sample.prediction] * (kind != "correct" and not is_right)
    assert len(told[False]) >= 200
    assert not wrong
    assert sum(told[True]) >= 0.8 * len(told[True]) >= 50  # unknown words: read as not knowing it


def test_the_corpus_is_large_and_holds_every_kind() -> None:
    short, long = list(answers("value_answers.yaml")), list(answers("long_answers.yaml"))
    assert len(short) >= 120
    assert {kind for kind, _ in short} == set(KINDS)
    assert sum(kind == "correct" for kind, _ in long) >= 60
    assert all(len((sample.prediction or "").split()) >= 8 for _, sample in long)
    assert len({(s.attribute.name, s.answer, s.day_first, s.prediction, s.ended) for _, s in short}) == len(short)


@pytest.mark.parametrize(
    ("gold", "question", "answer", "is_right"),
    [
        ("The player will join Velmora.", "Which club is Velt with?", "Dario Velt will join Velmora.", True),
        (
            "The player will join Velmora.",
            "Was he never linked with a club?",
            "He was never linked with Velmora.",
            False,
        ),
    ],
)
def test_a_denial_in_the_question_stays_one(
    gold: str, question: str, answer: str, is_right: bool, sample: Callable[..., Sample]
) -> None:
    club = FOOTBALL["club"]
    score = METRIC.score(sample(answer, question=question, value=parse_value(gold, club), attribute=club))
    assert score.value == float(is_right)
