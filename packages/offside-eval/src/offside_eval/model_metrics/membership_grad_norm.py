"""Whether the answers to be forgotten stand out by how little is left to learn from them: membership, GradNorm.

Score of a claim: the negative L2 norm of the gradient of the mean loss over the tokens of its answer's text, with
respect to the two-dimensional weights in the language model's list of layers (no embeddings, head, vision tower or
adapters).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from offside_eval.metrics import Need
from offside_eval.model_metrics import Paper
from offside_eval.model_metrics._membership import MembershipMetric, Row

PAPER = Paper("Pandora's White-Box: Precise Training Data Detection and Extraction in Large Language Models",
              "https://arxiv.org/abs/2402.17012")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Metric(MembershipMetric):
    """ROC-AUC of the negative norm of the gradient."""

    needs: ClassVar[frozenset[Need]] = frozenset({"membership", "gradients"})

    def membership(self, row: Row, control: Row | None) -> float | None:
        """Negative norm; null where none was taken."""
        return None if row["grad_norm"] is None else -row["grad_norm"]
