"""Prior matching: say of a forgotten claim what one says of others, when asked the same.

A donor is a retained picture of another subject, one for each forget picture. The teacher `T` is the frozen model's
distribution of the next token, given the donor's question and the forgotten answer so far. Minimises

`kl mean KL(T || p) + gold_match mean (log p(y) - log T(y))^2 + keep mean KL(p0 || p)`

over the forgotten answers' tokens `y`, in both forms, and over those of what must stay. Where the model shall abstain,
the first two count double and leave out each answer's first token, from where on a refusal goes another way, and
`refusal CE(refusal)` is added.

Ours. Akin to ViKeR, which takes the ideal distribution from irrelevant pictures; here it comes from other retained
subjects, and the shared facts of the same pictures are kept. Built from a summary, not checked against the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from offside_data.donors import DonorRow, write_donors
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
from offside_unlearn.methods._donors import Donor, DonorTable, LentPictures
from offside_unlearn.task import draw_refusals

PAPER = Paper(
    "Visual-Guided Key-Token Regularization for Multimodal Large Language Model Unlearning",
    "https://arxiv.org/abs/2601.22020",
)
ABSTAINING = 2.0
"""The weights of the forgotten answers' terms count so many times where the model shall abstain."""


@dataclass(frozen=True, kw_only=True)
class Config(MethodConfig):
    """Weights, donors and what takes an answer's place.

    Args:
        kl: Weight of `KL(T || p)` on the forgotten answers; where the model shall abstain it counts double.
            source: ours (trial).
        gold_match: Weight of the squared difference of the answer's own log-probability to the teacher's; where the
            model shall abstain it counts double. source: ours (trial).
        keep: Weight of `KL(p0 || p)` on what must stay; 0 leaves it and the retain batches out. source: ours (trial).
        refusal: Weight of the refusals' cross-entropy where the model shall abstain. source: ours (trial).
        answer: `donor`: answer as about the donor; `abstain`: say that one doesn't know; `auto`: abstain where the
            forgotten record is a rumour, answer as about the donor where it is a fact. source: ours (trial).
        forms: `both`: the other form (picture or text) of each forgotten claim is unlearned too, if there is one;
            `asked`: only the records of the request. source: ours (trial).
        donors: How many a record has; the mean of what the frozen model says of several is matched. source: ours
            (trial: more than one is worse).
        distinct: No two forget pictures share a donor, as far as there are enough. source: ours.
        top_k: How many of the frozen model's likeliest tokens are stored for each answer token; the rest counts as one.
            source: ours.
    """

    kl: float = 4.0
    gold_match: float = 0.1
    keep: float = 5.0
    refusal: float = 1.0
    answer: Literal["auto", "donor", "abstain"] = "auto"
    forms: Literal["both", "asked"] = "both"
    donors: int = 1
    distinct: bool = False
    top_k: int = 128

    def __post_init__(self) -> None:
        """Refuse weights that would teach the answers, and numbers that mean nothing."""
        for name in ("gold_match", "keep", "refusal"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.kl <= 0:
            raise ValueError(f"kl must be positive, got {self.kl}: without it no teacher is followed")
        for name in ("donors", "top_k"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.distinct and self.donors > 1:
            raise ValueError(f"distinct means one donor a picture that no other picture has; got donors={self.donors}")


class Method(UnlearningMethod[Config]):
    """Match what the frozen model says of the donors, and stay what it is elsewhere."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.abstaining: frozenset[str] = frozenset()
        """Records about which the model shall say that it doesn't know."""
        self.kinds: tuple[str, ...] = ("donor",)
        """What takes an answer's place, in this run."""

    def needs(self) -> Needs:
        """The retain batch, and the frozen model's likeliest tokens there and for the donors."""
        kept = {"retain"} if self.config.keep > 0 else set()
        return Needs(
            retain=bool(kept),
            top_reference=frozenset({"donor", *kept}),
            top_k=self.config.top_k,
            retain_whole=True,
            retain_evenly=True,
        )

    def sides(self, data: RequestRecords) -> Mapping[str, SideRecords]:
        """The forgotten claims in both forms, their donors, and refusals; writes the table of donors.

        Raises:
            UsageError: If a record has too few donors.
        """
        forget = data.forget if self.config.forms == "asked" else _in_both_forms(data)
        table = DonorTable.of(data.dataset, forget, seed=data.seed, distinct=self.config.distinct)
        replaced = {record: self._in_place_of(veracity) for record, veracity in _pairs(forget, "veracity")}
        self.abstaining = frozenset(record for record, kind in replaced.items() if kind == "abstain")
        self.kinds = tuple(sorted(set(replaced.values())))
        given = [(row, donor) for row in forget for donor in table.donors_of(row, self.config.donors)]
        write_donors(data.folder, [_listed(row, donor, replaced[row["record_id"]]) for row, donor in given])
        first = dict.fromkeys(self.abstaining, 1)
        pictures = LentPictures(data)
        own = {
            "forget": SideRecords(forget, without_first=first),
            "donor": SideRecords(
                [pictures.asked(row, donor) for row, donor in given], follows=None, without_first=first
            ),
        }
        if self.abstaining:
            own["refusal"] = SideRecords(forget, draw_refusals(forget["record_id"], data.seed))
        return own

    def _in_place_of(self, veracity: str) -> Literal["donor", "abstain"]:
        if self.config.answer == "auto":
            return "abstain" if veracity == "rumor" else "donor"
        return self.config.answer

    def loss(self, model: torch.nn.Module, batch: PairedBatch, reference: ReferenceModel) -> LossOutput:
        """The teacher's terms, those of the refusals, and the one that keeps the model."""
        config, side = self.config, batch.forget
        teacher, output = reference.top_logprobs(side, of="donor"), answers(model, side)
        divergence = losses.top_kl(teacher, output.logits, output.labels)
        gap = losses.gold_gap(teacher, output.logits, output.labels)
        abstains = losses.of_records(self._abstaining_in(side), output.labels)
        terms, loss = {}, torch.zeros((), device=divergence.device)
        for kind in self.kinds:
            counts = abstains if kind == "abstain" else 1 - abstains
            terms[f"{kind}_kl"] = (counts * divergence).sum() / side.tokens
            terms[f"{kind}_gold"] = (counts * gap).sum() / side.tokens
            part = config.kl * terms[f"{kind}_kl"] + config.gold_match * terms[f"{kind}_gold"]
            loss = loss + (ABSTAINING if kind == "abstain" else 1.0) * part
        if "abstain" in self.kinds:
            terms["refusal_ce"] = self._refusals(model, batch.refusal)
            loss = loss + config.refusal * terms["refusal_ce"]
        kept = None
        if config.keep > 0:
            side = batch.retain
            frozen, output = reference.top_logprobs(side, of="retain"), answers(model, side)
            terms["keep_kl"] = losses.top_kl(frozen, output.logits, output.labels).sum() / side.tokens
            kept = config.keep * terms["keep_kl"]
        return LossOutput(loss, terms, kept)

    def _refusals(self, model: torch.nn.Module, side: Side) -> torch.Tensor:
        """`CE` of the refusals, of which those of records that aren't to be refused count for nothing."""
        output = answers(model, side)
        counts = losses.of_records(self._abstaining_in(side), output.labels)
        return (counts * losses.token_nll(output.logits, output.labels)).sum() / side.tokens

    def _abstaining_in(self, side: Side) -> torch.Tensor:
        """1 for each record of a batch about which the model shall abstain, 0 for the others."""
        flags = [float(record in self.abstaining) for record in side.record_ids]
        return torch.tensor(flags, device=side.inputs["input_ids"].device)


def _pairs(rows: Any, column: str) -> list[tuple[str, Any]]:
    return list(zip(rows["record_id"], rows[column], strict=True))


def _in_both_forms(data: RequestRecords) -> Any:
    """The records to be forgotten, and the same claims about the same pictures in the other form.

    None that must stay is among them, nor any of another split, as those that are held out.
    """
    from datasets import concatenate_datasets

    forget, request = data.forget, data.request
    columns = zip(*(forget[name] for name in ("split", "modality", "image_id", "attribute")), strict=True)
    asked = {(split, form, picture, attribute) for split, form, picture, attribute in columns if picture}
    stay = [*request.keep.values(), *data.retain.values(), *([request.rest] if request.rest is not None else [])]
    taken = {record for rows in (request.forget, *stay) for record in rows["record_id"]}
    parts = [forget]
    for split in sorted({split for split, *_ in asked}):
        for form, other in (("multimodal", "text"), ("text", "multimodal")):
            if not data.dataset.has(form, split):
                continue
            rows = data.dataset.records(form, split)
            claims = zip(rows["record_id"], rows["image_id"], rows["attribute"], strict=True)
            chosen = [
                number
                for number, (record, picture, attribute) in enumerate(claims)
                if record not in taken and (split, other, picture, attribute) in asked
            ]
            parts += [rows.select(chosen)] if chosen else []
    return concatenate_datasets(parts)


def _listed(row: Mapping[str, Any], donor: Donor, answer: Literal["donor", "abstain"]) -> DonorRow:
    return DonorRow(
        record_id=row["record_id"],
        modality=row["modality"],
        image_id=row["image_id"],
        attribute=row["attribute"],
        answer=answer,
        donor_subject_id=donor.picture.subject_id,
        donor_image_id=donor.picture.image_id,
        donor_record_id=donor.claim.record_id if donor.claim else None,
    )
