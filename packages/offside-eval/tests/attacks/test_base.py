"""Halves of the claims, and what a claim is called by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from offside_eval import attacks
from offside_eval.attacks import _base
from offside_eval.attacks._base import AttackedClaim, Attempt, halves


def claim(subject: str | None, group: str = "forget", **attribute: Any) -> Any:
    question = SimpleNamespace(
        row={"record_id": f"record-{subject}", "subject_id": subject}, attribute=SimpleNamespace(**attribute)
    )
    return AttackedClaim(question=question, group=group)  # type: ignore[arg-type]


def test_half_of_the_forgotten_subjects_are_learnt_on_and_the_others_tried() -> None:
    forgotten = [claim(name) for name in "aabbccddee"]
    control = [claim(name, "control") for name in "avwxyz"]
    for seed in range(6):
        learn, tried = halves([*forgotten, *control], seed)
        assert {c.group for c in learn} == {"forget"}
        taught = {c.subject for c in learn}
        assert (len(taught), len(learn)) == (2, 4)  # of five, rounded down; both claims of each
        assert tried == [c for c in [*forgotten, *control] if c.subject not in taught]
    assert halves(forgotten, 3) == halves(forgotten, 3)
    assert len({halves(forgotten, seed)[0][0].subject for seed in range(9)}) > 1


def test_a_claim_without_a_subject_is_its_own_and_only_what_was_forgotten_is_worded_as_a_rumour() -> None:
    assert (claim("s1").subject, claim(None).subject) == ("s1", "record-None")
    both = {"answers": ("It is {value}.",), "rumor_answers": ("They say {value}.",)}
    assert [claim("s1", group, **both).frame for group in ("forget", "control")] == [
        "They say {value}.",
        "It is {value}.",
    ]
    assert claim("s1", answers=("It is {value}.",), rumor_answers=()).frame == "It is {value}."
    assert Attempt(claim=claim("s1"), name="n", said="s", question="q", answer="a").ended is True


def test_what_an_attack_is_made_of_comes_from_one_place() -> None:
    assert attacks.Ask is _base.Ask
    assert [getattr(attacks, name).__name__ for name in ("RecoveryAttack", "AttackTarget", "Sampling")] == [
        "RecoveryAttack",
        "AttackTarget",
        "Sampling",
    ]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        attacks.nothing  # noqa: B018
