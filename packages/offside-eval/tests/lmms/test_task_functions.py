"""What lmms-eval calls for exported tasks: scores of answers as models write them."""

from __future__ import annotations

import ast
import sys
from typing import Any

import pytest

from offside_eval.lmms import task_functions
from offside_eval.lmms.export import FUNCTIONS

DOC = {
    "record_id": "r1",
    "subject_id": "s1",
    "answer": "The fee was €12.75 million.",
    "value": "€12.75 million",
    "letter": "B",
    "correct_choice": 1,
}


def score(found: dict[str, Any]) -> dict[str, float]:
    assert all((entry["subject_id"], entry["record_id"]) == ("s1", "r1") for entry in found.values())
    return {name: entry["score"] for name, entry in found.items()}


@pytest.mark.parametrize(
    ("said", "same", "value"),
    [
        ("The fee was €12.75 million.", 1, 1),
        ("  the FEE was €12.75  million", 1, 1),
        ("€12.75 million", 0, 1),
        ("It was €112.75 million", 0, 0),
        ("€12.75 millionaires", 0, 0),
        ("", 0, 0),
    ],
)
def test_an_answer_is_the_gold_one_or_says_its_value(said: str, same: float, value: float) -> None:
    assert score(task_functions.score_answer(DOC, [said])) == {"same_answer": same, "says_value": value}


def test_a_record_without_a_value_has_no_score_for_one() -> None:
    assert score(task_functions.score_answer({**DOC, "value": None}, ["No."])) == {"same_answer": 0}


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("B", 1),
        ("B: red", 1),
        (" (B) red", 1),
        ("**B**", 1),
        ("A", 0),
        ("Blue", 0),
        ("B's", 0),
        ("It is B", 0),
        ("", 0),
    ],
)
def test_a_letter_counts_where_it_begins_the_answer(said: str, right: float) -> None:
    assert score(task_functions.score_letter(DOC, [said])) == {"right_letter": right}


def test_the_smallest_loss_is_the_choice_also_where_pairs_come_as_texts() -> None:
    for right, losses in ((1, [0.4, 0.2, 0.9]), (0, [0.1, 0.2, 0.9]), (0, [0.4, float("inf"), 0.9])):
        pairs = [(loss, False) for loss in losses]
        for told in (pairs, [str(pair) for pair in pairs]):
            assert score(task_functions.score_choice(DOC, told)) == {"right_choice": right}
    assert task_functions.mean_score([{"score": 1.0}, {"score": 0.0}]) == 0.5


def test_whoever_runs_the_tasks_needs_nothing_but_python_for_them() -> None:
    tree = ast.parse(FUNCTIONS.read_text(encoding="utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in named} <= sys.stdlib_module_names
