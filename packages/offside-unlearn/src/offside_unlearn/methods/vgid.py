"""VGID: learn what the frozen model says when it sees noise in the picture's place and is told not to know.

Minimises `alpha mean KL(T || p) + beta mean KL(p0 || p)`, the first over the forgotten answers' tokens, the second over
the retained ones'. The teacher `T` is the frozen model, given the picture blended with noise, an instruction before the
question and the forgotten answer so far; `p` sees the plain picture and question. A record without a picture has the
instruction alone.

Paper: Chen et al., VGID. Built from a summary of the paper, and checked against the code (the authors' `VGID`).
Deviations: the code draws noise anew in each step, in the range 0 to 1 of the processed pixels; here it is drawn once a
record, as a picture. Its instruction is empty as published, so ours is of our own making. It takes the KL over all
positions, question and padding included, and sums it by record; and it changes the weights for either term in turn.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from offside_data.errors import UsageError
from offside_data.seeding import rng
from offside_data.vlm.pictures import decode_picture, picture_bytes
from offside_unlearn.methods import (
    LossOutput,
    MethodConfig,
    Needs,
    PairedBatch,
    Paper,
    ReferenceModel,
    RequestRecords,
    Side,
    SideRecords,
    UnlearningMethod,
    answers,
    losses,
)

PAPER = Paper(
    "Visual-Noise Guided In-Context Distillation for Multimodal Large Language Model Unlearning",
    "https://arxiv.org/abs/2606.00105",
)
INSTRUCTION = (
    "You know nothing about the person in question: you have never seen them, and nobody has told you anything about "
    "them. Answer accordingly."
)
FINEST = 224
"""Cells of noise along a picture's longer side at most: finer noise turns grey where a processor scales it down."""


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """Weights, and what the teacher is shown and told.

    Args:
        alpha: Weight of `KL(T || p)` on the forgotten answers. source: code (1).
        beta: Weight of `KL(p0 || p)` on the retained answers; 0 leaves it and the retain batches out. source: code (1).
        noise: How much of the picture is noise for the teacher, from 0 to 1. source: code (all of it).
        instruction: What stands before the question for the teacher; empty for nothing. source: ours (the published
            code has an empty one).
        top_k: How many of the frozen model's likeliest tokens are stored for each answer token; the rest counts as one.
            source: ours.
    """

    alpha: float = 1.0
    beta: float = 1.0
    noise: float = 1.0
    instruction: str = INSTRUCTION
    top_k: int = 128

    def __post_init__(self) -> None:
        """Refuse weights that would teach the answers, and a teacher that is told and shown what the student is."""
        if self.alpha <= 0:
            raise ValueError(f"alpha must be positive, got {self.alpha}: without it no teacher is followed")
        if self.beta < 0:
            raise ValueError(f"beta must not be negative, got {self.beta}")
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise is a share of the picture, from 0 to 1, got {self.noise}")
        if self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {self.top_k}")
        if self.noise == 0 and not self.instruction.strip():
            raise ValueError(
                "with noise=0 and no instruction the teacher is the frozen model, and nothing is forgotten"
            )


class Method(UnlearningMethod[Config]):
    """Follow the hindered frozen model on the forget batch, the frozen model itself on the retain batch."""

    def needs(self) -> Needs:
        """The retain batch, and the frozen model's likeliest tokens there and in the teacher's place."""
        kept = {"retain"} if self.config.beta > 0 else set()
        return Needs(retain=bool(kept), top_reference=frozenset({"teacher", *kept}), top_k=self.config.top_k)

    def sides(self, data: RequestRecords) -> Mapping[str, SideRecords]:
        """What the teacher is asked: each forgotten record, with its own answer.

        Raises:
            UsageError: If a record has no picture and there is no instruction.
        """
        return {"teacher": SideRecords([self._asked(row, data.seed) for row in data.forget], follows=None)}

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """Both divergences."""
        term = _divergence(model, batch.forget, reference, of="teacher")
        terms, kept = {"forget_kl": term}, None
        if self.config.beta > 0:
            terms["retain_kl"] = _divergence(model, batch.retain, reference, of="retain")
            kept = self.config.beta * terms["retain_kl"]
        return LossOutput(self.config.alpha * term, terms, kept)

    def _asked(self, row: Mapping[str, Any], seed: int) -> dict[str, Any]:
        name, told = str(row["record_id"]), self.config.instruction.strip()
        data = picture_bytes(row)
        if data is None and not told:
            raise UsageError(
                f"vgid: record {name} has no picture to put noise on, and without an instruction its teacher would be "
                "the frozen model: nothing would be forgotten. Give an instruction, or choose another method."
            )
        return {
            **{column: row[column] for column in ("record_id", "modality", "answer")},
            "question": f"{told} {row['question']}".strip(),
            "image": None if data is None else _noised(decode_picture(data, name), self.config.noise, seed, name),
        }


def _divergence(model: torch.nn.Module, side: Side, reference: ReferenceModel, *, of: str) -> torch.Tensor:
    """KL from what the frozen model says to what the model says, mean over a batch's answer tokens."""
    frozen, output = reference.top_logprobs(side, of=of), answers(model, side)
    return losses.top_kl(frozen, output.logits, output.labels).sum() / side.tokens


def _noised(picture: Image.Image, share: float, seed: int, record: str) -> bytes:
    """A picture of the same size, of which so much is noise: each cell's red, green and blue drawn evenly."""
    scale = min(1.0, FINEST / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    drawn = rng(seed, "vgid", "noise", record).randbytes(3 * width * height)
    noise = Image.frombytes("RGB", (width, height), drawn).resize(picture.size, Image.Resampling.NEAREST)
    stream = io.BytesIO()
    Image.blend(picture, noise, share).save(stream, "PNG")
    return stream.getvalue()
