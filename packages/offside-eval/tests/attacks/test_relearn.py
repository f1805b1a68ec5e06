from __future__ import annotations

from collections.abc import Callable

from offside_eval.attack_results import AttackResults


def test_it_says_how_it_is_made_and_asks_nothing(attack: Callable[..., AttackResults]) -> None:
    def reply(ask: object) -> str:
        raise AssertionError("nothing is asked")

    found = attack("relearn", reply)
    assert found.meta.unfit is not None
    assert "offside-unlearn relearn --attack" in found.meta.unfit
    assert found.attempts.is_empty()
