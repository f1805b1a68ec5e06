"""Fixed logits and plain arithmetic on them, for tests that hold a loss against a computation of their own.

Nothing here imports the package's losses.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import torch

from offside_data.vlm import forward
from offside_unlearn.batches import Side

IGNORED = -100
LABELS = torch.tensor(
    [
        [IGNORED, IGNORED, 2, 0, 1, IGNORED],
        [IGNORED, IGNORED, IGNORED, IGNORED, 3, 1],
    ]
)
LOGITS = torch.tensor(
    [
        *(9.0, -3.0, 4.0, 1.0),
        *(0.5, 1.5, 2.0, -1.0),
        *(1.0, 0.0, -1.0, 2.0),
        *(0.2, 2.2, 0.1, 0.4),
        *(5.0, 5.0, 0.0, 0.0),
        *(1.0, 2.0, 3.0, 4.0),
        # The second record.
        *(2.0, 2.0, 2.0, 2.0),
        *(7.0, 0.0, 0.0, 0.0),
        *(0.0, 8.0, 0.0, 0.0),
        *(1.5, -0.5, 0.5, 3.0),
        *(-1.0, 1.0, 0.0, 0.3),
        *(6.0, 1.0, 1.0, 1.0),
    ]
).reshape(2, 6, 4)
"""(rows, positions, vocabulary); position `t` predicts token `t + 1`."""
OTHER = LOGITS.flip(-1) * 0.5 + torch.linspace(-1, 1, LOGITS.numel()).reshape(LOGITS.shape)
"""Another model's logits at the same positions."""
PLACES = [(0, 1, 2), (0, 2, 0), (0, 3, 1), (1, 3, 3), (1, 4, 1)]
"""The answer tokens: row, position that predicts it, token."""


def softmax(logits: list[float]) -> list[float]:
    powers = [math.exp(z) for z in logits]
    return [power / sum(powers) for power in powers]


def cross_entropy(wanted: list[float], logits: list[float]) -> float:
    return -sum(q * math.log(p) for q, p in zip(wanted, softmax(logits), strict=True))


def predicted(model: Any, side: Side, *, adapter: bool = True) -> list[list[tuple[list[float], int]]]:
    """For each record and each of its answer tokens the logits that predict it, from a whole forward pass."""
    with torch.no_grad(), contextlib.nullcontext() if adapter else model.disable_adapter():
        logits = forward(model, side.inputs).logits.double().tolist()
    labels = side.inputs["labels"].tolist()
    return [
        [(row[t], tokens[t + 1]) for t in range(len(tokens) - 1) if tokens[t + 1] != IGNORED]
        for row, tokens in zip(logits, labels, strict=True)
    ]


def log_likelihoods(model: Any, side: Side, *, adapter: bool = True) -> list[float]:
    """Summed log-probability of each answer."""
    return [
        sum(math.log(softmax(logits)[token]) for logits, token in tokens)
        for tokens in predicted(model, side, adapter=adapter)
    ]


def divergences(wanted: torch.Tensor, now: torch.Tensor) -> list[float]:
    """`KL(softmax(wanted) || softmax(now))` at each of `PLACES`."""
    found = []
    for row, at, _ in PLACES:
        p, q = softmax(wanted[row, at].tolist()), softmax(now[row, at].tolist())
        found.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    return found
