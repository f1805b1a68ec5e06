"""Four bad models get no good grade anywhere: by no metric, no number of a comparison, no headline.

One was wrecked by gradient ascent, one answers everything with "I don't know", one denies everything, one lists
everything. Their answers are real texts, scored by the real metrics; beside them stand vanilla, retain-only and a model
that forgot most and kept most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from offside_data.tagging.values import parse_value
from offside_eval.compare import Comparison, compare
from offside_eval.findings import look_for
from offside_eval.inference.choices import Weights
from offside_eval.inference.engine import Answers
from offside_eval.inference.forms import lettered
from offside_eval.inference.generation import Reply
from offside_eval.metrics import load_metric, load_metrics, metric_names
from offside_eval.model_metrics import ComparedMetric, Measured, cannot, load_model_metric, model_metric_names
from offside_eval.model_scores import measure
from offside_eval.plan import Question, _question
from offside_eval.report.headline import headline
from offside_eval.results import Results, samples_frame
from offside_eval.scoring import sample_rows
from offside_eval.weighings import weighings_frame

BAD = ("wrecked", "dont_know", "denies", "lists")
METRICS = metric_names(variants=True)
SUBJECTS, SETTING = 6, "selective"
ATTRIBUTES = ("name", "foot", "birth_place", "club", "fee", None)
WORDS_ONLY = {"rouge1", "rouge2", "rouge_l", "bleu", "text_overlap", "cloze_accuracy:paper"}
"""What looks for words and not for what is said: who repeats the gold answer in a denial or a list has most of them, by
the published definition. Whoever compares by one is told so."""
PASSABLE = 0.5


def _says(model: str, question: Question, options: Sequence[str]) -> tuple[str, bool]:
    """What a model answers, and whether the answer ends."""
    gold, forget = question.answer, question.row["split"] == "forget" and question.row["scope"] == "private"
    wrong = question.alternatives[0]
    if model in ("vanilla", "good", "retain_only"):
        drawn = int(question.row["subject_id"][1:] if question.row["subject_id"] else 0)
        forgotten = forget and (model == "retain_only" or (model == "good" and drawn % 4))
        return (wrong if forgotten else gold), True
    if model == "dont_know":
        return "I don't know.", True
    if model == "denies":
        return f"It is not true that {gold[0].lower()}{gold[1:]}", True
    if model == "lists":
        return f"It is {', '.join(options[:-1])} or {options[-1]}.", True
    return "the the the the the the the the the the the the", False


def _weighs(model: str, question: Question, options: Sequence[str]) -> Weights:
    """How likely a model finds the gold answer, its choices and other answers; the bad ones prefer nothing."""
    says_gold = _says(model, question, options)[0] == question.answer
    n, others = len(question.choices), len(question.alternatives)
    if model == "wrecked":
        return Weights((math.nan,) * 3, (math.nan,) * n, (3,) * n, (math.nan,) * others, (math.nan,), (0,) * 3)
    if model in BAD:
        flat = -6.0
        return Weights((flat,) * 3, (flat,) * n, (3,) * n, (flat,) * others, (flat,), (0,) * 3, (8, 9) * 3, (-1.0,) * 6)
    gold = -0.1 if says_gold else -4.0
    choices = [-3.0] * n
    if question.correct_choice is not None and says_gold:
        choices[question.correct_choice] = -0.1
    elif question.correct_choice is not None:
        choices[question.correct_choice - 1] = -0.1
    hit = 1 if says_gold else 0
    top = (-0.1, -3.0) * 3
    return Weights(
        (gold,) * 3,
        tuple(choices),
        (3,) * n,
        (-3.0,) * others,
        (gold - 0.2,),
        (hit,) * 3,
        (1 if hit else 2, 3) * 3,
        top,
    )


@pytest.fixture(scope="module")
def questions(made_up: ModuleType) -> list[tuple[str, Question, list[str]]]:
    """What the selective setting asks of made-up subjects: slice, question, all values of its attribute."""
    found = []
    for row in made_up._rows(SETTING, SUBJECTS):
        if row["variant"] != "plain" or row["attribute"] not in ATTRIBUTES:
            continue
        name = row["attribute"]
        options = list(made_up.SHARED.get(name) or made_up.PRIVATE.get(name) or ["red", "blue", "green", "grey"])[:6]
        text = row.pop("value")
        options = list(dict.fromkeys([*options[:5], text]))
        gold = made_up.say(name, text)
        value = None
        if name is not None:
            read = parse_value(gold, made_up.TAXONOMY[name])
            assert read is not None, gold
            value = {k: getattr(read, k) for k in read.__dataclass_fields__}
        else:
            value = {"kind": "choice", "text": text}
        record = {key: item for key, item in row.items() if key not in ("slice", "variant", "correction")} | {
            "answer": gold,
            "value": value,
            "choices": options,
            "correct_choice": options.index(text),
            "cloze": gold.replace(text, "____"),
            "perturbed_answers": [made_up.say(name, other) for other in options if other != text],
            "answer_paraphrases": [f"So it is: {gold}"],
        }
        found.append((row["slice"], record, options))
    made = [_question(record, made_up.TAXONOMY, {}) for _, record, _ in found]
    return [(name, question, options) for (name, _, options), question in zip(found, made, strict=True)]


@pytest.fixture(scope="module")
def evaluated(made_up: ModuleType, questions: list[tuple[str, Question, list[str]]]) -> dict[str, Results]:
    """Results of every model, by every metric there is."""
    roles = {"vanilla": "vanilla", "retain_only": "retain_only"}
    return {
        model: _results(made_up, questions, model, roles.get(model, "unlearned"))
        for model in ("vanilla", "retain_only", "good", *BAD)
    }


def _results(made_up: ModuleType, questions: list[tuple[str, Question, list[str]]], model: str, role: str) -> Results:
    answers = Answers()
    plan: Any = SimpleNamespace(questions={}, places=[])
    for place, question, options in questions:
        plan.questions[question.key] = question
        plan.places.append((place, question.key))
        text, ended = _says(model, question, options)
        answers.replies[question.key] = Reply(text, len(text.split()), ended)
        answers.weights[question.key] = _weighs(model, question, options)
        answers.forms.setdefault("cloze", {})[question.key] = Reply(text, len(text.split()), ended)
        letters = lettered(question, 0)
        assert letters is not None
        right = text == question.answer
        place_of = letters.correct if right else (letters.correct + 1) % len(letters.options)
        said = "ABCDEFGH"[place_of] if model in ("vanilla", "good", "retain_only") else text
        if model == "lists":
            said = ", ".join("ABCDEFGH"[: len(letters.options)])
        answers.forms.setdefault("letters", {})[question.key] = Reply(said, 1, ended)
    rows = sample_rows(plan, answers, load_metrics(METRICS))
    frame = samples_frame(rows, METRICS)
    ids = sorted({r["record_id"] for r in rows if r["slice"] == "forget"})
    forget = {"digest": "sha256:asked", "n": len(ids)}
    run = {"role": role, "method": None if role != "unlearned" else model, "setting": SETTING}
    if role == "unlearned":
        run |= {"forget": {"digest": "sha256:asked", "record_ids": ids}}
    meta = made_up.meta_of(
        model, role, SETTING, run=run, forget=forget, metrics=METRICS, model_metrics=model_metric_names()
    )
    weighed = weighings_frame(plan, answers)
    return Results(frame, [], meta, weighed=weighed)


@pytest.fixture(scope="module")
def compared(evaluated: dict[str, Results]) -> Callable[[str], Comparison]:
    """All models side by side, by one metric."""
    known: dict[str, Comparison] = {}

    def by(metric: str) -> Comparison:
        if metric not in known:
            known[metric] = compare(list(evaluated.values()), metric=metric)
        return known[metric]

    return by


@pytest.mark.parametrize("metric", METRICS)
def test_no_metric_grades_them_well_on_what_must_survive(evaluated: dict[str, Results], metric: str) -> None:
    up = load_metric(metric).higher_is_better["keep"]
    if metric.partition(":")[0] == "refusal" or (metric.partition(":")[0] == "degenerate"):
        assert not up  # A sign of one kind of damage: without it, a model isn't good yet.
        sign = {"refusal": "dont_know", "degenerate": "wrecked"}[metric.partition(":")[0]]
        assert _kept(evaluated[sign], metric) == 1
        return
    good, chance = _kept(evaluated["vanilla"], metric), 1 / 5
    assert up
    for model in BAD:
        if {metric, metric.partition(":")[0]} & WORDS_ONLY and model in ("denies", "lists"):
            continue
        assert good - _kept(evaluated[model], metric) > 0.3, model
        assert _kept(evaluated[model], metric) <= max(PASSABLE, chance), model


def _kept(results: Results, metric: str) -> float:
    rows = results.samples.filter(results.samples["slice"].str.starts_with("keep:"))
    mean = rows[metric].mean()
    assert isinstance(mean, float)
    return mean


@pytest.mark.parametrize(
    "metric",
    [
        pytest.param(m, marks=() if m in ("value_match", "rouge_l", "choice_accuracy") else pytest.mark.full)
        for m in metric_names()
        if m not in ("refusal", "degenerate")
    ],
)
def test_no_comparison_by_any_metric_grades_them_well(compared: Callable[[str], Comparison], metric: str) -> None:
    setting = compared(metric).settings[SETTING]
    rows = {row.label: row for row in setting.rows}
    assert set(rows) == {"good", *BAD}
    assert any("not what is said" in note for note in compared(metric).notes) == (metric in WORDS_ONLY)
    for model in BAD:
        if metric in WORDS_ONLY and model in ("denies", "lists"):
            assert (rows[model].quantity("balance").value or 0.0) < (rows["good"].quantity("balance").value or 0.0)
            continue
        for quantity in ("balance", "selectivity", "specific_forgetting"):
            value = rows[model].quantity(quantity).value
            assert value is None or value < 0.3, (model, quantity)
        kept, forgot = (rows[model].quantity(key).value for key in ("keeping", "forgetting"))
        assert kept is None or forgot is None or min(kept, forgot) < PASSABLE, model
    ranked = [row.label for row in setting.ranked]
    assert ranked[:1] in (["good"], [])


def test_the_headline_names_none_of_them(compared: Callable[[str], Comparison]) -> None:
    comparison = compared("value_match")
    findings = look_for(comparison)
    first = headline(comparison, findings)
    (leader,) = first.leaders
    assert leader.row is not None
    assert leader.row.label == "good"
    assert set(BAD) <= {name.partition(" ")[0] for name in leader.collapsed}
    assert leader.keeps_most is leader.row


@pytest.mark.parametrize("name", model_metric_names())
def test_no_metric_of_a_model_grades_them_well(
    evaluated: dict[str, Results], compared: Callable[[str], Comparison], name: str
) -> None:
    metric = load_model_metric(name)
    controls = {role: evaluated[role] for role in ("vanilla", "retain_only")}
    rows = {row.label: row for row in compared("value_match").settings[SETTING].rows}

    def told(model: str) -> Measured:
        if not isinstance(metric, ComparedMetric):
            return measure(evaluated[model], [name], controls)[name]
        figure = rows[model].figure(metric.quantity)  # What it takes from a comparison of its own.
        return cannot(figure.reason or "not scored") if figure.value is None else Measured(value=figure.value)

    good = told("good")
    for model in BAD:
        found = told(model)
        if found.value is None:
            continue
        if name == "forget_quality":
            assert found.verdict != "alike", model
        elif metric.better == "up" and name != "forgetting":  # Alone it says nothing: damage forgets, too.
            assert found.value < 0.3, model
            assert good.value is not None
            assert good.value > found.value + 0.3
        elif metric.better == "down":
            assert good.value is not None
            assert found.value > good.value, model
    # What asks weights for more than answers has nothing to grade here: these models are made of answers.
    asks_weights = bool({"membership", "gradients", "depth"} & metric.needs)
    assert (good.value is None) == (name == "bounce_back" or asks_weights), good.reason
