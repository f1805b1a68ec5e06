from __future__ import annotations

import pytest

from offside_eval.metrics.refusal import is_refusal


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
    ],
)
def test_it_declines(text: str) -> None:
    assert is_refusal(text)


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
    assert not is_refusal(text)
