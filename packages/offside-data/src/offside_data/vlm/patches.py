"""Patches of pictures as a matrix product: the convolution that some vision towers make of it is much slower.

The towers of Qwen-VL cut a picture into patches themselves and then run a convolution whose kernel is as large as a
patch: each result is one product of a patch with the kernel, so all of them are one product of matrices.
"""

from __future__ import annotations

import torch
from torch import nn


class PatchProjection(nn.Conv3d):
    """A convolution that is a matrix product wherever its input is as large as its kernel."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Project patches.

        Args:
            input: Shape (patches, channels, frames, height, width).

        Returns:
            Shape (patches, channels, 1, 1, 1) for patches as large as the kernel; else as `Conv3d`.
        """
        if input.dim() != 5 or tuple(input.shape[2:]) != self.kernel_size:
            return super().forward(input)
        return nn.functional.linear(input.flatten(1), self.weight.flatten(1), self.bias)[..., None, None, None]


def project_patches(model: nn.Module) -> None:
    """Let a model's plain three-dimensional convolutions be `PatchProjection`s; weights and their names stay."""
    for module in model.modules():
        if type(module) is nn.Conv3d and module.groups == 1 and not any(module.padding) and set(module.dilation) == {1}:
            module.__class__ = PatchProjection
