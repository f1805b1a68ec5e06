"""From questions and a model's answers to the rows of `samples.parquet`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from offside_data.tagging.answering import Asked, how_answered
from offside_eval.inference.forms import lettered
from offside_eval.metrics import Sample, SampleMetric

if TYPE_CHECKING:
    from offside_data.schema import ClaimValue
    from offside_eval.inference.engine import Answers
    from offside_eval.plan import Plan, Question

_FROM_RECORD = (
    "record_id",
    "subject_id",
    "image_id",
    "split",
    "scope",
    "attribute",
    "modality",
    "veracity",
    "rumor_channel",
    "question",
)


def sample_rows(
    plan: Plan,
    answers: Answers,
    metrics: Mapping[str, SampleMetric],
    held_out: Collection[str] = (),
    donors: Mapping[str, ClaimValue] | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Score every question once; a row for each slice it stands in, in the order of the plan.

    Args:
        plan: What was asked.
        answers: What the model did with it.
        metrics: By name.
        held_out: Ids of the records that the model's run was stopped by.
        donors: What the model's run taught to say in place of a forgotten answer, by record.
        seed: Of the order of lettered choices.
    """
    scored = {
        key: _row(question, make_sample(question, answers, seed), answers, metrics, donors or {})
        for key, question in plan.questions.items()
    }
    for row in scored.values():
        row["held_out"] = row["record_id"] in held_out
    return [{**scored[key], "slice": name} for name, key in plan.places]


def make_sample(question: Question, answers: Answers, seed: int = 0) -> Sample:
    """A question with what the model did with it."""
    reply, weights = answers.replies.get(question.key), answers.weights.get(question.key)
    filled = answers.forms.get("cloze", {}).get(question.key)
    chosen = answers.forms.get("letters", {}).get(question.key)
    letters = lettered(question, seed) if chosen else None
    weighed = (weights is not None and bool(weights.choices)) or letters is not None
    return Sample(
        record_id=question.row["record_id"],
        variant=question.variant,
        split=question.row["split"],
        question=question.row["question"],
        answer=question.answer,
        value=question.value,
        attribute=question.attribute,
        names=question.names,
        day_first=question.day_first,
        prediction=reply.text if reply else None,
        ended=reply.ended if reply else True,
        choices=question.choices if weighed else (),
        correct_choice=question.correct_choice if weighed else None,
        choice_logprobs=weights.choices if weights else (),
        choice_lengths=weights.lengths if weights else (),
        answer_logprobs=weights.answer if weights else (),
        alternative_logprobs=weights.alternatives if weights else (),
        paraphrase_logprobs=weights.paraphrases if weights else (),
        answer_hits=weights.hits if weights else (),
        cloze_reply=filled.text if filled else None,
        cloze_ended=filled.ended if filled else True,
        letter_reply=chosen.text if chosen else None,
        letter_options=letters.options if letters else (),
        letter_correct=letters.correct if letters else None,
        failure=answers.failures.get(question.key),
    )


def _row(
    question: Question,
    sample: Sample,
    answers: Answers,
    metrics: Mapping[str, SampleMetric],
    donors: Mapping[str, ClaimValue],
) -> dict[str, Any]:
    reply = answers.replies.get(question.key)
    row: dict[str, Any] = {name: question.row[name] for name in _FROM_RECORD}
    row |= {
        "config": question.row["modality"],
        "variant": question.variant,
        "answer": question.answer,
        "prediction": sample.prediction,
        "n_new_tokens": reply.n_new_tokens if reply else None,
        "ended": reply.ended if reply else None,
        "n_choices": len(sample.choices) or None,
        "states_old": _states(question.old_value, question, sample),
        "states_correction": _states(question.correction, question, sample),
        "states_donor": _states(donors.get(sample.record_id), question, sample),
    }
    for name, metric in metrics.items():
        score = metric.checked(name, sample)
        row |= {name: score.value, f"{name}.kind": score.kind, f"{name}.skipped": score.reason}
    return row


def _states(value: ClaimValue | None, question: Question, sample: Sample) -> float | None:
    """Whether the model gave this value; null where there is no value or no answer."""
    if value is None or sample.prediction is None:
        return None
    asked = Asked(question=sample.question, names=sample.names, day_first=sample.day_first)
    return float(how_answered(sample.prediction, value, question.attribute, asked) == "stated")
