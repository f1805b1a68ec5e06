"""One perturbation of all pictures, learnt by projected gradient on half of the subjects, tried on the other half.

No pixel moves by more than `eps`/255, and none leaves the range of pictures. The perturbation is learnt and applied
behind the processor's scaling and in front of its normalisation, in the very pixels that the model sees; it isn't
written back into a file. Pictures that the processor makes of another size than most are left out, for one perturbation
fits one size. Beside it random noise of the same strength (`@noise`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from offside_data.errors import UsageError
from offside_data.seeding import rng
from offside_eval.attacks import Access, AttackTarget, Attempt, Paper, RecoveryAttack

if TYPE_CHECKING:
    from offside_data.vlm import Batch, Encoded

PAPER = Paper(
    "Visual Adversarial Examples Jailbreak Aligned Large Language Models",
    "https://arxiv.org/abs/2306.13213",
)


@dataclass(frozen=True, kw_only=True)
class Attack(RecoveryAttack):
    """Projected gradient descent on the answers' loss.

    Args:
        eps: Most that a pixel may move, in 255ths.
        steps: Of the descent.
        step: Length of one, in 255ths.
        learn: Claims a step, drawn anew each time.
    """

    access: ClassVar[Access] = "white-box"
    eps: float = 8.0
    steps: int = 30
    step: float = 1.0
    learn: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 < self.eps <= 255 and self.step > 0) or self.steps < 1 or self.learn < 1:
            raise UsageError("universal_image needs 0 < eps <= 255, a step above 0, and at least 1 step and claim.")

    def unfit(self, target: AttackTarget) -> str | None:
        """Where nothing is asked about pictures, subjects can't be halved, or the pixels can't be told."""
        shown = [claim for claim in target.claims if claim.question.row["modality"] == "multimodal"]
        if not shown:
            return "what was forgotten is asked without a picture"
        if len({claim.subject for claim in shown if claim.group == "forget"}) < 2:
            return "there is one subject, and the perturbation is tried on others than it is learnt on"
        prompt = target.encode(target.plain(shown[0]))
        if prompt is not None and PixelLayout.of(target.processor, target.batch([prompt])) is None:
            return "it isn't known how this processor lays out pixels"
        return None

    def attempts(self, target: AttackTarget) -> Iterator[Attempt]:
        """Each question about its own picture, perturbed."""
        sizes = {}
        for claim in target.claims:
            plain = target.plain(claim)
            prompt = None if plain.image is None else target.encode(plain)
            if prompt is None:
                target.leave_out(claim, "it is asked without a picture, or too long")
            else:
                sizes[claim.record_id] = tuple(target.batch([prompt])["pixel_values"].shape)
        if not sizes:
            return
        usual = Counter(sizes.values()).most_common(1)[0][0]
        for claim in target.claims:
            if sizes[claim.record_id] != usual:
                target.leave_out(claim, "its picture is of another size than most")
        learn, tried = target.halved(self.seed)
        rows = [row for claim in learn if (row := target.answered(target.plain(claim), claim.question.answer))]
        if not rows or not tried:
            return
        pixels = PixelLayout.of(target.processor, target.batch(rows[:1]))
        assert pixels is not None, "`unfit` looked"
        with target.frozen():
            learnt = self._learnt(target, rows, pixels)
        noise = torch.rand(pixels.shape, generator=torch.Generator().manual_seed(self.seed)).to(learnt.device)
        for name, moved in (("pgd/1", learnt), ("@noise/1", (noise - 0.5).sign() * self.eps / 255)):
            asks = [replace(target.plain(claim), name=name) for claim in tried]
            yield from target.ask(asks, change=partial(pixels.moved, by=moved))

    def _learnt(self, target: AttackTarget, rows: Sequence[Encoded], pixels: PixelLayout) -> torch.Tensor:
        dice = rng(self.seed, "universal_image")
        moved = torch.zeros(pixels.shape, device=target.model.device)
        for _ in range(self.steps):
            moved.requires_grad_(True)
            some = dice.sample(rows, min(self.learn, len(rows)))
            with torch.enable_grad():
                loss = target.loss(some, partial(pixels.moved, by=moved))
                (gradient,) = torch.autograd.grad(loss, moved)
            moved = (moved.detach() - self.step / 255 * gradient.sign()).clamp(-self.eps / 255, self.eps / 255)
        return moved


@dataclass(frozen=True, eq=False)
class PixelLayout:
    """How one picture's pixels lie in `pixel_values`, and how they are normalised.

    Args:
        shape: Of a perturbation: as one picture's values, the frames of a still counted once.
        frames: How often each patch of it is repeated; 1 where the processor makes no patches.
        mean: Of the normalisation, of a shape that fits `shape`.
        std: Likewise.
        n: Rows of `pixel_values` that are one picture.
    """

    shape: tuple[int, ...]
    frames: int
    mean: torch.Tensor
    std: torch.Tensor
    n: int

    @classmethod
    def of(cls, processor: Any, batch: Batch) -> PixelLayout | None:
        """From a batch with a single picture; null where its layout isn't known."""
        values, scaler = batch["pixel_values"], getattr(processor, "image_processor", None)
        mean, std = (getattr(scaler, name, None) for name in ("image_mean", "image_std"))
        if not getattr(scaler, "do_normalize", True):
            mean, std = (0.0,) * 3, (1.0,) * 3
        if mean is None or std is None or len(mean) != 3:
            return None
        if values.ndim == 2 and "image_grid_thw" in batch:  # (patches, channels x frames x height x width)
            frames = int(getattr(scaler, "temporal_patch_size", 1))
            if values.shape[1] % (3 * frames):
                return None
            shape: tuple[int, ...] = (len(values), 3, 1, values.shape[1] // (3 * frames))
            place: tuple[int, ...] = (1, 3, 1, 1)
        elif values.ndim in (4, 5) and values.shape[-3] == 3:  # ([tiles,] channels, height, width)
            frames, shape = 0, tuple(values.shape)
            place = (*(1,) * (values.ndim - 3), 3, 1, 1)
        else:
            return None
        tensors = [torch.tensor(list(v), dtype=torch.float32, device=values.device).view(place) for v in (mean, std)]
        return cls(shape, frames, tensors[0], tensors[1], len(values))

    def moved(self, batch: Batch, by: torch.Tensor) -> Batch:
        """The batch with every picture moved by `by` (in units of the range of pixels), kept within that range."""
        values = batch["pixel_values"]
        pictures = len(values) // self.n
        whole = by.repeat(pictures, *(1,) * (by.ndim - 1))
        flat = values.float()
        if self.frames:
            flat = flat.view(len(values), 3, self.frames, -1)
        pixels = flat * self.std + self.mean
        # Rounding may leave a pixel a little outside of the range as it is.
        within = torch.minimum(torch.maximum(pixels + whole, pixels.clamp(max=0)), pixels.clamp(min=1))
        batch["pixel_values"] = ((within - self.mean) / self.std).view(values.shape).to(values.dtype)
        return batch
