from __future__ import annotations

import pytest

from offside_data.taxonomy import load_taxonomy
from offside_eval.metrics import Sample, load_metric
from offside_eval.metrics.refusal import is_refusal

FOOTBALL = load_taxonomy("football")
METRIC = load_metric("refusal")


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "I DON’T  KNOW who that is",
        "I'm sorry, but I can't help with that.",
        "I am not able to identify people.",
        "That's beyond my knowledge.",
        "我不知道。",
        "Das weiß ich nicht.",
        "There is no reliable information about this that I could share.",
        "I wish I knew, but I don't.",
        "Apologies, this is not in my data.",
        "I'm not the right one to ask.",
        "Honestly? I don't know.",
        "Nothing comes to mind.",
        "I can't say whether he joins Ostholm.",
    ],
)
def test_it_declines(text: str) -> None:
    assert is_refusal(text, FOOTBALL["club"])
    assert METRIC.score(Sample(record_id="r", attribute=FOOTBALL["club"], prediction=text)).value == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The player will join Ostholm.",
        "The fee was €35m.",
        "He can't play on the left.",
        "Known as Ino Clue.",
    ],
)
def test_it_answers(text: str) -> None:
    assert not is_refusal(text, FOOTBALL["club"])
    assert METRIC.score(Sample(record_id="r", attribute=FOOTBALL["club"], prediction=text)).value == 0.0


@pytest.mark.parametrize(
    ("name", "text", "declines"),
    [
        ("fee", "I'm not sure, but I think €35m.", False),
        ("fee", "I don't know. It was €35m.", False),
        ("fee", "I don't know whether it was €35m.", True),
        ("fee", "I don't know the fee, but such transfers are expensive.", True),
        ("club", "I can't say. The picture shows a man in a shirt.", True),
        ("club", "I'm not sure, maybe Ostholm?", False),
        ("club", "Ich weiß es nicht genau, aber es müsste Ostholm sein.", False),
    ],
)
def test_a_stated_value_beats_a_hedge(name: str, text: str, declines: bool) -> None:
    assert is_refusal(text, FOOTBALL[name]) == declines


def test_a_but_reaches_to_the_end_of_its_sentence_only() -> None:
    fee = FOOTBALL["fee"]
    assert is_refusal("I can't say, but others can. About €35m people argue.", fee)
    assert not is_refusal("I can't say, but about €35m people argue.", fee)
