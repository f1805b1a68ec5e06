"""ViKeR: ascend on the tokens that only the right picture tells, and hold all of them to what other pictures tell.

The ideal distribution `T` of each answer token is what the frozen model says under irrelevant pictures: the mean over
`pictures` retained ones of other subjects, given the same question and the forgotten answer so far. A token is a *key
token* where the entropy `H(T)` is at least `entropy`: other pictures leave it open. Minimises

`-ascent sum_key NLL / N + ideal mean KL(T || p) + lambda_r CE_R`

with `N` all of the forgotten answers' tokens, over which the KL runs as well. A record without a picture has irrelevant
subjects in place of irrelevant pictures: text questions about the same attribute of others.

Paper: Cai et al., ViKeR. Built from a summary, not checked against the paper; no code of it was found. That `T`
comes from irrelevant pictures and that key tokens are chosen by entropy is the paper's; the threshold, which pictures
and how many, the weights, text records, and that the ascent is on key tokens alone are ours.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from offside_data.errors import UsageError
from offside_unlearn.methods import (
    LossOutput,
    Needs,
    PairedBatch,
    Paper,
    ReferenceModel,
    RequestRecords,
    RetentionConfig,
    SideRecords,
    UnlearningMethod,
    answers,
    losses,
    retention_needs,
    with_retention,
)
from offside_unlearn.methods._donors import (
    DONOR_SPLIT,
    Donor,
    DonorPicture,
    DonorPool,
    LentPictures,
    picture_key,
    pictures_of,
)

PAPER = Paper(
    "Visual-Guided Key-Token Regularization for Multimodal Large Language Model Unlearning",
    "https://arxiv.org/abs/2601.22020",
)


@dataclass(frozen=True, kw_only=True)
class Config(RetentionConfig):
    """Weights, irrelevant pictures, and which tokens are key tokens.

    Args:
        ascent: Weight of the ascent on key tokens; 0 leaves the ideal distributions alone. source: ours.
        ideal: Weight of `KL(T || p)` on the forgotten answers. source: ours.
        entropy: In nats, from which on a token is a key token. source: ours.
        pictures: How many irrelevant pictures the ideal distribution is the mean of. source: ours.
        top_k: How many of the likeliest tokens of an ideal distribution are stored; the rest counts as one.
            source: ours.
    """

    ascent: float = 1.0
    ideal: float = 1.0
    entropy: float = 0.5
    pictures: int = 4
    top_k: int = 128

    def __post_init__(self) -> None:
        """Refuse weights that would teach the answers, and numbers that mean nothing."""
        super().__post_init__()
        for name in ("ascent", "entropy"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.ideal <= 0:
            raise ValueError(f"ideal must be positive, got {self.ideal}: without it this is an ascent like others")
        for name in ("pictures", "top_k"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


class Method(UnlearningMethod[Config]):
    """Ascent on key tokens, the ideal distribution on all, and the retention term."""

    def needs(self) -> Needs:
        """The retention term's batches, and the frozen model's likeliest tokens under irrelevant pictures."""
        needs = retention_needs(self.config)
        return dataclasses.replace(needs, top_reference=frozenset({"ideal"}), top_k=self.config.top_k)

    def sides(self, data: RequestRecords) -> Mapping[str, SideRecords]:
        """What the frozen model is asked: each forgotten record under each of its irrelevant pictures.

        Raises:
            UsageError: If there are too few.
        """
        pool = DonorPool(pictures_of(data.dataset, DONOR_SPLIT), data.dataset.taxonomy, data.seed)
        pictures = LentPictures(data)
        rows = [pictures.asked(row, donor) for row in data.forget for donor in self._irrelevant(pool, row)]
        return {"ideal": SideRecords(rows, follows=None)}

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """Ascent, divergence from the ideal and the retention term; `key_share` says how many tokens are key tokens."""
        config, side = self.config, batch.forget
        ideal, output = reference.top_logprobs(side, of="ideal"), answers(model, side)
        divergence = losses.top_kl(ideal, output.logits, output.labels)
        key = (losses.entropy(ideal) >= config.entropy).float()
        terms = {
            "key_nll": (key * losses.token_nll(output.logits, output.labels)).sum() / side.tokens,
            "ideal_kl": divergence.sum() / side.tokens,
            "key_share": key.sum() / side.tokens,
        }
        loss = config.ideal * terms["ideal_kl"] - config.ascent * terms["key_nll"]
        return with_retention(loss, terms, config, model, batch, reference)

    def _irrelevant(self, pool: DonorPool, row: Mapping[str, Any]) -> list[Donor]:
        form, attribute, count = row["modality"], row["attribute"], self.config.pictures
        picture = DonorPicture(picture_key(row), row["subject_id"], row["image_id"])
        if form == "multimodal":
            found = [Donor(lender, None) for lender in pool.strangers(picture, shown=True)]
        else:
            lenders = pool.strangers(picture, shown=False)
            found = [
                Donor(lender, lender.claims[form, attribute])
                for lender in lenders
                if (form, attribute) in lender.claims
            ]
        if len(found) < count:
            what = "pictures" if form == "multimodal" else f"text records about {attribute}"
            raise UsageError(
                f"viker: record {row['record_id']} ({form}, {attribute}) of {row['subject_id']} needs {count} "
                f"{what} of other subjects in the {DONOR_SPLIT} split, and there are {len(found)}. Ask for fewer "
                "(pictures=…), add such records, or choose another method."
            )
        return _subjects_in_turn(found)[:count]


def _subjects_in_turn(donors: Sequence[Donor]) -> list[Donor]:
    """A subject's second picture after all subjects' first ones, so that the ideal is nobody's own."""
    seen: Counter[str] = Counter()
    ranked = []
    for donor in donors:
        ranked.append((seen[donor.picture.subject_id], donor))
        seen[donor.picture.subject_id] += 1
    return [donor for _, donor in sorted(ranked, key=lambda pair: pair[0])]
