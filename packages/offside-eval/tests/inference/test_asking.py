from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from offside_data.errors import AnswerTooLongError, RecordError
from offside_data.vlm import Encoder
from offside_eval.inference.asking import encode_items
from offside_eval.inference.forms import lettered
from offside_eval.plan import Question

Load = Callable[[str], tuple[Any, Any]]


def test_prompt_and_answers_are_what_the_encoder_gives(loaded: Load, questions: list[Question]) -> None:
    encoder = Encoder(loaded("raw")[1])
    chosen = questions[:8] + questions[-8:]
    for question, item in zip(chosen, encode_items(chosen, encoder, {"choices"}), strict=True):
        assert item.prompt == encoder.encode_prompt(question.row)
        texts = list(dict.fromkeys([question.answer, *question.choices]))
        for text, tokens in zip(texts, item.answers, strict=True):
            whole = encoder.encode(question.row, answer=text)
            assert tuple(label for label in whole.labels if label != -100) == tokens
        assert [texts[i] for i in item.choices] == list(question.choices)


def test_a_gold_answer_among_the_choices_is_weighed_once(loaded: Load, questions: list[Question]) -> None:
    question = next(q for q in questions if q.variant == "plain" and len(q.choices) == 4)
    (item,) = encode_items([question], Encoder(loaded("raw")[1]), {"choices"})
    assert question.choices[question.correct_choice] == question.answer
    assert len(item.answers) == 4
    assert item.choices[question.correct_choice] == 0


def test_bad_records_are_named(loaded: Load, questions: list[Question]) -> None:
    encoder = Encoder(loaded("raw")[1])
    good = next(q for q in questions if q.row["modality"] == "multimodal")
    name = good.row["record_id"]
    cut = {**good.row, "image": {"bytes": good.row["image"]["bytes"][:60], "path": "x.png"}}
    for row in ({**good.row, "image": None}, cut):
        with pytest.raises(RecordError, match=name):
            encode_items([dataclasses.replace(good, row=row)], encoder, ())
    with pytest.raises(RecordError, match=f"{name}: no answer"):
        encode_items([dataclasses.replace(good, answer=" ")], encoder, ())


def test_a_choice_that_is_too_long_is_refused_though_it_fits_elsewhere(loaded: Load, questions: list[Question]) -> None:
    short = next(q for q in questions if q.row["modality"] == "text")
    long = dataclasses.replace(short, row={**short.row, "record_id": "long", "question": short.row["question"] * 3})
    processor = loaded("raw")[1]
    fits = len(Encoder(processor).encode(long.row, answer=long.answer).input_ids)
    choices = (long.answer, long.answer + " " + long.answer)
    both = [dataclasses.replace(q, choices=choices, correct_choice=0) for q in (short, long)]
    with pytest.raises(AnswerTooLongError, match="record long"):
        encode_items(both, Encoder(processor, max_length=fits), {"choices"})


def test_answers_with_other_values_are_weighed_once_though_they_are_choices_too(
    loaded: Load, questions: list[Question]
) -> None:
    encoder = Encoder(loaded("raw")[1])
    question = next(q for q in questions if q.variant == "plain" and len(q.alternatives) == 3)
    texts = [question.answer, *(c for c in question.choices if c != question.answer)]
    assert sorted(question.alternatives) == sorted(texts[1:])
    (item,) = encode_items([question], encoder, {"choices", "alternatives"})
    assert len(item.answers) == 4
    assert [texts[i] for i in item.alternatives] == list(question.alternatives)
    (alone,) = encode_items([question], encoder, {"alternatives"})
    assert (len(alone.answers), alone.choices, alone.alternatives) == (4, (), (1, 2, 3))
    (without,) = encode_items([question], encoder, {"choices"})
    assert without.alternatives == ()


def test_a_swapped_twin_is_weighed_against_other_values_than_it_shows(questions: list[Question]) -> None:
    for swapped in (q for q in questions if q.variant == "swapped"):
        plain = next(q for q in questions if q.key == swapped.key.replace("swapped", "plain"))
        assert swapped.answer in plain.alternatives
        assert set(swapped.alternatives) == set(plain.alternatives) - {swapped.answer} != set()


def test_a_paraphrase_and_other_forms_of_the_question(loaded: Load, questions: list[Question]) -> None:
    encoder = Encoder(loaded("raw")[1])
    found = next(q for q in questions if q.variant == "plain" and len(q.choices) == 4)
    question = dataclasses.replace(found, paraphrases=("In other words.", "And again."))
    needs = {"alternatives", "paraphrases", "cloze", "letters"}
    (item,) = encode_items([question], encoder, needs, seed=3)
    assert item.paraphrases == (4,)
    assert item.n_content == len(item.answers[0]) - 1  # all but the end of the turn
    decode = encoder.processor.tokenizer.decode
    put = {name: decode(prompt.input_ids) for name, prompt in item.forms}
    assert f"Fill in the blank: {question.row['cloze']}" in put["cloze"]
    listed = lettered(question, 3)
    assert listed.options[listed.correct] == question.row["choices"][question.correct_choice]
    assert "\n".join(f"{a}: {text}" for a, text in zip("ABCD", listed.options, strict=True)) in put["letters"]
    orders = {lettered(question, seed).options for seed in range(20)}
    assert len(orders) > 5
    bare = dataclasses.replace(question, row={**question.row, "cloze": None}, correct_choice=None)
    assert encode_items([bare], encoder, needs)[0].forms == ()
