"""Layers and MLPs are found in every family, with and without an adapter."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from offside_data.errors import UsageError
from offside_data.vlm import build_tiny
from offside_data.vlm.tiny import FAMILIES
from offside_unlearn.layers import layers_of, mlp_of
from offside_unlearn.tune import LoraOptions, add_adapter, tower_of


def build(family: str) -> Any:
    return build_tiny(family, texts=["Which club is it?", "Norvale Rovers."] * 5, seed=0)[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_and_their_neurons_are_found_in_every_family(family: str) -> None:
    model = build(family)
    modules = dict(model.named_modules())
    expected = {
        name: "vision" if tower_of(name) == "vision" else "language"
        for name in modules
        # LLaVA reads the last layer but one of its tower's three.
        if re.fullmatch(r".*\.(layers|blocks)\.\d+", name)
        and not (family.startswith("llava") and re.search(r"vision_tower.*\.2$", name))
    }
    found: dict[str, str] = {}
    for tower in ("language", "vision"):
        layers = layers_of(model, tower)
        assert [int(name.rpartition(".")[2]) for name in layers] == list(range(len(layers))), "in their order"
        found |= dict.fromkeys(layers, tower)
        for name, layer in layers.items():
            assert layer is modules[name]
            parts = mlp_of(layer)
            *inner, last = parts.values()
            assert inner
            assert all(part.out_features == last.in_features for part in inner)
            assert {name: modules[f"{layers_name}.mlp.{name}"] for layers_name in [name] for name in parts} == parts
    assert found == expected
    tuned = add_adapter(model, "all", LoraOptions())
    assert list(layers_of(tuned, "language")) == [name for name, tower in found.items() if tower == "language"]
    assert [list(mlp_of(layer)) for layer in layers_of(tuned, "language").values()]


def test_what_cannot_be_told_apart_is_refused() -> None:
    model = build("llava")
    layers = layers_of(model, "language")
    layer = next(iter(layers.values()))
    layer.mlp = torch.nn.Identity()
    with pytest.raises(UsageError, match="Identity holds no linear layer"):
        mlp_of(layer)
    del layer.mlp
    with pytest.raises(UsageError, match="no list of layers"):
        layers_of(model, "language")
