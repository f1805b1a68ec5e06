"""Members and non-members: claims to be forgotten, claims that no model ever saw, and `membership.parquet` of both.

Members are the private claims of the request's forget split; non-members private claims of the same attributes and
configs in `holdout`: of subjects never seen, and unseen ones about the subjects of the request. Never `retain`, which
models are trained on. They stand in no slice, so that no other number depends on them. A claim whose value can be read
in its picture is no test: a member is asked on the picture's blank twin then, and what has none is left out.

`membership.parquet` has one row a record: `record_id`, `group` (`member`, `non_member`), `subject_id`, `config`,
`attribute`, `answer`, `held_out`, and lists over the tokens of the answer's text, the end of the turn left out:
`logprobs`, `means`, `deviations` (float32). `grad_norm` is null where it wasn't asked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from offside_data.schema import VISUAL_CHANNELS
from offside_data.seeding import draw_records
from offside_eval.plan import Plan, Question, ask_besides

if TYPE_CHECKING:
    import polars as pl

    from offside_data.dataset.folder import OffsideDataset
    from offside_eval.inference.asking import Item
    from offside_eval.inference.engine import Answers

Group = Literal["member", "non_member"]
MEMBER: Group = "member"
NON_MEMBER: Group = "non_member"
PER_MEMBER = 4
"""Non-members that are asked for each member of the same attribute, so that some are as long."""
_LISTS = ("logprobs", "means", "deviations")


@dataclass(frozen=True)
class MembershipClaim:
    """A claim of which is to be told whether the model saw it.

    Args:
        question: As it is asked.
        group: Whether it was to be forgotten, or never seen by any model.
    """

    question: Question
    group: Group


def candidates_of(plan: Plan, data: OffsideDataset, *, seed: int) -> list[MembershipClaim]:
    """Members, and non-members of the same attributes and configs; drawn from the dataset alone.

    Args:
        plan: Of the evaluation.
        data: The dataset.
        seed: Of the draw among non-members where there are more than `PER_MEMBER` times as many.
    """
    members: dict[str, Question] = {}
    for name, key in plan.places:
        asked = plan.questions[key]
        if name == "forget" and asked.variant == "plain" and asked.row["scope"] == "private" and asked.answer:
            hidden = plan.questions.get(f"{asked.row['record_id']}/blank") if _is_readable(asked) else asked
            if hidden is not None:
                members.setdefault(asked.row["record_id"], hidden)
    wanted = Counter(_cell(q) for q in members.values())
    cells: dict[tuple[Any, ...], list[Question]] = defaultdict(list)
    for config in sorted({config for config, _ in wanted}):
        if not data.has(config, "holdout"):
            continue
        table = data.records(config, "holdout")
        facts = table.select_columns(["scope", "attribute"])
        places = [
            i for i, row in enumerate(facts) if row["scope"] == "private" and (config, row["attribute"]) in wanted
        ]
        for question in ask_besides(data, table.select(places)):
            if question.answer and not _is_readable(question):
                cells[_cell(question)].append(question)
    unseen = []
    for cell, questions in cells.items():
        drawn = draw_records([q.row["record_id"] for q in questions], PER_MEMBER * wanted[cell], seed=seed)
        unseen += [questions[i] for i in drawn]
    return [*(MembershipClaim(q, MEMBER) for q in members.values()), *(MembershipClaim(q, NON_MEMBER) for q in unseen)]


def members_frame(
    candidates: Sequence[MembershipClaim], items: Sequence[Item], answers: Answers, held_out: Collection[str] = ()
) -> pl.DataFrame:
    """What `membership.parquet` holds.

    Args:
        candidates: Members and non-members.
        items: The same, encoded, in the same order.
        answers: What the model did with them; one that it couldn't be asked has empty lists.
        held_out: Ids of the records that the model's run was stopped by.
    """
    import polars as pl

    rows = []
    for candidate, item in zip(candidates, items, strict=True):
        record, weights, norm = candidate.question.row, answers.weights.get(item.key), answers.norms.get(item.key)
        lists = (weights.answer, weights.means, weights.deviations) if weights else ((), (), ())
        rows.append(
            {
                "record_id": record["record_id"],
                "group": candidate.group,
                "subject_id": record["subject_id"],
                "config": record["modality"],
                "attribute": record["attribute"],
                "answer": candidate.question.answer,
                "held_out": record["record_id"] in held_out,
                **{name: values[: item.n_content] for name, values in zip(_LISTS, lists, strict=True)},
                "grad_norm": norm.norm if norm else None,
            }
        )
    texts = ("record_id", "group", "subject_id", "config", "attribute", "answer")
    schema: dict[str, Any] = dict.fromkeys(texts, pl.String()) | {"held_out": pl.Boolean()}
    schema |= dict.fromkeys(_LISTS, pl.List(pl.Float32)) | {"grad_norm": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _cell(question: Question) -> tuple[str, str | None]:
    return question.row["modality"], question.row["attribute"]


def _is_readable(question: Question) -> bool:
    row = question.row
    return row["modality"] == "multimodal" and row["rumor_channel"] in VISUAL_CHANNELS
