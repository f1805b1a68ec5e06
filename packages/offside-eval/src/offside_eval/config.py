"""How a model is evaluated: the one place where defaults live. Light, for the command line shows them."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Literal, TypeAlias

from offside_data import run_manifest
from offside_data.errors import UsageError

Suite = Literal["core", "full", "utility", "light"]
DEFAULT_SUITE: Suite = "core"
CURVE_SUITE: Suite = "light"
"""Of the points of a curve."""
LIGHT_METRICS = ("value_match", "refusal", "degenerate", "choice_accuracy", "probability", "rank")
"""Those of the suite `light`: what the model says and whether it is broken, what it chooses, what it holds likely, and
what likelier than other values."""
Role: TypeAlias = Literal[run_manifest.Role, "unknown"]
"""What a model is for; `unknown` is a checkpoint without a run manifest."""
ROLES: tuple[Role, ...] = typing.get_args(Role)
HEADLINE_METRIC = "value_match"
"""The per-record score that a comparison is computed from."""


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How a model is evaluated. None of the first four changes a score of a record.

    Args:
        batch_size: Questions at once.
        device: `cpu`, `cuda`, ...; null takes the best there is. For a model given by path.
        force: Replace whatever the output folder holds.
        metrics: Names, of records' and whole models'; empty takes those of the suite.
        only: Narrows the request to forget, as in `offside-unlearn run`.
        limit: At most so many records a slice.
        limit_kept: At most so many of a slice that isn't of the splits that requests are about (`forget`, `relearn`):
            what is to be forgotten, and what stands beside it, is asked whole.
        max_new_tokens: Where an answer that doesn't end is cut.
        max_length: Tokens that a question with picture and answer may have; more is an error.
        dtype: Type of the weights, for a model given by path.
        max_pixels: Upper bound on the pixels of a picture, for a processor loaded by path.
        seed: Of the choice of records under `limit` and `limit_kept`, and of the order of lettered choices.
        role: What the model is, where no manifest says so.
        attacks: Names of the attacks to make, or `all`; they change no score.
        attack_options: Their options, as `ATTACK.OPTION=VALUE`.
        allow_mismatch: Evaluate a model that was unlearned on other forget records, or another dataset, all the same.
        cache: Folder of answers that evaluations share; null shares none. What was asked of the very same model before
            isn't asked again.
    """

    batch_size: int = 32
    device: str | None = None
    force: bool = False
    metrics: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    limit: int | None = None
    limit_kept: int | None = None
    max_new_tokens: int = 48
    max_length: int = 2048
    dtype: str = "float32"
    max_pixels: int | None = None
    seed: int = 0
    role: Role | None = None
    attacks: tuple[str, ...] = ()
    attack_options: tuple[str, ...] = ()
    allow_mismatch: bool = False
    cache: str | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "limit", "limit_kept", "max_new_tokens", "max_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, got {value}.")
        if self.role is not None and self.role not in ROLES:
            raise UsageError(f"role {self.role!r} is unknown; choose from {', '.join(ROLES)}.")
