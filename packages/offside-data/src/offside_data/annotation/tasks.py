"""Tasks: records as an annotator gets to see them, each under a key of ours, with what we propose.

A task's key is `RECORD_ID:HASH`, with `:ROUND` after it from the second round on. The hash is of what is judged:
picture, question, answer, attribute, subject. A record's `content_hash` won't do, for it counts the annotations
themselves: a pull would make every record another one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from offside_data.annotation.answers import RecordJudgement, as_text, judgements_of, read_results
from offside_data.annotation.interface import BY_NAME, CONTROLS, VARIABLES, result_of, storable
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.rows import rows_of
from offside_data.dataset.storage import Row
from offside_data.editing.template import condition_of, hint
from offside_data.errors import UsageError
from offside_data.schema import SUBJECTLESS_SPLITS
from offside_data.taxonomy import Attribute, Taxonomy

if TYPE_CHECKING:
    import polars as pl

_READ = (
    *("record_id", "subject_id", "image_id", "image", "modality", "split", "attribute", "scope", "veracity"),
    *("rumor_channel", "question", "answer", "corrects", "value", "sources", "suspect", "annotations"),
)
_ROUND = re.compile("[1-9][0-9]{0,5}")
_JUDGED = ("subject_id", "image_id", "attribute", "question", "answer")
_ASKED = ("heading", "question", "claim")
"""What a task shows of that, as texts."""
_MOST_OPTIONS = 50
"""Options of an attribute that each of its tasks names."""
_HOW = {
    "date": "YYYY-MM-DD",
    "amount": "an amount with its currency, as €35.00m",
    "length": "a length with its unit, as 1.80 m",
    "count": "a number",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """A record that annotators may be asked about.

    Args:
        row: Its fields, as read.
        sha256: Hex SHA-256 of its encoded picture; null where there is none.
        subject: The subject's name.
        occasion: The picture's occasion.
    """

    row: Row
    sha256: str | None
    subject: str
    occasion: str

    @property
    def record_id(self) -> str:
        """The record's id."""
        return str(self.row["record_id"])

    @property
    def shown(self) -> str:
        """Hash of what annotators judge; proposals, sources and annotations aren't in it."""
        said = {name: self.row[name] for name in _JUDGED} | {"picture": self.sha256, "subject": self.subject}
        return hashlib.sha256(as_text(said).encode()).hexdigest()[:20]

    @property
    def judgements(self) -> list[RecordJudgement]:
        """What annotators said of it so far, oldest first; what was withdrawn is left out."""
        return [said for said in judgements_of(self.row["annotations"]) if not said.withdrawn]

    def proposals(self) -> dict[str, tuple[str, ...]]:
        """What the dataset says, by control."""
        row, sources = self.row, self.row["sources"] or ()
        said = {name: row[name] for name in ("veracity", "rumor_channel", "scope")}
        said["tier"] = sources[0]["tier"] if sources else None
        return {name: (text,) for name, text in said.items() if text in BY_NAME[name].choices}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task, before its picture is put in.

    Args:
        key: Ours.
        record_id: The record.
        image_id: Its picture; null if it shows none.
        data: What the interface shows, but for `image`.
        proposals: What is chosen before the annotator begins, by control.
        meta: What tells it from others and from an earlier state of itself.
    """

    key: str
    record_id: str
    image_id: str | None
    data: Mapping[str, Any]
    proposals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self, image: str, model: str) -> dict[str, Any]:
        """As Label Studio takes it.

        Args:
            image: Address of its picture.
            model: What the proposals are signed with.
        """
        task: dict[str, Any] = {"data": {**self.data, "image": image}, "meta": dict(self.meta)}
        if self.proposals:
            task["predictions"] = [self.prediction(model)]
        return task

    def prediction(self, model: str) -> dict[str, Any]:
        """The proposals as Label Studio takes them."""
        results = [result_of(name, said) for name, said in self.proposals.items()]
        return {"model_version": model, "result": results}


def chosen_records(dataset: OffsideDataset, where: Sequence[str] = ()) -> Iterator[TaskRecord]:
    """The records about subjects that fit, in the order of the dataset.

    Args:
        dataset: The dataset.
        where: Conditions, as `edit --template --where` has them.

    Raises:
        UsageError: If a condition is malformed or no record fits.
    """
    import polars as pl

    keep = condition_of(dataset, where) & ~pl.col("split").is_in(SUBJECTLESS_SPLITS)
    names = dict(dataset.frame("subjects", ["subject_id", "name"]).select("subject_id", "name").iter_rows())
    occasions = dict(dataset.frame("images", ["image_id", "occasion"]).select("image_id", "occasion").iter_rows())
    found = False
    for row, sha256 in _rows(dataset, keep):
        found = True
        subject, occasion = names.get(row["subject_id"]), occasions.get(row["image_id"])
        yield TaskRecord(row=row, sha256=sha256, subject=subject or "", occasion=occasion or "")
    if not found:
        said = f" about a subject fits --where {' '.join(where)}" if where else " is about a subject"
        raise UsageError(f"{dataset.path}: no record{said}.{hint(dataset, where)}")


def _rows(dataset: OffsideDataset, keep: pl.Expr) -> Iterator[tuple[Row, str | None]]:
    for part in dataset.record_parts():
        for batch, hashes in dataset.hashed_batches(part, _READ):
            kept = batch.with_columns(hashes.alias("_sha256")).filter(keep)
            for row in rows_of(kept, dataset.pictures):
                yield row, row.pop("_sha256")


def make_task(
    record: TaskRecord, taxonomy: Taxonomy, dataset: str, *, proposing: bool = True, round: int = 1, earlier: str = ""
) -> Task:
    """The task of a record.

    Args:
        record: The record.
        taxonomy: The dataset's.
        dataset: Its name.
        proposing: Whether annotators see what the dataset says.
        round: 1 for the first round.
        earlier: What annotators said in earlier rounds, for people.
    """
    row, proposals = record.row, record.proposals() if proposing else {}
    key = f"{record.record_id}:{record.shown}" + (f":{round}" if round > 1 else "")
    attribute = taxonomy[row["attribute"]]
    about = ", ".join(filter(None, (record.subject, record.occasion)))
    told = "; ".join(f"{name.replace('_', ' ')} {', '.join(said)}" for name, said in proposals.items())
    data = {
        "key": key,
        "record_id": record.record_id,
        "dataset": dataset,
        "round": round,
        "heading": f"{taxonomy.subject_noun}: {about or row['subject_id']}",
        "question": row["question"],
        "claim": row["answer"],
        "proposed": "; ".join(filter(None, (told, earlier))) or "nothing",
        "hint": f"{BY_NAME['value'].title}: {_how(attribute)}",
    }
    data = {name: storable(said) if isinstance(said, str) else said for name, said in data.items()}
    sent = hashlib.sha256(as_text([data, {n: list(s) for n, s in proposals.items()}]).encode()).hexdigest()[:20]
    return Task(
        key=key,
        record_id=record.record_id,
        image_id=row["image_id"] if row["image"] is not None else None,
        data=data,
        proposals=proposals,
        meta={"offside_key": key, "offside_sent": sent, "offside_asked": asked_hash(data)},
    )


def asked_hash(data: Mapping[str, Any]) -> str:
    """Hash of the texts that a task shows, by which it is told when somebody changes them on the server."""
    return hashlib.sha256(as_text([data.get(name) for name in _ASKED]).encode()).hexdigest()[:20]


def _how(attribute: Attribute) -> str:
    """How a value of an attribute is written."""
    if attribute.options:
        named = [option[0] for option in attribute.options[:_MOST_OPTIONS]]
        more = len(attribute.options) - len(named)
        return f"one of {', '.join(named)}" + (f" or {more:,} more" if more else "")
    return ", ".join(filter(None, (attribute.name.replace("_", " "), _HOW.get(attribute.kind))))


def problems_of(task: Mapping[str, Any]) -> list[str]:
    """What is wrong with a task that is to be sent: the server takes choices that its interface doesn't offer."""
    data = task["data"]
    problems = [f"has no {name!r}, which the interface shows" for name in VARIABLES if not data.get(name)]
    for prediction in task.get("predictions", ()):
        _, unknown = read_results(prediction["result"])
        problems += [
            f"proposes {said!r} as {name}, which the interface doesn't offer" for name, said in unknown.items()
        ]
    return problems


def parse_key(key: object) -> tuple[str, str, int] | None:
    """Record, hash and round of a task's key; null if it is none of ours."""
    parts = key.split(":") if isinstance(key, str) else []
    if len(parts) not in (2, 3) or not all(parts):
        return None
    round_ = parts[2] if len(parts) == 3 else "1"
    return (parts[0], parts[1], int(round_)) if _ROUND.fullmatch(round_) else None


def told_before(judgements: Iterable[RecordJudgement]) -> str:
    """What annotators said, without who, e.g. `veracity rumor (2) or fact (1)`."""
    counts: dict[str, dict[str, int]] = {}
    for said in judgements:
        for name, answer in said.answers.items():
            text = answer if isinstance(answer, str) else ", ".join(answer)
            counts.setdefault(name, {}).setdefault(text, 0)
            counts[name][text] += 1
    order = [control.name for control in CONTROLS if control.importance and len(counts.get(control.name, ())) > 1]
    told = [
        f"{name.replace('_', ' ')} "
        + " or ".join(f"{t} ({n})" for t, n in sorted(counts[name].items(), key=lambda i: (-i[1], i[0])))
        for name in order
    ]
    return f"annotators said: {'; '.join(told)}" if told else ""
