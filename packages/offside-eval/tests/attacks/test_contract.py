"""What must hold for every attack that can be found, third parties' included."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch

from offside_data.vlm.digest import weights_digest
from offside_eval.attack_results import AttackResults, outcomes
from offside_eval.attacking import attack_names, make_attacks, run_attack
from offside_eval.attacks import ATTACKS, AttackTarget, Paper, RecoveryAttack

QUICK = {
    "prompt": ["prompt.per_family=1", "prompt.families=prefill,multi_turn,spelling"],
    "sampling": ["sampling.draws=2"],
    "suffix": ["suffix.steps=2", "suffix.candidates=2", "suffix.learn=2", "suffix.length=3"],
    "universal_image": ["universal_image.steps=2", "universal_image.learn=2"],
    "image_rephrase": ["image_rephrase.others=1"],
    "figstep": ["figstep.width=112", "figstep.size=14"],
    "probe": ["probe.known=12", "probe.layers=2", "probe.folds=2", "probe.seed=1"],  # halves that share values
}
"""Budgets for the attacks that cost something; one that isn't here is made with its defaults."""
Real = Callable[..., AttackTarget]


def state_of(model: Any) -> tuple[Any, ...]:
    flags = [weight.requires_grad for weight in model.parameters()]
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    grads = [weight.grad is None for weight in model.parameters()]
    ends = model.generation_config.to_dict()
    return weights_digest(model), flags, hooks, grads, ends, model.training


def made(name: str, target: AttackTarget, *options: str) -> AttackResults:
    return run_attack(name, make_attacks([name], [*QUICK.get(name, ()), *options])[name], target, {})


@pytest.mark.parametrize("name", ATTACKS.names())
def test_it_is_a_frozen_dataclass_that_says_what_it_is(name: str) -> None:
    module = ATTACKS.load(name)
    assert module.__doc__
    assert isinstance(module.PAPER, Paper)
    assert module.PAPER.url.startswith("https://")
    assert issubclass(module.Attack, RecoveryAttack)
    assert module.Attack.__dataclass_params__.frozen
    assert module.Attack.access in ("black-box", "white-box", "weights")
    budget = dataclasses.asdict(module.Attack())
    assert {"seed", "claims", "control"} <= budget.keys()


def test_all_of_the_reference_are_there() -> None:
    wanted = "prompt sampling figstep image_rephrase universal_image suffix cross_modal relearn quantize probe"
    assert set(wanted.split()) <= set(attack_names(["all"]))


@pytest.mark.parametrize("name", ATTACKS.names())
def test_it_asks_about_both_sets_tells_the_same_twice_and_leaves_the_model_as_it_was(name: str, real: Real) -> None:
    first = real(claims=8, control=4)
    before, dice = state_of(first.model), torch.random.get_rng_state()
    found = made(name, first)
    assert state_of(first.model) == before
    assert torch.equal(torch.random.get_rng_state(), dice)
    if found.meta.unfit is not None:
        assert name == "relearn"
        assert found.attempts.is_empty()
        return
    again = made(name, real(claims=8, control=4))
    assert again.attempts.equals(found.attempts)
    asked = found.attempts.filter(found.attempts["name"] != "plain")
    groups = {"forget"} if name == "cross_modal" else {"forget", "control"}  # What nobody saw has one form.
    assert set(asked["group"]) == groups
    assert set(asked["record_id"]).isdisjoint(found.meta.left_out)
    told = {(f.group, f.measure) for f in found.meta.figures if f.family is None}
    assert {("forget", "before"), ("forget", "recovered")} <= told
    assert all(f.n_scored and 0 <= f.value <= 1 for f in found.meta.figures)
    per_claim = outcomes(found.attempts)
    assert per_claim["recovered"].drop_nulls().is_in([0.0, 1.0]).all()
    n = per_claim.filter(per_claim["group"] == "forget").height
    drawn = sum(claim.group == "forget" for claim in first.drawn.claims)
    for f in found.meta.figures:
        if f.group == "forget" and f.measure == "recovered" and f.family is None:
            assert f.n_scored + f.n_skipped == drawn
            assert n <= drawn


@pytest.mark.parametrize("name", [name for name in ATTACKS.names() if name not in ("relearn", "probe")])
def test_nothing_comes_out_of_a_wrecked_model(name: str, real: Real) -> None:
    target = real("raw", claims=8, control=2)
    found = made(name, target)
    told = [f for f in found.meta.figures if f.measure in ("before", "recovered", "after")]
    assert told
    assert all(f.value == 0 for f in told)
