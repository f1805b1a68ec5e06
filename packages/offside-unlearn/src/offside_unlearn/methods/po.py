"""Preference optimisation by refusal (IdkNLL): learn to say that one doesn't know.

Minimises the cross-entropy of a refusal in place of each forget answer, `+ lambda_r CE_R`.

Paper: Maini et al., TOFU ("Preference optimization"). Checked against the code (locuslab/tofu), not
against the paper. Deviations: TOFU takes one mean over the tokens of refusals and retained records
together; here `lambda_r` is their ratio. Each record draws one refusal from `data/refusals.txt` for
the whole run (by seed and record id), where TOFU draws again at each step; the OFFSIDE script always
uses one fixed sentence.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from offside_unlearn.methods import (
    LossOutput,
    Needs,
    PairedBatch,
    Paper,
    ReferenceModel,
    RetentionConfig,
    UnlearningMethod,
    answer_loss,
    retention_needs,
    with_retention,
)

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """Only the retention term's options."""


class Method(UnlearningMethod[Config]):
    """`CE(refusal | forget question) + lambda_r CE_R`."""

    def needs(self) -> Needs:
        """The refusals in place of the forget answers, and the retain batch."""
        return dataclasses.replace(retention_needs(self.config), forget=False, refusal=True)

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """Cross-entropy of the refusals plus the retention term."""
        refusal_ce = answer_loss(model, batch.refusal)
        return with_retention(refusal_ce, {"refusal_ce": refusal_ce}, self.config, model, batch, reference)
