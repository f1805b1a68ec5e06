from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from offside_eval.attack_results import AttackResults
from offside_eval.attacks._base import Ask
from offside_eval.attacks.probe import fit, predict

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
