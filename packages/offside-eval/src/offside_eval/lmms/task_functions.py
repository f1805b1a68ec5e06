"""What `lmms-eval` calls for these tasks: the picture of a question, and the score of an answer.

`offside-eval export-lmms-eval` copies this file beside the tasks as `utils.py`. It needs nothing but Python's own
library, so that whoever runs the tasks needs no other package than `lmms-eval`.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

_PARTS_OF_WORDS = re.compile(r"\w+|[^\w\s]")
_LETTER = re.compile(r"\s*[(\[*\"']*([A-Z])(?![\w'])")
"""A letter at the beginning of an answer: `B`, `(B)`, `B: red`, `**B**`."""


_FINITE = re.compile(r"\b(?:inf|nan)\b")
"""What Python can't read as a number; no loss is worse."""


def pictures(doc: dict[str, Any]) -> list[Any]:
    """The question's picture, none for a question in words only."""
    return [doc["image"].convert("RGB")] if doc.get("image") is not None else []


def with_letters(dataset: Any) -> Any:
    """The rows of a dataset that have lettered choices."""
    return dataset.select([i for i, letter in enumerate(dataset["letter"]) if letter])


def with_choices(dataset: Any) -> Any:
    """The rows of a dataset that have choices."""
    return dataset.select([i for i, right in enumerate(dataset["correct_choice"]) if right is not None])


def score_answer(doc: dict[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """Whether an answer is the gold answer, and whether the gold value's words stand in it.

    The words count whatever is said of them: "not 12 million" says 12 million. `offside-eval run` reads answers more
    strictly (`value_match`). A record without a value gets no score for it.
    """
    said = words(results[0])
    scores = {"same_answer": _scored(doc, said == words(doc["answer"]))}
    value = words(doc["value"] or "")
    if value:
        places = range(len(said) - len(value) + 1)
        scores["says_value"] = _scored(doc, any(said[i : i + len(value)] == value for i in places))
    return scores


def score_letter(doc: dict[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """Whether an answer begins with the right letter; one without a letter is wrong."""
    found = _LETTER.match(results[0])
    return {"right_letter": _scored(doc, found is not None and found.group(1) == doc["letter"])}


def score_choice(doc: dict[str, Any], results: Sequence[Any]) -> dict[str, Any]:
    """Whether the right choice has the smallest loss.

    A model gives a loss and whether the answer is the greedy one; lmms-eval 0.7.3 makes a text of the two.
    """
    losses = [(ast.literal_eval(_FINITE.sub("1e999", one)) if isinstance(one, str) else one)[0] for one in results]
    return {"right_choice": _scored(doc, losses.index(min(losses)) == doc["correct_choice"])}


def mean_score(items: Sequence[dict[str, Any]]) -> float:
    """Mean over records; `lmms-eval` puts the subjects' clustered error beside it."""
    scores = [float(item["score"]) for item in items]
    return sum(scores) / len(scores)


def words(text: str) -> list[str]:
    """A text's words and marks, without case, accents' encodings and the mark at its end."""
    found = _PARTS_OF_WORDS.findall(unicodedata.normalize("NFKC", text).casefold())
    while found and found[-1] in ".!":
        found.pop()
    return found


def _scored(doc: dict[str, Any], right: bool) -> dict[str, Any]:
    return {"score": float(right), "subject_id": doc["subject_id"], "record_id": doc["record_id"]}
