"""From questions to token ids, all before the model is asked anything: bad input is found at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from offside_data.vlm import Encoded
from offside_data.vlm.encode import IGNORED

if TYPE_CHECKING:
    from offside_data.vlm import Encoder
    from offside_eval.plan import Question


@dataclass(frozen=True)
class Item:
    """A question as the model reads it.

    Args:
        key: The question's.
        prompt: Picture and question, ready for an answer.
        answers: Tokens of the answers to weigh, each with its end of turn: the gold answer, then
            every choice and every alternative that isn't among them yet.
        choices: Where in `answers` each choice is.
        alternatives: Where in `answers` each answer with another value is.
    """

    key: str
    prompt: Encoded
    answers: tuple[tuple[int, ...], ...]
    choices: tuple[int, ...]
    alternatives: tuple[int, ...] = ()


def encode_items(
    questions: Iterable[Question], encoder: Encoder, *, choices: bool, alternatives: bool = False
) -> list[Item]:
    """Encode questions with their gold answers and, on request, their choices and alternatives.

    Gold answers are encoded with their own questions. Of a choice only its tokens matter, and those
    follow the same generation prompt whatever was asked, so that each text is encoded once.

    Raises:
        RecordError: If a record has no answer, or its picture is missing or unreadable.
        AnswerTooLongError: If a record doesn't fit into the encoder's `max_length`.
    """
    known: dict[str, tuple[int, ...]] = {}
    items = []
    for question in questions:
        gold = encoder.encode(question.row, answer=question.answer)
        known[question.answer] = _answer_tokens(gold)
        # Choices and alternatives are often the same sentences: each is weighed once.
        texts = {question.answer: 0}
        offered = question.choices if choices and question.correct_choice is not None else ()
        places = tuple(texts.setdefault(text, len(texts)) for text in offered)
        others = question.alternatives if alternatives else ()
        other_places = tuple(texts.setdefault(text, len(texts)) for text in others)
        for text in texts:
            if text not in known or gold.prompt_length + len(known[text]) > encoder.max_length:
                known[text] = _answer_tokens(encoder.encode(question.row, answer=text))
        answers = tuple(known[text] for text in texts)
        items.append(Item(question.key, _prompt(gold), answers, places, other_places))
    return items


def _prompt(whole: Encoded) -> Encoded:
    """The part before the answer."""
    n = whole.prompt_length
    extra = {name: values[:n] for name, values in whole.extra.items()}
    ids = whole.input_ids[:n]
    return Encoded(whole.record_id, ids, [IGNORED] * n, n, extra, whole.image, whole.image_key)


def _answer_tokens(encoded: Encoded) -> tuple[int, ...]:
    """The tokens behind the prompt up to the end of turn; what the template writes after it is no answer."""
    end = max(i for i, label in enumerate(encoded.labels) if label != IGNORED) + 1
    return tuple(encoded.input_ids[encoded.prompt_length : end])
