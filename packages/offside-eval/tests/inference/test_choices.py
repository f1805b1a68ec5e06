from __future__ import annotations

import math

import pytest

from offside_eval.inference.choices import Weigher, lead
from offside_eval.inference.likelihood import Weighed


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((), math.inf),
        ((-1.0,), math.inf),
        ((-3.0, -1.0, -2.0), 1.0),
        ((-1.0, -1.0), 0.0),
        ((math.nan, -1.0), math.inf),
    ],
)
def test_lead(weights: tuple[float, ...], expected: float) -> None:
    assert lead(weights) == expected


class _Item:
    def __init__(self, key: str) -> None:
        self.key = key
        self.answers = ((1,), (2,))
        self.choices = (0, 1)
        self.alternatives = ()
        self.paraphrases = ()
        self.n_content = 1


def test_a_tie_is_weighed_again_alone() -> None:
    batches: list[list[str]] = []

    def likelihood(items: list[_Item]) -> list[list[Weighed]]:
        batches.append([i.key for i in items])
        noise = 0.0 if len(items) == 1 else 1e-6
        return [[Weighed((-1.0 - noise,)), Weighed((-1.0 - 5e-7 if i.key == "tie" else -2.0,))] for i in items]

    weigher = Weigher(likelihood, within_rounding=1e-4)  # type: ignore[arg-type]
    clear, tie = weigher([_Item("clear"), _Item("tie")])  # type: ignore[list-item]
    assert batches == [["clear", "tie"], ["tie"]]
    assert tie.choices == (-1.0, -1.0 - 5e-7)
    assert clear.choices == (-1.000001, -2.0)


def test_a_gold_answer_as_likely_as_another_value_is_weighed_again_alone() -> None:
    batches: list[list[str]] = []

    def likelihood(items: list[_Item]) -> list[list[Weighed]]:
        batches.append([i.key for i in items])
        return [[Weighed((-1.0, -3.0)), Weighed((-2.0 - (2e-5 if i.key == "close" else 1.0),))] for i in items]

    items = [_Item("clear"), _Item("close")]
    for item in items:
        item.choices, item.alternatives = (), (1,)
    clear, close = Weigher(likelihood, within_rounding=1e-4)(items)  # type: ignore[arg-type]
    assert batches == [["clear", "close"], ["close"]]
    assert (clear.alternatives, close.alternatives) == ((-3.0,), (-2.00002,))


def test_a_token_that_hardly_leads_is_weighed_again_alone_and_the_end_of_the_turn_never_counts() -> None:
    batches: list[list[str]] = []

    def likelihood(items: list[_Item]) -> list[list[Weighed]]:
        batches.append([i.key for i in items])
        close = 1e-6 if len(items) == 1 else -1e-6
        leads = {"close": (2.0, close, 5.0), "clear": (2.0, -3.0, 1e-7)}
        return [[Weighed((-1.0,) * 3, leads[i.key]), Weighed((-9.0,))] for i in items]

    items = [_Item("clear"), _Item("close")]
    for item in items:
        item.choices, item.n_content = (), 2
    clear, close = Weigher(likelihood, within_rounding=1e-4)(items)  # type: ignore[arg-type]
    assert batches == [["clear", "close"], ["close"]]
    assert (clear.hits, close.hits) == ((1, 0), (1, 1))
