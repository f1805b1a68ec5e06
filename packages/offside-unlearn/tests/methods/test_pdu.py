from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fixed_logits import LABELS, LOGITS, PLACES, predicted

from offside_unlearn import losses
from offside_unlearn.batches import BatchPlan
from offside_unlearn.methods.pdu import Config, Method
from offside_unlearn.reference import ReferenceModel
from offside_unlearn.trainer import Schedule, TrainConfig, train
from offside_unlearn.tune import LoraOptions, add_adapter


def by_hand(logits: list[float]) -> float:
    return (max(logits) - sum(logits) / len(logits)) ** 2


def test_on_fixed_logits_by_hand() -> None:
    each = [by_hand(LOGITS[row, t].tolist()) for row, t, _ in PLACES]
    assert losses.logit_margin(LOGITS, LABELS).item() == pytest.approx(sum(each) / 5, rel=1e-5)
    assert losses.logit_margin(LOGITS, LABELS, tokens=10.0).item() == pytest.approx(sum(each) / 10, rel=1e-5)


def test_flat_logits_cost_nothing() -> None:
    assert losses.logit_margin(torch.full_like(LOGITS, 3.0), LABELS).item() == 0


def test_it_is_the_lagrangian_at_the_lambda_of_the_step(harness: Any) -> None:
    output = harness.loss("pdu", epsilon=0.5, dual_start=3.0, moved=True)
    each = [by_hand(logits) for record in predicted(harness.model, harness.batch.forget) for logits, _ in record]
    margin, retain = sum(each) / len(each), harness.cross_entropy(harness.batch.retain)
    assert output.terms["forget_margin"].item() == pytest.approx(margin, rel=1e-5)
    assert output.loss.item() == pytest.approx(margin + 3 * (retain - 0.5), rel=1e-5)
    assert output.terms["dual"].item() == 3


def duals(config: Config, costs: list[float]) -> list[float]:
    """Lambda after each step, given what the retained answers cost in it."""
    method = Method(config)
    found = []
    for cost in costs:
        method.after_step({"forget_margin": 5.0, "retain_ce": cost})
        found.append(float(method.state["dual"]))
    return found


def test_lambda_grows_while_the_constraint_is_broken_and_shrinks_to_nothing_where_it_holds() -> None:
    config = Config(epsilon=0.3, dual_start=1.0, dual_lr=2.0)
    assert duals(config, [0.8, 0.3, 0.0, 0.1, 0.1, 0.1, 0.1, 0.5]) == pytest.approx(
        [2.0, 2.0, 1.4, 1.0, 0.6, 0.2, 0.0, 0.4]
    )


def test_lambda_waits_while_it_warms_up() -> None:
    config = Config(epsilon=0.0, dual_start=1.0, dual_lr=1.0, dual_warmup_steps=2)
    assert duals(config, [1.0, 1.0, 1.0, 1.0]) == [1.0, 1.0, 2.0, 3.0]


def test_accumulation_does_not_change_lambda(
    fresh: Callable[[], tuple[Any, Any]], make_plan: Callable[..., BatchPlan], tmp_path: Path
) -> None:
    def history(batch_size: int, accumulation: int) -> list[float]:
        model, processor = fresh()
        torch.manual_seed(3)
        model = add_adapter(model, "language", LoraOptions(lora_dropout=0.0))
        method = Method(Config(epsilon=1.0, dual_start=1.0))
        reference = ReferenceModel()
        log = train(
            model,
            make_plan(processor, steps=3, batch_size=batch_size, accumulation=accumulation),
            lambda model, batch: method.loss(model, batch, reference),
            TrainConfig(lr=1e-3, accumulation=accumulation),
            0,
            Schedule(tmp_path / str(accumulation)),
            method,
        )
        assert int(method.state["steps"]) == 3
        return [*(entry["dual"] for entry in log), float(method.state["dual"])]

    whole = history(4, 1)
    assert len(set(whole)) == 4, "lambda moves at every step"
    assert history(1, 4) == pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize(
    "wrong", [{"epsilon": -0.1}, {"dual_start": -1.0}, {"dual_lr": 0.0}, {"dual_warmup_steps": -1}]
)
def test_bad_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
