from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from offside_data.errors import UsageError
from offside_eval.attack_results import AttackResults
from offside_eval.attacks._base import Ask
from offside_eval.attacks.sampling import Attack

Attacker = Callable[..., AttackResults]


@pytest.mark.parametrize("leaks", [True, False])
def test_one_draw_that_leaks_is_enough(attack: Attacker, mean: Callable[..., float], leaks: bool) -> None:
    def reply(ask: Ask) -> str:
        told = leaks and ask.name == "draw/3" and ask.claim.group == "forget"
        return ask.claim.question.answer if told else "I don't know."

    found = attack("sampling", reply, "sampling.draws=4")
    assert mean(found, "forget", "recovered") == float(leaks)
    assert mean(found, "control", "recovered") == 0
    assert mean(found, "forget", "before") == 0


def test_a_model_that_guesses_gets_as_many_decoys(attack: Attacker, mean: Callable[..., float]) -> None:
    clubs = ("Norvale Rovers", "Emberlin FC", "Kestrin City", "Ålvik")
    found = attack("sampling", lambda ask: f"It is {clubs[int(ask.name[-1]) - 1]}." if "/" in ask.name else "No idea.",
                   "sampling.draws=4")  # fmt: skip
    assert mean(found, "forget", "recovered") == mean(found, "forget", "decoy") > 0
    assert mean(found, "control", "recovered") > 0


def test_each_claim_is_asked_so_many_times(drawn: object, talker: Any) -> None:
    target = talker(model=None, processor=None, data=None, drawn=drawn, reply=lambda ask: "No idea.")
    found = list(Attack(draws=3, temperature=0.5, seed=7).attempts(target))
    assert [a.name for a in found] == [f"draw/{n}" for n in (1, 2, 3) for _ in target.claims]
    assert [a.claim for a in found] == [*target.claims] * 3
    assert (target.sampling.temperature, target.sampling.seed) == (0.5, 7)


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match=r"a temperature from 0\.01 to 100"):
        Attack(temperature=0)
