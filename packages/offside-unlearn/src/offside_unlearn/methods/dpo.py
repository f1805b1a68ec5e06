"""Direct preference optimisation: prefer a refusal to the answer that is to be forgotten.

Minimises `-(2/beta) E_F[log sigmoid(beta (log p(r|x)/p0(r|x) - log p(y|x)/p0(y|x)))] + lambda_r CE_R`
with a refusal `r` in place of the answer `y`; log-probabilities are sums over answer tokens.

Paper: Rafailov et al., Direct Preference Optimization; with refusals as in TOFU. Checked against the
code (eric-mitchell/direct-preference-optimization, locuslab/tofu and the NPO reference code), not
against the papers. Deviations: the factor `2/beta` is the NPO code's, so that DPO and NPO push alike
(the other two have none: theirs is `lambda_r` times `beta/2`). TOFU's has no retention term, and
its branch for this loss stops at an undefined name; the NPO code adds one. Each record keeps one
refusal for the whole run (by seed and record id), where both draw again at each step.
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
    answers,
    losses,
    retention_needs,
    with_retention,
)

PAPER = Paper(
    "Direct Preference Optimization: Your Language Model is Secretly a Reward Model",
    "https://arxiv.org/abs/2305.18290",
)


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """How far the model may move for a preference, and the retention term.

    Args:
        beta: Small = go far from the frozen model, large = stop early. source: code (0.1).
    """

    beta: float = 0.1

    def __post_init__(self) -> None:
        """Refuse a beta for which the formula means nothing."""
        super().__post_init__()
        if self.beta <= 0:
            raise ValueError(f"beta must be positive, got {self.beta}")


class Method(UnlearningMethod[Config]):
    """DPO of refusals against the forget answers, plus the retention term."""

    def needs(self) -> Needs:
        """Answers, refusals, a frozen number for each of them, and the retain batch."""
        sides = frozenset({"forget", "refusal"})
        return dataclasses.replace(retention_needs(self.config), refusal=True, record_reference=sides)

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The DPO term plus the retention term."""
        current, frozen, terms = {}, {}, {}
        for name, side in (("refusal", batch.refusal), ("forget", batch.forget)):
            frozen[name] = reference.record_logprobs(side, of=name)
            output = answers(model, side)
            current[name] = losses.record_logprobs(output.logits, output.labels)
            terms[f"{name}_log_ratio"] = (current[name].detach() - frozen[name]).sum() / side.records
        term = losses.dpo(
            current["refusal"],
            current["forget"],
            frozen["refusal"],
            frozen["forget"],
            beta=self.config.beta,
            records=batch.forget.records,
        )
        return with_retention(term, {"forget_dpo": term, **terms}, self.config, model, batch, reference)
