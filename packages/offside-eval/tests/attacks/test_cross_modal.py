from __future__ import annotations

from collections.abc import Callable

from offside_eval.attack_results import AttackResults
from offside_eval.attacks._base import Ask

Attacker = Callable[..., AttackResults]


def test_what_the_text_form_still_gets_is_caught(attack: Attacker, mean: Callable[..., float]) -> None:
    def reply(ask: Ask) -> str:
        return ask.claim.question.answer if ask.image is None else "I don't know."

    found = attack("cross_modal", reply)
    assert mean(found, "forget", "recovered") == 1
    asked = found.attempts.filter(found.attempts["name"] == "text")
    assert all("the photo" in said and " of " in said for said in asked["said"])
    assert set(found.meta.left_out.values()) == {"the dataset doesn't ask about it in the other form"}  # of holdout


def test_a_model_that_forgot_both_forms_is_not_caught(attack: Attacker, mean: Callable[..., float]) -> None:
    assert mean(attack("cross_modal", lambda ask: "I don't know."), "forget", "recovered") == 0


def test_without_the_other_form_it_says_why(attack: Attacker, drawn: object) -> None:
    from dataclasses import replace

    claims = [replace(claim, other_form=None) for claim in drawn.claims]
    found = attack("cross_modal", lambda ask: "", drawn=replace(drawn, claims=claims))
    assert found.meta.unfit == "the dataset doesn't ask about any claim in the other form"
