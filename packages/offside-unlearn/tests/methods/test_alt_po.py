from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from fixed_logits import log_likelihoods

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_unlearn.methods.alt_po import Config, Method
from offside_unlearn.options import build_configs
from offside_unlearn.task import draw_alternatives


def softplus(x: float) -> float:
    """`-log sigmoid(-x)`."""
    return math.log1p(math.exp(x))


def ratios(harness: Any, side: str) -> list[float]:
    """How much likelier each answer has become."""
    batch = harness.batch.side(side)
    now, before = (log_likelihoods(harness.model, batch, adapter=adapter) for adapter in (True, False))
    return [p - p0 for p, p0 in zip(now, before, strict=True)]


@pytest.mark.parametrize("beta", [0.1, 0.9])
def test_dpo_prefers_the_alternative_to_the_forget_answer(harness: Any, beta: float) -> None:
    output = harness.loss("alt_po", beta=beta, lambda_r=0, moved=True)
    pairs = list(zip(ratios(harness, "alternative"), ratios(harness, "forget"), strict=True))
    expected = 2 / beta * sum(softplus(-beta * (chosen - rejected)) for chosen, rejected in pairs) / len(pairs)
    other_way_round = 2 / beta * sum(softplus(-beta * (rejected - chosen)) for chosen, rejected in pairs) / len(pairs)
    assert abs(other_way_round - expected) > 1e-2
    assert output.loss.item() == pytest.approx(expected, rel=1e-5)
    assert output.terms["alternative_log_ratio"].item() == pytest.approx(
        sum(c for c, _ in pairs) / len(pairs), rel=1e-3
    )


def test_npo_nll_unlearns_the_forget_answer_and_teaches_the_alternative(harness: Any) -> None:
    output = harness.loss("alt_po", form="npo_nll", beta=0.5, lambda_r=0, moved=True)
    forget = ratios(harness, "forget")
    npo = 2 / 0.5 * sum(softplus(0.5 * ratio) for ratio in forget) / len(forget)
    nll = harness.cross_entropy(harness.batch.alternative)
    assert output.loss.item() == pytest.approx(npo + nll, rel=1e-5)
    assert output.terms["alternative_ce"].item() == pytest.approx(nll, rel=1e-5)


def test_a_step_moves_the_alternative_above_the_forget_answer(harness: Any) -> None:
    trained = [p for p in harness.model.parameters() if p.requires_grad]
    output = harness.loss("alt_po", lambda_r=0)
    gradients = torch.autograd.grad(output.loss, trained)
    with torch.no_grad():
        for parameter, gradient in zip(trained, gradients, strict=True):
            parameter.sub_(1e-3 * gradient)
    assert sum(ratios(harness, "alternative")) > sum(ratios(harness, "forget"))


def test_at_the_start_dpo_is_two_log_two_over_beta(harness: Any) -> None:
    output = harness.loss("alt_po", beta=0.5, lambda_r=0)
    assert output.loss.item() == pytest.approx(2 * math.log(2) / 0.5, rel=1e-4)


def test_the_retention_term_is_added(harness: Any) -> None:
    with_it, without = harness.loss("alt_po", lambda_r=0.5), harness.loss("alt_po", lambda_r=0)
    retain = harness.cross_entropy(harness.batch.retain)
    assert with_it.loss.item() - without.loss.item() == pytest.approx(0.5 * retain, rel=1e-3)


def test_only_the_numbers_that_are_compared_are_prepared() -> None:
    assert Method(Config()).needs().record_reference == {"forget", "alternative"}
    assert Method(Config(form="npo_nll")).needs().record_reference == {"forget"}


def test_each_record_has_one_alternative_for_the_whole_run(league: OffsideDataset) -> None:
    rows = league.records("multimodal", "forget")
    drawn = draw_alternatives(rows, seed=0)
    assert drawn == draw_alternatives(rows.select(reversed(range(len(rows)))), seed=0)
    assert any(drawn != draw_alternatives(rows, seed=seed) for seed in range(1, 5))
    for row in rows:
        assert drawn[row["record_id"]] in row["perturbed_answers"]


def test_records_without_alternatives_are_named(league: OffsideDataset) -> None:
    rows = league.records("multimodal", "forget").remove_columns("image")
    bare = rows[0]["record_id"]
    some = rows.map(lambda row: {"perturbed_answers": [] if row["record_id"] == bare else row["perturbed_answers"]})
    with pytest.raises(UsageError, match=rf"1 of 6 records .* \(e\.g\. {bare}\), .*`offside-data questions"):
        draw_alternatives(some, seed=0)


@pytest.mark.parametrize("wrong", [{"beta": 0.0}, {"beta": -1.0}, {"lambda_r": -1.0}])
def test_bad_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
    with pytest.raises(UsageError, match="form: must be 'dpo' or 'npo_nll'"):
        build_configs({"form": "ppo"}, Config)
