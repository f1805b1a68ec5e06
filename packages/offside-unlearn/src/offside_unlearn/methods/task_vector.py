"""Task vector: learn what is to be forgotten still better, and step back from there, further than one came.

Fine-tunes on the forget set, `CE_F -> min`, which leads from the weights `W0` to `W1`; what is saved is
`W0 - alpha (W1 - W0)`. Of a LoRA adapter `W0 + s B A` that is the same adapter with `-alpha B`.

Paper: Ilharco et al., Editing Models with Task Arithmetic. Checked against the code (mlfoundations/task_vectors), not
against the paper. Deviations: the code saves both models and subtracts one file from the other; here the start is kept
in memory, and of an adapter nothing. The authors choose alpha on validation data, from 0 to 1 in steps of 0.05. Here a
point of a curve is a number of fine-tuning steps at one alpha, which is a dose as well. There is no retention term:
what is learnt of the retain set would be subtracted, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from offside_data.errors import UsageError
from offside_unlearn.methods import (
    BatchPlan,
    LossOutput,
    MethodConfig,
    Needs,
    PairedBatch,
    Paper,
    ReferenceModel,
    UnlearningMethod,
    answer_loss,
)

PAPER = Paper("Editing Models with Task Arithmetic", "https://arxiv.org/abs/2212.04089")


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """How far to step back.

    Args:
        alpha: What the difference is multiplied by before it is subtracted. source: ours (1; the authors search 0 to
            1 on validation data).
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        """Refuse an alpha that would teach what is to be forgotten."""
        if self.alpha < 0:
            raise ValueError(f"alpha must not be negative, got {self.alpha}")


class Method(UnlearningMethod[Config]):
    """Descent on the forget batch, and the opposite of what it led to."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._start: dict[str, torch.Tensor] = {}

    def needs(self) -> Needs:
        """The forget batch."""
        return Needs()

    def begin(self, model: torch.nn.Module, plan: BatchPlan, seed: int) -> None:
        """Keep the weights that are trained; a new adapter is nothing at its start.

        Raises:
            UsageError: If an adapter is continued, into which the result doesn't fit, or would be left at nothing.
        """
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        adapter = [p for name, p in trained.items() if ".lora_B." in name]
        if any(bool(p.any()) for p in adapter):
            raise UsageError(
                "task_vector: the model is an adapter, and what one learns in it can't be subtracted within its rank. "
                "Merge it first (offside-unlearn merge), or use --full."
            )
        if adapter and self.config.alpha == 0:
            raise UsageError("task_vector: alpha=0 subtracts nothing, and leaves an adapter that does nothing.")
        self._start = {} if adapter else {name: p.detach().clone() for name, p in trained.items()}

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """Cross-entropy of the forget answers, which falls: it is what the saved model loses that counts."""
        forget_ce = answer_loss(model, batch.forget)
        return LossOutput(forget_ce, {"forget_ce": forget_ce})

    def finish(self, model: torch.nn.Module) -> None:
        """Step back from the trained weights, through the start, alpha times as far as they went."""
        alpha = self.config.alpha
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in self._start:
                    start = self._start[name]
                    parameter.copy_(start - alpha * (parameter - start))
                elif parameter.requires_grad and ".lora_B." in name:
                    parameter.mul_(-alpha)
