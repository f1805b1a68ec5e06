"""Every method on every family of tiny models; `make test` tries a few methods, `make test-full` all of them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from method_case import SIDES, Case
from safetensors.torch import load_file

from offside_data.dataset.folder import OffsideDataset
from offside_data.vlm import (
    Collator,
    Encoder,
    forward,
    load_intervened,
    load_model,
    load_processor,
    read_intervention,
    sequence_logprobs,
)
from offside_data.vlm.models import ADAPTER_WEIGHTS
from offside_data.vlm.tiny import FAMILIES
from offside_unlearn import METHODS, RunOptions, unlearn
from offside_unlearn.batches import BatchPlan
from offside_unlearn.methods import EditingMethod, InterveningMethod

QUICK = ("kl_min", "manu", "npo")
"""One that reads the frozen model's distributions, one that edits layers by name, one with stored numbers."""

METHOD = [pytest.param(name, marks=() if name in QUICK else pytest.mark.full) for name in METHODS.names()]
TRAINED = [one for one in METHOD if not issubclass(METHODS.load(str(one.values[0])).Method, EditingMethod)]

pytestmark = pytest.mark.parametrize("family", FAMILIES, scope="module")


def said(run: Path, league: OffsideDataset) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability of each answer to be forgotten, as whoever loads the run would ask; and with others' pictures."""
    if read_intervention(run) is None:
        model, intervention = load_model(run, device="cpu"), None
    else:
        model, intervention = load_intervened(run, device="cpu")
    processor = load_processor(run)
    encoder = Encoder(processor, instruct=intervention.instruction if intervention else None)
    rows = list(league.records("multimodal", "forget"))
    numbers = []
    for pictures in ([row["image"] for row in rows], [row["image"] for row in reversed(rows)]):
        shown = [{**row, "image": picture} for row, picture in zip(rows, pictures, strict=True)]
        batch = Collator(processor)([encoder.encode(row) for row in shown])
        with torch.no_grad(), intervention.attached(model) if intervention else contextlib.nullcontext():
            output = forward(model, batch, keep="answer")
        numbers.append(sequence_logprobs(output.logits, output.labels)[0])
    return numbers[0], numbers[1]


@pytest.fixture(scope="module")
def said_at_first(family: str, family_folder: Callable[[str], Path], league: OffsideDataset) -> torch.Tensor:
    """What the family's untrained model gives each answer."""
    return said(family_folder(family), league)[0]


@pytest.mark.parametrize("method", METHOD)
def test_a_run_changes_what_the_model_says_and_not_that_it_sees(
    method: str,
    family: str,
    family_folder: Callable[[str], Path],
    said_at_first: torch.Tensor,
    league: OffsideDataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind, start = METHODS.load(method).Method, family_folder(family)
    steps = 1 if issubclass(kind, EditingMethod) else 2
    config = {"max_steps": steps, "batch_size": 2} | ({} if steps == 1 else {"lr": 1e-2, "retain_ratio": 1})
    full = kind.needs_full and not issubclass(kind, InterveningMethod)
    run = unlearn(
        method, start, None, league, "complete", config, tmp_path / "run", RunOptions(device="cpu", full=full)
    )
    training = run.manifest.training
    assert training is not None
    assert [entry["step"] for entry in training.loss_history] == list(range(1, steps + 1))
    assert all(torch.isfinite(torch.tensor(value)) for entry in training.loss_history for value in entry.values())
    after, swapped = said(run.path, league)
    assert torch.isfinite(after).all()
    assert (after - said_at_first).abs().max() > 1e-4
    assert (after - swapped).abs().max() > 1e-4
    printed = dict(re.findall(r"(\w+): ([\d,]+) weights? in [\d,]+ modules? are trained", capsys.readouterr().err))
    assert {tower: int(count.replace(",", "")) for tower, count in printed.items()} == {
        tower: row["trained"] for tower, row in training.trained_parts.items()
    }
    if run.manifest.adapter is not None:
        weights = load_file(run.path / ADAPTER_WEIGHTS)
        assert all(weight.any() for weight in weights.values())
        assert sum(weight.numel() for weight in weights.values()) == training.trained_parts["language"]["trained"] > 0


@pytest.mark.parametrize("name", TRAINED)
def test_its_loss_trains_all_that_is_trained_and_reads_the_pictures(
    name: str, family: str, family_model: Callable[[str], tuple[Any, Any]], make_plan: Callable[..., BatchPlan]
) -> None:
    case = Case(name, family_model(family), make_plan, tune="language", steps=12)
    batch = next(case.plan.batches())
    output = case.output(batch)
    assert torch.isfinite(output.loss)
    assert output.terms
    assert all(torch.isfinite(term) for term in output.terms.values())
    output.loss.backward()
    trained = {n: p.grad for n, p in case.model.named_parameters() if p.requires_grad}
    assert [n for n, gradient in trained.items() if gradient is None or not gradient.any()] == []
    assert not any(p.grad is not None for n, p in case.model.named_parameters() if n not in trained)
    for side in SIDES:
        if side in case.read:
            shown = next(b for b in case.plan.batches() if int(b.side(side).inputs["image_index"].max()) > 0)
            before, other = case.terms(shown), case.terms(case.with_another_picture(shown, side))
            assert not all(torch.isclose(other[term], value, rtol=1e-6) for term, value in before.items()), side
