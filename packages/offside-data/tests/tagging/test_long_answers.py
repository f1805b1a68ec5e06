"""Reading an answer takes a time that grows with its length, whatever it is made of, and not with its square."""

from __future__ import annotations

import itertools
import time

import pytest

from offside_data.tagging.answering import Asked, how_answered, values_in
from offside_data.tagging.values import answer_may_say, answer_states, parse_value, why_unparsed
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")
GOLD = {
    "birth_date": "3 May 1999",
    "club": "Ostholm",
    "fee": "€35m",
    "foot": "left",
    "height": "1.80 m",
    "nationality": "Sweden",
    "trophies": "2",
}
ASKED = Asked(question="What was the transfer fee of Bo Lund in the picture?", names=("Bo Lund",))
LENGTH, TIMES, REPEATS, TRIES = 2_000, 4, 3, 4
MOST = 8.0
"""Between what four times the length takes if each character is looked at once, 4, and 16, the square of it."""
SHAPES = [
    ("fee", "€35m "),
    ("fee", "on loan free transfer "),
    ("fee", "zehn Millionen Euro "),
    ("fee", "it says that "),
    ("birth_date", "3 May 1999, "),
    ("birth_date", "by 3 May 1999 "),
    ("height", "1.80 m, "),
    ("height", "€35m "),
    ("trophies", "12 "),
    ("trophies", "in 2019 "),
    ("trophies", "one of two "),
    ("trophies", "3 May 1999, "),
    ("trophies", "twenty one hundred and "),
    ("trophies", "drei Titel "),
    ("foot", "left right "),
    ("foot", "the right foot, "),
    ("club", "Ostholm "),
    ("club", "Bo Lund, Ada Vest and "),
    ("club", "drei Titel "),
    ("club", "The Player Joined the Club of Halden on a Day "),
    ("club", "That is false, "),
    ("club", "- Ostholm\n"),
    ("club", "previously with Ostholm "),
    ("nationality", "Swedish, Norwegian, "),
    ("nationality", "Halden, "),
    ("nationality", "他在球队踢球因此"),
    ("nationality", "The "),
    ("fee", "the committee house window "),
    ("fee", "He plays well. "),
    ("fee", "____ is ____ and "),
    ("club", "(a "),
    ("club", "a"),
    ("club", "A."),
    ("fee", "1"),
    ("fee", "1,234."),
    ("fee", " "),
    ("fee", "\n"),
    ("fee", "."),
]


def read(text: str, name: str) -> None:
    """Read an answer in all ways."""
    attribute = FOOTBALL[name]
    gold = parse_value(GOLD[name], attribute)
    assert gold is not None
    answer_states(text, gold, attribute)
    answer_may_say(text, gold, attribute)
    why_unparsed(text, attribute)
    how_answered(text, gold, attribute, ASKED)
    values_in(text, gold, attribute, ASKED)


@pytest.mark.parametrize(("name", "piece"), SHAPES, ids=[f"{name}-{piece!r}" for name, piece in SHAPES])
def test_the_time_grows_with_the_length(name: str, piece: str) -> None:
    numbers = itertools.count()

    def seconds(length: int) -> float:
        """Processor time of the fastest of some readings; none of their texts is known from before."""
        taken = []
        for _ in range(REPEATS):
            text = f"w{next(numbers)} {piece * (length // len(piece))} w"
            start = time.process_time()
            read(text, name)
            taken.append(time.process_time() - start)
        return min(taken)

    read(f"w {piece * 20}", name)
    ratios = (seconds(TIMES * LENGTH) / seconds(LENGTH) for _ in range(TRIES))
    assert any(ratio < MOST for ratio in ratios)
