"""A corpus of answers that decline and answers that don't: one half for writing the rule, the other held out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from offside_data.taxonomy import load_taxonomy
from offside_eval.metrics.refusal import is_refusal

FOOTBALL = load_taxonomy("football")
CORPUS = Path(__file__).parent / "refusal_answers.yaml"
LATER = Path(__file__).parent / "later_refusals.yaml"
WRITING, HELD_OUT = 0, 1


def part_of(text: str) -> int:
    """The half that a text is in, by its own hash: nobody chose."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 2


def corpus(kind: str) -> Iterator[tuple[str, str]]:
    """Attribute and text of all `refusals` or all other `answers`."""
    for group in yaml.safe_load(CORPUS.read_text(encoding="utf-8")):
        for text in group[kind]:
            yield group["attribute"], text


def missed(kind: str, part: int) -> tuple[int, list[str]]:
    """How many there are in a half, and those that are taken for the other kind."""
    texts = [(name, text) for name, text in corpus(kind) if part_of(text) == part]
    declines = kind == "refusals"
    return len(texts), [text for name, text in texts if is_refusal(text, FOOTBALL[name]) != declines]


@pytest.mark.parametrize("kind", ["refusals", "answers"])
def test_the_half_that_the_rule_was_written_on_is_told_apart(kind: str) -> None:
    _, wrong = missed(kind, WRITING)
    assert not wrong


@pytest.mark.parametrize("kind", ["refusals", "answers"])
def test_of_the_half_held_out_at_least_95_percent_are_right(kind: str) -> None:
    n, wrong = missed(kind, HELD_OUT)
    assert n >= 70
    assert len(wrong) <= 0.05 * n, wrong


def test_the_corpus_is_large_and_nothing_stands_twice() -> None:
    refusals, answers = list(corpus("refusals")), list(corpus("answers"))
    assert len(refusals) >= 150
    assert len(answers) >= 150
    assert len(set(refusals + answers)) == len(refusals) + len(answers)


def later(part: str, kind: str) -> list[tuple[str, bool]]:
    """The texts of a part of the later corpus, and whether each is told."""
    groups = yaml.safe_load(LATER.read_text(encoding="utf-8"))[part]
    pairs = [(text, FOOTBALL[group["attribute"]]) for group in groups for text in group[kind]]
    return [(text, is_refusal(text, attribute) == (kind == "refusals")) for text, attribute in pairs]


@pytest.mark.parametrize("kind", ["refusals", "answers"])
def test_what_the_rule_was_mended_for_later_is_told_apart(kind: str) -> None:
    told = later("mended", kind)
    assert len(told) >= 120
    assert not [text for text, is_told in told if not is_told]


@pytest.mark.parametrize(("kind", "least"), [("refusals", 0.85), ("answers", 0.95)])
def test_of_the_round_that_nothing_was_mended_for_most_are_right(kind: str, least: float) -> None:
    told = later("held_out", kind)
    assert sum(is_told for _, is_told in told) >= least * len(told) >= 25 * least
