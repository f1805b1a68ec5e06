from __future__ import annotations

from collections.abc import Callable

import pytest
import sacrebleu
from nltk.tokenize import NLTKWordTokenizer
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from offside_eval.metrics import Sample, load_metric

PAIRS = [
    ("The player was born in Malmö.", "The player was born in Malmö."),
    ("The fee was 35 million euros.", "The fee was 3 million euros"),
    ("Sweden", "Sweden"),
    ("Sweden", "Norway"),
    ("The club before was Tarnwick United.", "It's Tarnwick United's"),
    ("a b", "a b c d e f g"),
]


@pytest.mark.parametrize(("gold", "answer"), PAIRS)
def test_it_is_sacrebleu(gold: str, answer: str, sample: Callable[..., Sample]) -> None:
    expected = sacrebleu.sentence_bleu(answer, [gold]).score / 100
    assert load_metric("bleu").score(sample(answer, answer=gold)).value == pytest.approx(expected, abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*n-gram overlaps:UserWarning")
@pytest.mark.parametrize(("gold", "answer"), PAIRS)
def test_paper_variant_is_nltk(gold: str, answer: str, sample: Callable[..., Sample]) -> None:
    tokens = NLTKWordTokenizer().tokenize
    smoothing = SmoothingFunction().method1
    expected = sentence_bleu([tokens(gold.lower())], tokens(answer.lower()), smoothing_function=smoothing)
    found = load_metric("bleu:paper").score(sample(answer, answer=gold)).value
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_two_differ_on_short_answers(sample: Callable[..., Sample]) -> None:
    short = sample("Sweden", answer="Sweden")
    assert load_metric("bleu").score(short).value == 1.0
    assert load_metric("bleu:paper").score(short).value < 0.5
