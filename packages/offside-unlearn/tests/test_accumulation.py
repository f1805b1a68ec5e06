"""One big batch or several small ones: the same gradient, in every family, for losses over tokens and over records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.vlm import Collator
from offside_data.vlm.tiny import FAMILIES, build_tiny
from offside_unlearn import reference as references
from offside_unlearn import trainer
from offside_unlearn.reference import Preparation
from offside_unlearn.trainer import Schedule, TrainConfig, train
from offside_unlearn.tune import LoraOptions, add_adapter
from offside_unlearn.unlearning import METHODS


def gradient(model: Any, processor: Any, name: str, make_plan: Any, folder: Path, accumulation: int) -> Any:
    """What the optimizer sees in a step of four records, and the step's entry of the history."""
    module = METHODS.load(name)
    method = module.Method(module.Config())
    plan = make_plan(processor, batch_size=4 // accumulation, accumulation=accumulation, steps=1)
    examples = {side: source.examples for side, source in plan.sources.items()}
    preparation = Preparation(
        collator=Collator(processor), batch_size=4, fresh_adapter=False, changing_pictures=False, folder=None
    )
    reference = references.of(model, method.needs(), examples, preparation)
    seen: dict[str, torch.Tensor] = {}

    class Recording(trainer.Progress):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            seen.update({n: p.grad.clone() for n, p in kwargs["model"].named_parameters() if p.grad is not None})

    config = TrainConfig(lr=1e-30, max_grad_norm=0, batch_size=4 // accumulation, accumulation=accumulation)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "Progress", Recording)

        def objective(model: Any, batch: Any) -> Any:
            return method.loss(model, batch, reference)

        schedule = Schedule(folder / f"{name}-{accumulation}")
        (entry,) = train(model, plan, objective, config, 0, schedule, method)
    return seen, entry


QUICK = ("qwen2_5_vl", "llava_next")
"""Families of the fast tests: one whose pictures are patches, one whose pictures are padded tiles."""


@pytest.mark.parametrize(
    "family", [family if family in QUICK else pytest.param(family, marks=pytest.mark.full) for family in FAMILIES]
)
def test_the_gradient_does_not_depend_on_how_a_step_is_divided(
    family: str, league: OffsideDataset, make_plan: Any, tmp_path: Path
) -> None:
    model, processor = build_tiny(family, texts=["Which club is this?", "The player was with Norvale Rovers."], seed=0)
    model = add_adapter(model, "all", LoraOptions(lora_dropout=0.0))
    with torch.no_grad():  # As if training had gone on for a while; then nothing is zero, or the frozen model's.
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.02)
    for name in ("grad_diff", "npo"):
        whole, once = gradient(model, processor, name, make_plan, tmp_path, 1)
        divided, entry = gradient(model, processor, name, make_plan, tmp_path, 4)
        assert whole.keys() == divided.keys()
        far = torch.stack([(divided[part] - values).norm() for part, values in whole.items()]).norm()
        length = torch.stack([values.norm() for values in whole.values()]).norm()
        assert far < 1e-5 * length, f"{name}: {float(far / length):g}"
        assert {k: entry[k] for k in once} == pytest.approx(once, rel=1e-4, abs=1e-4)
