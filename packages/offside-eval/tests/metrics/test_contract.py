"""What must hold for every metric that can be found, third parties' included."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable

import pytest

from offside_data.taxonomy import load_taxonomy
from offside_eval.metrics import METRICS, Need, Paper, Sample, SampleMetric, load_metric, metric_names

ROLES = {"forget", "keep"}
OF_OTHERS = {"alternative_logprobs": (-9.0, -8.0), "letter_options": ("€7m", "€35.00m", "€1m"), "letter_correct": 1}
GOLD = {"prediction": "The transfer fee was €35.00m.", "answer_logprobs": (-1e-6, -1e-6)} | OF_OTHERS
GOLD |= {"paraphrase_logprobs": (-0.1,), "answer_hits": (1, 1), "cloze_reply": "€35.00m", "letter_reply": "B"}
CHOICES = {"choices": ("€1m", "€35.00m", "€7m"), "choice_lengths": (3, 4, 3), "correct_choice": 1}
RIGHT = GOLD | CHOICES | {"choice_logprobs": (-4.0, -0.1, -5.0)}
EMPTY = CHOICES | {"prediction": "", "answer_logprobs": (-90.0, -80.0), "choice_logprobs": (-0.1, -4.0, -5.0)}
EMPTY |= OF_OTHERS | {"paraphrase_logprobs": (-80.0,), "answer_hits": (0, 0), "cloze_reply": "", "letter_reply": ""}
OTHERS = [
    {"prediction": "€7m", "answer_logprobs": (-2.0, -3.0)},
    {"answer_hits": (1, 0), "cloze_reply": "€7m", "letter_reply": "(A)"},
    {"prediction": "I don't know."},
    {"prediction": "The fee was was was was was was", "ended": False},
    {"prediction": "该转会费为三千五百万欧元"},
    {"prediction": "\x00\ufffd\ufffd"},
]
BROKEN = CHOICES | {"prediction": "", "answer_logprobs": (math.nan,), "choice_logprobs": (math.nan,) * 3}
BROKEN |= OF_OTHERS | {"alternative_logprobs": (math.nan, math.nan), "paraphrase_logprobs": (math.nan,)}
BROKEN |= {"answer_hits": (0, 0), "cloze_reply": "", "letter_reply": ""}


@pytest.fixture(params=metric_names(variants=True))
def metric(request: pytest.FixtureRequest) -> SampleMetric:
    return load_metric(request.param)


def test_it_is_a_frozen_dataclass_that_says_what_it_is(metric: SampleMetric) -> None:
    assert dataclasses.is_dataclass(metric)
    assert metric.__dataclass_params__.frozen
    assert metric.needs
    assert metric.asks <= set(typing.get_args(Need))
    assert set(metric.variant_needs) <= set(metric.variants)
    assert set(metric.higher_is_better) >= ROLES
    assert metric.bounds[0] < metric.bounds[1]


def test_what_ours_declare() -> None:
    """Suites, the headline and the self-check go by it."""
    declared = {
        name: load_metric(name) for name in metric_names() if METRICS.load(name).__name__.startswith("offside_")
    }
    assert {name for name, m in declared.items() if m.words_only} == {
        *("bleu", "rouge1", "rouge2", "rouge_l", "text_overlap")
    }
    assert {name for name, m in declared.items() if m.costly} == {"cloze_accuracy"}
    directions = {name: (m.higher_is_better["forget"], m.higher_is_better["keep"]) for name, m in declared.items()}
    others = {"degenerate": (False, False), "refusal": (True, False), "truth_ratio": (True, True)}
    assert directions == dict.fromkeys(declared, (False, True)) | others
    defaults = Sample(record_id="r", attribute=load_taxonomy("football")["fee"])
    assert defaults.ended
    assert defaults.cloze_ended


@pytest.mark.parametrize("name", metric_names())
def test_its_module_is_documented(name: str) -> None:
    module = METRICS.load(name)
    assert module.__doc__
    assert isinstance(module.PAPER, Paper)
    assert module.PAPER.url.startswith("https://")


def test_the_gold_answer_scores_best_and_an_empty_one_worst(
    metric: SampleMetric, sample: Callable[..., Sample]
) -> None:
    better = (lambda a, b: a >= b) if metric.higher_is_better["keep"] else (lambda a, b: a <= b)
    gold, empty = (metric.checked("m", sample(**fields)).value for fields in (RIGHT, EMPTY))
    others = [metric.checked("m", sample(**(RIGHT | fields))).value for fields in OTHERS]
    assert all(better(gold, other) for other in [*others, empty] if other is not None)
    assert empty == 0 or all(better(other, empty) for other in others if other is not None)


def test_a_value_or_a_reason_within_bounds_and_never_nan(metric: SampleMetric, sample: Callable[..., Sample]) -> None:
    samples = [sample(**fields) for fields in (RIGHT, EMPTY, BROKEN, *(RIGHT | o for o in OTHERS))]
    samples += [sample(**(RIGHT | {"choices": (), "correct_choice": None, "choice_logprobs": ()}))]
    samples += [sample(**(RIGHT | {"value": None})), sample(**(RIGHT | {"answer": "€", "value": None}))]
    samples += [sample(**(RIGHT | {"failure": "out of memory"}))]
    scores = [metric.checked("m", s) for s in samples]
    scored = [s for s in scores if s.value is not None]
    skipped = [s for s in scores if s.reason]
    assert len(scored) + len(skipped) == len(samples)
    assert all(metric.bounds[0] <= s.value <= metric.bounds[1] for s in scored)
    assert skipped[-1].reason == "out of memory"


def test_a_bad_answer_is_scored(metric: SampleMetric, sample: Callable[..., Sample]) -> None:
    assert all(metric.checked("m", sample(**(RIGHT | fields))).value is not None for fields in OTHERS)
    assert metric.checked("m", sample(**EMPTY)).value is not None
    assert metric.checked("m", sample(**BROKEN)).value is not None


def test_scoring_twice_gives_the_same(metric: SampleMetric, sample: Callable[..., Sample]) -> None:
    for fields in (RIGHT, EMPTY):
        assert metric.checked("m", sample(**fields)) == metric.checked("m", sample(**fields))
