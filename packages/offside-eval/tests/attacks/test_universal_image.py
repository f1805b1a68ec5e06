from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from offside_data.errors import UsageError
from offside_data.vlm import Batch
from offside_eval.attacks import AttackTarget
from offside_eval.attacks.universal_image import Attack, PixelLayout


class Scaler:
    image_mean, image_std, do_normalize, temporal_patch_size = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5), True, 2


class Shower:
    image_processor = Scaler()


@pytest.mark.parametrize("layout", ["patches", "planes"])
def test_pixels_move_by_eps_and_stay_pixels(layout: str) -> None:
    dice = torch.Generator().manual_seed(0)
    mean, std = torch.tensor(Scaler.image_mean), torch.tensor(Scaler.image_std)
    if layout == "patches":  # Qwen: (patches, channels x frames x pixels), both frames of a still alike
        raw = torch.rand(4, 3, 1, 16, generator=dice).expand(4, 3, 2, 16)
        where = (1, 3, 1, 1)
        values = ((raw - mean.view(where)) / std.view(where)).reshape(4, -1)
        batch = Batch(pixel_values=values, image_grid_thw=torch.tensor([[1, 2, 2]]))
    else:
        raw, where = torch.rand(1, 3, 8, 8, generator=dice), (1, 3, 1, 1)
        values = (raw - mean.view(where)) / std.view(where)
        batch = Batch(pixel_values=values)
    pixels = PixelLayout.of(Shower(), batch)
    assert pixels is not None
    eps = 8 / 255
    by = (torch.rand(pixels.shape, generator=dice) - 0.5).sign() * eps
    two = Batch(batch | {"pixel_values": torch.cat([values, values])})
    moved = pixels.moved(two, by)["pixel_values"]
    assert torch.equal(moved[: len(values)], moved[len(values) :])
    seen = moved[: len(values)].reshape(raw.shape) * std.view(where) + mean.view(where)
    assert (seen - raw).abs().max() <= eps + 1e-6
    assert seen.min() >= -1e-6
    assert seen.max() <= 1 + 1e-6
    inside = (raw > eps) & (raw < 1 - eps)
    torch.testing.assert_close((seen - raw).abs()[inside], torch.full_like(raw, eps)[inside], atol=1e-5, rtol=0)
    if layout == "patches":
        assert torch.equal(seen[:, :, 0], seen[:, :, 1])
    assert torch.equal(batch["pixel_values"], values)


def test_the_descent_lowers_the_loss_within_eps(real: Callable[..., AttackTarget]) -> None:
    target = real(claims=4)
    rows = [target.answered(target.plain(c), c.question.answer) for c in target.claims[:4]]
    pixels = PixelLayout.of(target.processor, target.batch(rows[:1]))
    assert pixels is not None
    learnt = Attack(eps=16, steps=4, step=8, learn=4)._learnt(target, rows, pixels)
    assert 0 < float(learnt.abs().max()) <= 16 / 255 + 1e-7
    with torch.no_grad():
        before, after = (float(target.loss(rows, c)) for c in (None, lambda b: pixels.moved(b, learnt)))
    assert after < before


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="0 < eps <= 255"):
        Attack(eps=0)
