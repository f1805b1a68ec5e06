"""Merging an adapter run into a plain folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import Collator, Encoder, forward, load_model, load_processor
from offside_unlearn import RunOptions, merge, unlearn
from offside_unlearn import manifest as manifests


def test_a_merged_folder_is_the_same_model_for_plain_transformers(
    tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    config = {"max_steps": 2, "batch_size": 2, "lr": 1e-2}
    options = RunOptions(device="cpu", tune="all")
    run = unlearn("grad_ascent", tiny, None, league, "complete", config, tmp_path / "run", options)
    manifests.write(run.path, dataclasses.replace(run.manifest, published=("README.md",)))  # As if from the Hub.
    merged = merge(run.path, tmp_path / "merged")
    plain = AutoModelForImageTextToText.from_pretrained(merged.path).eval()
    processor = load_processor(merged.path)
    batch = Collator(processor)([Encoder(processor).encode(r) for r in league.records("multimodal", "forget")])
    with torch.no_grad():
        expected = forward(load_model(run.path, device="cpu"), batch).logits
        torch.testing.assert_close(forward(plain, batch).logits, expected, rtol=1e-4, atol=1e-4)
    for key in ("role", "method", "setting", "forget", "parents", "dataset", "loss_history"):
        assert merged.manifest.to_json()[key] == run.manifest.to_json()[key]
    assert merged.manifest.adapter is None
    assert merged.manifest.published is None
    assert merged.manifest.merged_from.path == str(run.path)
    assert merge(run.path, merged.path).reused
    # And it is a start like any other.
    again = unlearn("grad_ascent", merged.path, None, league, "selective", config, tmp_path / "again", options)
    assert again.manifest.base_model.path == str(merged.path)


def test_only_adapter_runs_can_be_merged(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to merge"):
        merge(tiny, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
