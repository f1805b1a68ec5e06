"""Presets hit their own tower and nothing else, in every tried family."""

from __future__ import annotations

import re
from typing import Any

import pytest

from offside_data.errors import UsageError
from offside_data.vlm import build_tiny
from offside_data.vlm.tiny import FAMILIES as TINY_FAMILIES
from offside_unlearn.tune import (
    FAMILIES,
    PRESETS,
    LoraOptions,
    add_adapter,
    tower_of,
    trained_parts,
    unfreeze,
)


def build(family: str) -> Any:
    return build_tiny(family, texts=["Which club is it?", "Norvale Rovers."] * 5, seed=0)[0]


def test_every_tiny_family_has_presets() -> None:
    assert set(TINY_FAMILIES) <= set(FAMILIES)


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_presets_hit_exactly_their_tower(family: str) -> None:
    for tune in PRESETS:
        model = add_adapter(build(family), tune, LoraOptions())
        parts = trained_parts(model)
        assert [tower for tower, row in parts.items() if row["trained"]] == [tune]
        trained = {n for n, p in model.named_parameters() if p.requires_grad}
        assert all("lora_" in name for name in trained)


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_all_hits_every_linear_layer_of_the_transformer_blocks(family: str) -> None:
    import torch

    model = build(family)
    blocks = re.compile(r"\.(layers|blocks)\.\d+\.")
    linear = {n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and blocks.search(n)}
    tuned = add_adapter(model, "all", LoraOptions())
    hit = {n.removeprefix("base_model.model.").split(".lora_")[0] for n, _ in tuned.named_parameters() if ".lora_" in n}
    assert linear <= hit
    assert linear
    assert all(row["trained"] for tower, row in trained_parts(tuned).items() if tower in PRESETS)


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_every_weight_belongs_to_a_tower(family: str) -> None:
    assert {tower_of(name) for name, _ in build(family).named_parameters()} == set(PRESETS)


def test_a_regex_matches_whole_names() -> None:
    model = add_adapter(build("qwen2_5_vl"), r".*language_model\.layers\.0\.self_attn\.[qv]_proj", LoraOptions(r=2))
    assert trained_parts(model)["language"]["modules"] == 2
    with pytest.raises(UsageError, match="matches no module"):
        add_adapter(build("qwen2_5_vl"), "q_proj", LoraOptions())
    with pytest.raises(UsageError, match="nor a regex"):
        add_adapter(build("qwen2_5_vl"), "[", LoraOptions())


@pytest.mark.parametrize("tune", [*PRESETS, "all", r".*visual\.blocks\.0\..*"])
def test_full_fine_tuning_unfreezes_what_it_names(tune: str) -> None:
    parts = trained_parts(unfreeze(build("qwen2_5_vl"), tune))
    towers = {"all": list(PRESETS)}.get(tune, [tune if tune in PRESETS else "vision"])
    assert [tower for tower in PRESETS if parts[tower]["trained"]] == towers
    if tune in (*PRESETS, "all"):
        assert all(parts[tower]["trained"] == parts[tower]["parameters"] for tower in towers)


def test_full_fine_tuning_of_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match="matches no module"):
        unfreeze(build("qwen2_5_vl"), "nowhere")


def test_an_unknown_family_takes_a_regex() -> None:
    model = build("qwen2_5_vl")
    model.config.model_type = "unheard_of"
    with pytest.raises(UsageError, match="regex that matches whole module names"):
        add_adapter(model, "language", LoraOptions())
    add_adapter(model, r".*language_model\.layers\.\d+\.mlp\.up_proj", LoraOptions())
