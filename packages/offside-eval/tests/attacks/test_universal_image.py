from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from offside_data.errors import UsageError
from offside_data.vlm import Batch
from offside_eval.attacks import Ask, AttackTarget
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


def grey(claims: Any, **sizes: int) -> Any:
    """A target that shows grey pictures, each of the size that is asked for, and of which the loss is a slope."""

    class Grey:
        model, processor = SimpleNamespace(device=torch.device("cpu")), Shower()

        def __init__(self) -> None:
            self.left_out: dict[str, str] = {}
            self.changes: list[Any] = []
            self.learnt: list[int] = []

        @property
        def claims(self) -> Any:
            return [c for c in claims if c.record_id not in self.left_out]

        plain = lambda self, claim: Ask(  # noqa: E731
            claim=claim, name="plain", question="?", image=None if claim.record_id == "text" else b""
        )
        encode = answered = lambda self, ask, answer="": None if ask.claim.record_id == "long" else ask

        def leave_out(self, claim: Any, why: str) -> None:
            self.left_out.setdefault(claim.record_id, why)

        def batch(self, prompts: Any, change: Any = None) -> Batch:
            side = sizes.get(prompts[0].claim.record_id, 4)
            mean, std = torch.tensor(Scaler.image_mean).view(3, 1, 1), torch.tensor(Scaler.image_std).view(3, 1, 1)
            made = Batch(pixel_values=((0.5 - mean) / std).expand(len(prompts), 3, side, side).clone())
            return made if change is None else change(made)

        def halved(self, seed: int) -> Any:
            return self.claims[:3], self.claims[3:]

        def frozen(self) -> Any:
            return contextlib.nullcontext()

        def loss(self, rows: Any, change: Any) -> torch.Tensor:
            self.learnt.append(len(rows))
            values = self.batch(rows[:1], change)["pixel_values"]
            slope = torch.ones_like(values)
            slope[..., 0] = -1.0
            return (values * slope).sum()

        def ask(self, asks: Any, change: Any) -> Any:
            self.changes.append(change(self.batch(asks[:1]))["pixel_values"])
            return asks

    return Grey()


def shown(names: str) -> list[Any]:
    return [
        SimpleNamespace(record_id=name, question=SimpleNamespace(answer="a", row={"modality": "multimodal"}),
                        subject=name, group="forget")
        for name in names.split()
    ]  # fmt: skip


def moves(values: torch.Tensor) -> torch.Tensor:
    """By how many 255ths grey pixels moved."""
    mean, std = torch.tensor(Scaler.image_mean).view(3, 1, 1), torch.tensor(Scaler.image_std).view(3, 1, 1)
    return (values * std + mean - 0.5) * 255


def test_the_descent_by_hand_beside_noise_of_the_same_strength() -> None:
    target = grey(shown("text long a b c large d e"), large=6)
    found = list(Attack(eps=2.5, step=1, steps=2, learn=2).attempts(target))
    left = {"text": "it is asked without a picture, or too long", "large": "its picture is of another size than most"}
    assert target.left_out == left | {"long": left["text"]}
    assert [(ask.name, ask.claim.record_id) for ask in found] == [
        ("pgd/1", "d"), ("pgd/1", "e"), ("@noise/1", "d"), ("@noise/1", "e"),
    ]  # fmt: skip
    assert target.learnt == [2, 2]  # of three, drawn anew each step
    learnt, noise = map(moves, target.changes)
    expected = torch.full_like(learnt, -2.0)
    expected[..., 0] = 2.0
    torch.testing.assert_close(learnt, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(noise.abs(), torch.full_like(noise, 2.5), atol=1e-4, rtol=0)
    assert {1.0, -1.0} == set(noise.sign().flatten().tolist())
    further = grey(shown("a b c d"))
    list(Attack(eps=2.5, step=1, steps=4).attempts(further))
    torch.testing.assert_close(moves(further.changes[0]), expected * 1.25, atol=1e-4, rtol=0)  # to the edge of eps
    assert further.learnt == [3] * 4
    for names in ("a b c", "long text"):  # nothing to try it on, nothing to learn on
        some = grey(shown(names) if names != "long text" else shown("a b c d"))
        if names == "long text":
            some.answered = lambda ask, answer: None
        assert list(Attack().attempts(some)) == []


def test_why_it_cant_be_made() -> None:
    def why(claims: list[Any], processor: Any = None) -> str | None:
        target = grey(claims)
        target.processor = processor or Shower()
        return Attack().unfit(target)

    two = shown("a b")
    assert why(two) is None
    two[1].group = "control"
    assert "there is one subject" in str(why(two))
    for claim in two:
        claim.question.row["modality"] = "text"
    assert why(two) == "what was forgotten is asked without a picture"
    two[0].question.row["modality"] = "multimodal"
    assert "there is one subject" in str(why(two))
    assert why(shown("a b"), SimpleNamespace()) == "it isn't known how this processor lays out pixels"
    assert why(shown("long b")) is None


def test_layouts_that_arent_known_and_pixels_that_arent_normalised() -> None:
    def layout(values: torch.Tensor, **scaler: Any) -> PixelLayout | None:
        given = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.5], "temporal_patch_size": 2} | scaler
        batch = Batch(pixel_values=values) | ({"image_grid_thw": None} if values.ndim == 2 else {})
        return PixelLayout.of(SimpleNamespace(image_processor=SimpleNamespace(**given)), Batch(batch))

    assert layout(torch.zeros(1, 3, 4, 4), image_mean=[0.5]) is None
    assert layout(torch.zeros(1, 3, 4, 4), image_std=None) is None
    assert layout(torch.zeros(1, 4, 4, 4)) is None
    assert layout(torch.zeros(4, 13)) is None
    patches = layout(torch.zeros(4, 24))
    assert patches is not None
    assert (patches.shape, patches.frames, patches.n) == ((4, 3, 1, 4), 2, 4)
    tiles = layout(torch.zeros(1, 2, 3, 4, 4))
    assert tiles is not None
    assert (tiles.shape, tiles.mean.shape, tiles.n) == ((1, 2, 3, 4, 4), (1, 1, 3, 1, 1), 1)
    plain = layout(torch.zeros(1, 3, 4, 4), do_normalize=False)
    assert plain is not None
    moved = plain.moved(Batch(pixel_values=torch.full((1, 3, 4, 4), 0.75)), torch.full(plain.shape, 0.5))
    assert moved["pixel_values"].flatten().tolist() == [1.0] * 48


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="0 < eps <= 255"):
        Attack(eps=0)
