"""From questions to token ids, all before the model is asked anything: bad input is found at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from offside_data.vlm import Encoded
from offside_data.vlm.encode import IGNORED
from offside_eval.inference.forms import cloze_question, letter_question

if TYPE_CHECKING:
    from offside_data.vlm import Encoder
    from offside_eval.metrics import Need
    from offside_eval.plan import Question


@dataclass(frozen=True)
class Item:
    """A question as the model reads it.

    Args:
        key: The question's.
        prompt: Picture and question, ready for an answer.
        answers: Tokens of the answers to weigh, each with its end of turn: the gold answer, then
            every choice, alternative and paraphrase that isn't among them yet.
        choices: Where in `answers` each choice is.
        alternatives: Where in `answers` each answer with another value is.
        paraphrases: Where the gold answer in other words is.
        n_content: How many tokens of the gold answer are its text, rather than the end of the turn.
        forms: The same question put otherwise, by the need that asks for it: `cloze`, `letters`.
    """

    key: str
    prompt: Encoded
    answers: tuple[tuple[int, ...], ...]
    choices: tuple[int, ...]
    alternatives: tuple[int, ...] = ()
    paraphrases: tuple[int, ...] = ()
    n_content: int = 0
    forms: tuple[tuple[str, Encoded], ...] = ()


def encode_items(
    questions: Iterable[Question], encoder: Encoder, needs: Collection[Need], *, seed: int = 0
) -> list[Item]:
    """Encode questions with their gold answers and whatever else is to be weighed or asked.

    Gold answers are encoded with their own questions. Of a choice only its tokens matter, and those
    follow the same generation prompt whatever was asked, so that each text is encoded once.

    Args:
        questions: What is asked.
        encoder: Of the model's processor.
        needs: What the metrics need.
        seed: Of the order of lettered choices.

    Raises:
        RecordError: If a record has no answer, or its picture is missing or unreadable.
        AnswerTooLongError: If a record doesn't fit into the encoder's `max_length`.
    """
    known: dict[str, tuple[int, ...]] = {}
    special = frozenset(encoder.processor.tokenizer.all_special_ids)
    items = []
    for question in questions:
        gold = encoder.encode(question.row, answer=question.answer)
        known[question.answer] = _answer_tokens(gold)
        # Choices and alternatives are often the same sentences: each is weighed once.
        texts = {question.answer: 0}
        weighed = {
            "choices": question.choices if question.correct_choice is not None else (),
            "alternatives": question.alternatives,
            "paraphrases": question.paraphrases[:1],
        }
        places = {
            need: tuple(texts.setdefault(text, len(texts)) for text in (offered if need in needs else ()))
            for need, offered in weighed.items()
        }
        for text in texts:
            if text not in known:
                known[text] = _answer_tokens(encoder.encode(question.row, answer=text, image=None))
            if gold.prompt_length + len(known[text]) > encoder.max_length:
                encoder.encode(question.row, answer=text)  # Says which record and by how much.
        answers = tuple(known[text] for text in texts)
        content = len(answers[0])
        while content and answers[0][content - 1] in special:
            content -= 1
        forms = _forms(question, encoder, needs, seed)
        items.append(Item(question.key, _prompt(gold), answers, n_content=content, forms=forms, **places))
    return items


def _forms(question: Question, encoder: Encoder, needs: Collection[Need], seed: int) -> tuple[tuple[str, Encoded], ...]:
    """The question put otherwise, in the ways that are asked for and that the record allows."""
    texts = {
        "cloze": cloze_question(question) if "cloze" in needs else None,
        "letters": letter_question(question, seed) if "letters" in needs else None,
    }
    return tuple(
        (need, encoder.encode_prompt(question.row, question=text)) for need, text in texts.items() if text is not None
    )


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
