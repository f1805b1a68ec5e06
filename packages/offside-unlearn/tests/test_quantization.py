"""A base model in 4 bits: only under an adapter, only where bitsandbytes is there, and the receipt says so."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import load_model, models
from offside_unlearn import Run, RunOptions, merge, unlearn
from offside_unlearn.plan import plan

QUICK = {"max_steps": 1, "batch_size": 1, "lr": 1e-3}


def run(model: Any, league: OffsideDataset, out: Path, method: str = "grad_diff", **more: Any) -> Run:
    options = RunOptions(device="cpu", quantization="nf4", **more)
    return unlearn(method, str(model), None, league, "complete", QUICK, out, options)


def test_without_its_package_it_is_refused_before_the_model_is_loaded(
    tiny: Path, league: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    monkeypatch.setattr("offside_unlearn.start.Start.load", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises(UsageError, match=r"bitsandbytes isn't installed\. pip install 'offside-unlearn\[quant"):
        run(tiny, league, tmp_path / "run")
    with pytest.raises(UsageError, match="'nf5' is unknown; choose from nf4"):
        load_model(tiny, device="cpu", quantization="nf5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [("grad_diff", {"full": True}, "Use --lora"), ("smfa", {}, "base model's weights"), ("steering", {}, "no adapter")],
)
def test_what_changes_the_weights_themselves_is_refused(
    tiny: Path,
    league: OffsideDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    options: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.setattr(models, "find_spec", lambda name: True)
    with pytest.raises(UsageError, match=f"--quantization nf4: .*{message}"):
        run(tiny, league, tmp_path / "run", method, **options)


def test_a_plan_counts_fewer_bytes(tiny: Path, league: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "find_spec", lambda name: True)
    usual, less = (
        plan("grad_diff", tiny, league, "complete", QUICK, RunOptions(quantization=quantization))
        for quantization in (None, "nf4")
    )
    linear = sum(
        module.weight.numel()
        for name, module in load_model(tiny, device="cpu").named_modules()
        if isinstance(module, torch.nn.Linear) and "lm_head" not in name
    )
    assert usual.memory["weights"] - less.memory["weights"] == pytest.approx(linear * (4 - 0.516) / 2**20)
    assert (usual.quantization, less.quantization, less.dtype) == (None, "nf4", "float32")


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes isn't installed")
def test_an_adapter_is_trained_on_four_bits_and_merged_into_the_whole_weights(
    tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    made = run(tiny, league, tmp_path / "run", "npo")
    training = made.manifest.training
    assert training is not None
    assert training.quantization == "nf4"
    whole = load_model(tiny, device="cpu")
    own = sum(row["parameters"] for row in training.trained_parts.values())
    assert own == sum(p.numel() for p in whole.parameters()), "packed weights are counted one by one"
    again = load_model(made.path, device="cpu", quantization="nf4")
    kept = [p for p in again.parameters() if p.dtype == torch.uint8]
    assert len(kept) > 10
    merged = load_model(merge(made.path, tmp_path / "merged").path, device="cpu")
    plain = load_model(made.path, device="cpu").merge_and_unload()
    assert all(torch.equal(p, q) for p, q in zip(merged.parameters(), plain.parameters(), strict=True))
    continued = run(made.path, league, tmp_path / "further")
    assert continued.manifest.adapter == made.manifest.adapter
