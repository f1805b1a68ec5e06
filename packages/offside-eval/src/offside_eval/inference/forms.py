"""A question put otherwise: with its sentence to be completed, or with lettered choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from offside_data.questions.phrasings import BLANK
from offside_data.seeding import rng

if TYPE_CHECKING:
    from offside_eval.plan import Question

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Lettered(NamedTuple):
    """Choices in the order of their letters, and which of them is right."""

    options: tuple[str, ...]
    correct: int


def cloze_question(question: Question) -> str | None:
    """The question with the record's sentence to be completed; null where it has none, or more than one blank.

    The question stands before it: the sentence alone doesn't say whom it is about.
    """
    cloze = question.row["cloze"]
    if not cloze or cloze.count(BLANK) != 1:
        return None
    return f"{question.row['question']}\n\nFill in the blank: {cloze}"


def lettered(question: Question, seed: int) -> Lettered | None:
    """The record's choices in an order drawn by seed and record; null where it has none, or none is right."""
    options = question.row["choices"] or ()
    if question.correct_choice is None or not 1 < len(options) <= len(LETTERS):
        return None
    order = list(range(len(options)))
    rng(seed, "letters", question.row["record_id"]).shuffle(order)
    return Lettered(tuple(options[i] for i in order), order.index(question.correct_choice))


def letter_question(question: Question, seed: int) -> str | None:
    """The question, then what to do, then a line a choice, as the published scripts put it (in words of ours)."""
    found = lettered(question, seed)
    if found is None:
        return None
    lines = [f"{letter}: {option}" for letter, option in zip(LETTERS, found.options, strict=False)]
    told = "Look at the picture and" if question.row["modality"] == "multimodal" else "Please"
    return "\n".join(
        [f"{question.row['question']}", "", f"{told} choose the right option. Answer with its letter only.", *lines]
    )
