"""AltPO: prefer an alternative answer of the same kind to the one to be forgotten.

Each record to be forgotten has one alternative, a wrong answer that is written as the right one is. `form=dpo`
minimises `-(2/beta) E_F[log sigmoid(beta (log p/p0 of the alternative - log p/p0 of the forget answer))]`, log-
probabilities summed over an answer's tokens; `form=npo_nll` minimises NPO on the forget answer plus the cross-entropy
of the alternative. Both `+ lambda_r CE_R`.

Paper: Mekala et al., Alternate Preference Optimization. Checked against the code (the authors'
`Alternate-Preference-Optimization`; its `subdpo` and `subnpo`), not against the paper. Deviations: the authors sample
five alternatives a record from the frozen model itself, by a prompt that asks for other plausible facts, and train on
every one of them; here the alternative is one of the dataset's `perturbed_answers`, drawn by seed and record id for the
whole run. Sampling them from the model is left out. The OFFSIDE scripts have no such method.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

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
    answers,
    losses,
    retention_needs,
    with_retention,
)

PAPER = Paper(
    "Alternate Preference Optimization for Unlearning Factual Knowledge in Large Language Models",
    "https://arxiv.org/abs/2409.13474",
)


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """How the alternative is preferred, how sharply, and the retention term.

    Args:
        form: `dpo`: the alternative chosen, the forget answer rejected; `npo_nll`: NPO on the forget answer plus the
            likelihood of the alternative. source: code (dpo; npo_nll is its ablation).
        beta: Small = the push lasts long, large = it fades early. source: code (0.1).
    """

    form: Literal["dpo", "npo_nll"] = "dpo"
    beta: float = 0.1

    def __post_init__(self) -> None:
        """Refuse a beta for which the formula means nothing."""
        super().__post_init__()
        if self.beta <= 0:
            raise ValueError(f"beta must be positive, got {self.beta}")


class Method(UnlearningMethod[Config]):
    """The alternatives against the forget answers, plus the retention term."""

    def needs(self) -> Needs:
        """The forget batch with its own and with alternative answers, the frozen numbers of those that are compared."""
        compared = {"forget", "alternative"} if self.config.form == "dpo" else {"forget"}
        return dataclasses.replace(retention_needs(self.config), alternative=True, record_reference=frozenset(compared))

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The preference plus the retention term."""
        side, beta = batch.forget, self.config.beta
        frozen = reference.record_logprobs(side)
        output = answers(model, side)
        current = losses.record_logprobs(output.logits, output.labels)
        log_ratio = (current.detach() - frozen).sum() / side.records
        if self.config.form == "npo_nll":
            npo = losses.npo(current, frozen, beta=beta, records=side.records)
            nll = answer_loss(model, batch.alternative)
            terms = {"forget_npo": npo, "alternative_ce": nll, "forget_log_ratio": log_ratio}
            return with_retention(npo + nll, terms, self.config, model, batch, reference)
        wanted = batch.alternative
        frozen_wanted = reference.record_logprobs(wanted, of="alternative")
        output = answers(model, wanted)
        chosen = losses.record_logprobs(output.logits, output.labels)
        term = losses.dpo(chosen, current, frozen_wanted, frozen, beta=beta, records=side.records)
        wanted_ratio = (chosen.detach() - frozen_wanted).sum() / side.records
        terms = {"forget_dpo": term, "forget_log_ratio": log_ratio, "alternative_log_ratio": wanted_ratio}
        return with_retention(term, terms, self.config, model, batch, reference)
