"""sam: forget where forgetting is worst nearby, so that no small change of the weights brings back what was forgotten.

Each step takes the gradient of what forgets at `theta + rho g / |g|`, `g` its gradient at `theta`, and that of what
keeps at `theta` itself.

Paper: Fan et al., Towards LLM Unlearning Resilient to Relearning Attacks. Checked against the code for the MUSE
benchmark (its `sam_iterative.py`), not against the paper. Deviations: there `g` and the gradients are those of one
micro-batch, here of the whole step, so that accumulation changes nothing; there `npo` is computed from raw logits, here
any method's loss is taken as it is; rho is their 0.01, of which their script for WMDP takes ten times as much.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from offside_unlearn.space import SearchChoices, Space
from offside_unlearn.wrappers import Paper, UnlearningWrapper, UnlearnTask, WrapperConfig

PAPER = Paper(
    "Towards LLM Unlearning Resilient to Relearning Attacks: A Sharpness-Aware Minimization Perspective and Beyond",
    "https://arxiv.org/abs/2502.05374",
)


@dataclass(frozen=True, kw_only=True)
class Config(WrapperConfig):
    """How far it looks.

    Args:
        rho: The length of the way to where forgetting is worst, all trained weights together. source: code (0.01;
            WMDP: 0.1).
    """

    search: ClassVar[Space] = {"rho": SearchChoices((0.01, 0.1), "code")}

    rho: float = 0.01

    def __post_init__(self) -> None:
        """Refuse no way at all."""
        if self.rho <= 0:
            raise ValueError(f"rho must be positive, got {self.rho}")


class Wrapper(UnlearningWrapper[Config]):
    """The same trainings, with other gradients."""

    one_training = True

    def wrap(self, tasks: Sequence[UnlearnTask]) -> list[UnlearnTask]:
        """The trainings, each sharpness-aware."""
        return [dataclasses.replace(task, sharpness=self.config.rho) for task in tasks]
