"""Tiny models made for a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import OutputExistsError, PluginError
from offside_data.vlm import load_processor
from offside_data.vlm.digest import model_digest
from offside_unlearn import make_tiny


def test_the_same_data_and_seed_give_the_same_model(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    assert model_digest(make_tiny(tmp_path / "again", league).path) == model_digest(tiny)
    assert model_digest(make_tiny(tmp_path / "other", league, seed=1).path) != model_digest(tiny)
    assert make_tiny(tmp_path / "again", league).reused
    with pytest.raises(OutputExistsError):
        make_tiny(tmp_path / "again", league, seed=5)


def test_its_vocabulary_fits_the_data(tiny: Path) -> None:
    tokenizer = load_processor(tiny).tokenizer
    assert len(tokenizer("Which club is this picture about?")["input_ids"]) < 10
    assert len(tokenizer("assistant")["input_ids"]) == 1


def test_it_says_that_it_is_untrained(tiny: Path) -> None:
    from offside_unlearn import Run

    manifest = Run.open(tiny).manifest
    assert manifest.role == "base"
    assert manifest.trained_on == ()


def test_unknown_families_are_errors(league: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="unknown tiny model family"):
        make_tiny(tmp_path / "x", league, family="qwen9")
    assert not (tmp_path / "x").exists()
