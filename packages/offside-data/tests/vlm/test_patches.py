from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from offside_data.vlm import load_model, save_processor
from offside_data.vlm.patches import PatchProjection, project_patches

KERNEL = (2, 14, 14)


def test_patches_and_their_gradients_are_those_of_the_convolution() -> None:
    torch.manual_seed(0)
    plain = nn.Conv3d(3, 32, KERNEL, stride=KERNEL)
    ours = copy.deepcopy(plain)
    project_patches(nn.Sequential(ours))
    assert type(ours) is PatchProjection
    results = []
    for layer in (plain, ours):
        patches = torch.randn(6, 3, *KERNEL, generator=torch.Generator().manual_seed(1)).requires_grad_()
        output = layer(patches)
        output.square().sum().backward()
        results.append((output, patches.grad, layer.weight.grad, layer.bias.grad))
    assert results[0][0].shape == (6, 32, 1, 1, 1)
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    whole = torch.randn(1, 3, 4, 28, 28)
    assert torch.equal(ours(whole), plain(whole)), "a picture of several patches is what it was"


def test_convolutions_that_are_more_stay() -> None:
    layers = nn.Sequential(
        nn.Conv3d(4, 4, 2, padding=1), nn.Conv3d(4, 4, 2, groups=2), nn.Conv3d(4, 4, 2, dilation=2), nn.Conv2d(4, 4, 2)
    )
    project_patches(layers)
    assert not any(isinstance(layer, PatchProjection) for layer in layers)


def test_a_loaded_model_has_them_under_the_same_names(tiny: Any, tmp_path: Path) -> None:
    model, processor = tiny("qwen2_5_vl")
    model.save_pretrained(tmp_path)
    save_processor(processor, tmp_path)
    loaded = load_model(tmp_path, device="cpu")
    assert any(isinstance(module, PatchProjection) for module in loaded.modules())
    assert list(loaded.state_dict()) == list(model.state_dict())
