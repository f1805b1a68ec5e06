"""The three kinds of ROUGE against the library they rest on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rouge_score.rouge_scorer import RougeScorer

from offside_eval.metrics import Sample, load_metric

PAIRS = [
    ("The player was born in Malmö.", "The player was born in Malmö."),
    ("The fee was 35 million euros.", "A transfer fee of 35 millions was paid."),
    ("He represents Sweden.", "She represented Norway"),
    ("The club before was Tarnwick United.", ""),
    ("one two three four", "four three two one"),
]
KINDS = {"rouge1": "rouge1", "rouge2": "rouge2", "rouge_l": "rougeL"}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("gold", "answer"), PAIRS)
def test_paper_variant_is_the_library(name: str, gold: str, answer: str, sample: Callable[..., Sample]) -> None:
    expected = RougeScorer([KINDS[name]], use_stemmer=True).score(gold, answer)[KINDS[name]].fmeasure
    found = load_metric(f"{name}:paper").score(sample(answer, answer=gold)).value
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("gold", "answer"), [p for p in PAIRS if (p[0] + p[1]).isascii()])
def test_on_plain_english_both_tokenizers_agree(
    name: str, gold: str, answer: str, sample: Callable[..., Sample]
) -> None:
    ours, paper = (load_metric(n).score(sample(answer, answer=gold)).value for n in (name, f"{name}:paper"))
    assert ours == pytest.approx(paper, abs=1e-6)


def test_letters_of_other_languages_count(sample: Callable[..., Sample]) -> None:
    malmo = sample("Malmø", answer="Malmö")
    assert load_metric("rouge1").score(malmo).value == 0.0
    assert load_metric("rouge1:paper").score(malmo).value == 1.0  # the trap


def test_chinese_is_compared_by_character(sample: Callable[..., Sample]) -> None:
    close = sample("转会费三千万", answer="转会费五千万")
    assert load_metric("rouge1").score(close).value == pytest.approx(5 / 6)
    assert load_metric("rouge1:paper").score(close).reason


def test_a_gold_answer_in_which_nothing_can_match_is_not_scored(sample: Callable[..., Sample]) -> None:
    assert load_metric("rouge2").score(sample("Sweden", answer="Sweden")).reason == (
        "the gold answer has fewer than two words"
    )
    assert load_metric("rouge_l").score(sample("€", answer="€")).value is None
