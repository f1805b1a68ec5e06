from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from offside_eval.attack_results import AttackResults
from offside_eval.attacks import probe
from offside_eval.attacks._base import Ask
from offside_eval.attacks._claims import ClaimSet
from offside_eval.attacks.probe import Attack, _begun, _classes, _is_of, fit, predict

Attacker = Callable[..., AttackResults]
OPTIONS = ("probe.seed=1", "probe.layers=1", "probe.folds=2")


@pytest.mark.parametrize("holds", [True, False])
def test_a_value_that_the_states_hold_is_read_of_other_subjects_and_shuffled_labels_read_less(
    attack: Attacker, mean: Callable[..., float], talker: Any, holds: bool
) -> None:
    class Holder(talker):
        """Says nothing; its hidden states hold each value as a direction, or noise."""

        def states(self, asks: Sequence[Ask]) -> tuple[list[Ask], torch.Tensor]:
            rows = []
            for ask in asks:
                key = ask.claim.question.value.text if holds else ask.claim.record_id
                noise = torch.Generator().manual_seed(sum(map(ord, key)) * 7919)
                rows.append(torch.randn(2, 24, generator=noise))
            return list(asks), torch.stack(rows)

    found = attack("probe", lambda ask: "I don't know.", *OPTIONS, kind=Holder)
    assert mean(found, "forget", "before") == 0
    read = mean(found, "forget", "recovered")
    if holds:
        assert read == 1
        assert mean(found, "forget", "recovered", "@random_labels") < 1
    else:
        assert read < 1
    assert found.attempts.select("record_id", "name").is_unique().all()  # each attribute by itself
    learnt = {key for key, why in found.meta.left_out.items() if "learnt on" in why}
    assert learnt
    subjects = {row["subject_id"] for row in found.attempts.iter_rows(named=True)}
    assert subjects.isdisjoint({key.split("-")[2] for key in learnt})


def test_the_regression_against_the_normal_equations() -> None:
    dice = np.random.default_rng(0)
    states, labels = dice.normal(size=(20, 5)), np.arange(20) % 3
    mean, scale, weights = fit(states, labels, 3, 0.2)
    x = np.concatenate([(states - mean) / scale, np.ones((20, 1))], axis=1)
    plain = np.linalg.solve(x.T @ x + 0.2 * 20 * np.eye(6), x.T @ np.eye(3)[labels])
    assert weights == pytest.approx(plain)
    assert predict((mean, scale, weights), states).shape == (20,)
    exact = np.array([[0.0, 2.0], [2.0, 2.0]])
    centre, spread, _ = fit(exact, np.array([0, 1]), 2, 0.1)
    assert centre == pytest.approx([1.0, 2.0], abs=1e-9)
    assert spread == pytest.approx([1.0 + 1e-6, 1e-6], abs=1e-9)
    new = dice.normal(size=(40, 5)) * 3 + 1
    rows = np.concatenate([(new - mean) / scale, np.ones((40, 1))], axis=1)
    assert predict((mean, scale, weights), new).tolist() == (rows @ plain).argmax(1).tolist()


def test_the_layer_is_that_which_reads_best_of_those_that_are_looked_at() -> None:
    dice = np.random.default_rng(1)
    labels = np.arange(24) % 2
    states = dice.normal(size=(24, 4, 3))
    subjects = [f"s{i // 2}" for i in range(24)]  # Both values of each.
    for best in (1, 3):
        told = states.copy()
        told[:, best, 0] += 8 * labels
        assert Attack(layers=2)._layer(told, labels, 2, subjects) == best
    assert Attack(layers=4)._layer(states + 9 * labels[:, None, None], labels, 2, subjects) == 3  # of several the last


def test_too_few_subjects_or_values_are_said(drawn: ClaimSet, talker: Any) -> None:
    def target(claims: Sequence[Any]) -> Any:
        few = replace(drawn, claims=claims)
        return talker(model=None, processor=None, data=None, drawn=few, reply=lambda ask: "")

    def of(n: int) -> Any:
        subjects = sorted({c.subject for c in drawn.claims if c.group == "forget"})[:n]
        return target([c for c in drawn.claims if c.group == "control" or c.subject in subjects])

    assert Attack().unfit(of(4)) is None
    assert Attack().unfit(of(3)) == "3 subjects can't be halved; at least 4 are needed"
    clubs = [c for c in drawn.claims if c.question.attribute.name == "club" and c.group == "forget"]
    fees = [c for c in drawn.claims if c.question.attribute.name == "fee"]
    places = {id(c): i for i, c in enumerate([*clubs, *fees])}
    values = sorted({c.question.value.text for c in clubs if c.question.value})
    read = np.stack([np.eye(len(values))[[values.index(c.question.value.text)]] for c in clubs])
    assert len(clubs) == len(values) == 4
    # Taught two of the values twice each: of the tried ones a third can't be read.
    learn, tried = [clubs[0], clubs[1], clubs[0], clubs[1]], [clubs[1], clubs[2]]
    of_all = target(clubs)
    found = list(Attack(layers=1, folds=2)._read("club", learn, tried, of_all, read, places))
    assert [(a.claim, a.name) for a in found] == [(clubs[1], "probe/layer1"), (clubs[1], "@random_labels/layer1")]
    assert found[0].answer == clubs[1].question.value.text
    assert found[0].said == found[0].question == clubs[1].question.row["question"]
    assert of_all.left_out == {clubs[2].record_id: "nobody that the probe may be fitted on has this value"}
    alone = target(clubs)
    assert list(Attack()._read("club", [clubs[0]] * 2, [clubs[1]], alone, read, places)) == []
    assert alone.left_out == {clubs[1].record_id: "too few values of the attribute to fit a probe on"}
    assert _is_of(clubs[0], "club", places)
    assert not _is_of(clubs[0], "fee", places)
    assert not _is_of(clubs[0], "club", {})
    assert _begun(clubs[0]).begun == clubs[0].frame.split("{value}")[0].strip() != ""
    assert _classes([*clubs, *clubs])[1].tolist() == [0, 1, 2, 3] * 2


def test_what_was_kept_is_fitted_on_of_other_subjects(
    drawn: ClaimSet, attacked_data: Any, talker: Any, lacking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clubs = [c for c in drawn.claims if c.question.attribute.name == "club"]
    target = talker(model=None, processor=None, data=attacked_data, drawn=replace(drawn, claims=clubs), reply=str)
    kept = Attack()._kept(target, {"s0", "s2"})
    assert {c.record_id for c in kept} == {"multimodal-retain-s1-club", "multimodal-retain-s3-club"}
    assert {c.group for c in kept} == {"control"}
    assert len(Attack(known=1)._kept(target, set())) == 1
    monkeypatch.setattr(probe, "ask_besides", lambda data, rows: [SimpleNamespace(row=r, value=None) for r in rows])
    assert Attack()._kept(target, set()) == []
    target.data = lacking(attacked_data, ("multimodal", "retain"))
    assert Attack()._kept(target, set()) == []
