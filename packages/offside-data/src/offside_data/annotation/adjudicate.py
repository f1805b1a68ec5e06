"""Make one answer of several, and change the records by it as `edit` does: one decision, which `undo` takes back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offside_data.annotation.answers import as_text
from offside_data.annotation.disagreements import AS_STATED, COMPARED, NOTHING, latest, votes_of
from offside_data.annotation.policies._base import POLICIES
from offside_data.annotation.tasks import TaskRecord, chosen_records
from offside_data.config import build
from offside_data.dataset.access import changes
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.edit import EditReport, edit_rows
from offside_data.editing.changes import edited
from offside_data.editing.columns import CLEAR
from offside_data.editing.reading import whole_records
from offside_data.editing.table import Edit
from offside_data.errors import RecordError, UsageError
from offside_data.schema import Record
from offside_data.tagging.suspects import with_reasons
from offside_data.taxonomy import Taxonomy
from offside_data.validation import validate_record

TOPIC = "annotators"
"""Of the reasons in `suspect` that what annotators agree on couldn't be carried out."""
_COLUMNS = ("veracity", "rumor_channel", "tier", "value")
"""Controls whose answers are columns that `edit` changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What is still to be decided about a record.

    Args:
        record_id: The record.
        control: About what.
        votes: What each annotator said.
    """

    record_id: str
    control: str
    votes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class AdjudicationReport:
    """What was decided.

    Args:
        policy: How.
        decided: Records with something agreed.
        edit: What that changed.
        open: What nothing was agreed on, though several annotators answered.
        refused: By record, why what is agreed couldn't be carried out; it stands in `suspect`, too.
    """

    policy: str
    decided: int
    edit: EditReport
    open: Sequence[Open] = ()
    refused: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return dataclasses.asdict(self)


@changes(unless="dry_run")
def adjudicate(
    folder: str | Path,
    *,
    policy: str = "majority",
    settings: Mapping[str, Any] | None = None,
    where: Sequence[str] = (),
    dry_run: bool = False,
    reason: str = "",
    by: str = "",
) -> AdjudicationReport:
    """Decide what annotators said, and change the records of a dataset folder by it, all or nothing.

    Veracity, channel, tier and value become what is agreed; all that is agreed stands in `agreed_value`. What the
    place of a record forbids (a fact among the rumours, another scope than its attribute's), and problems of pictures,
    become a reason in `suspect`, for a person.

    Args:
        folder: The dataset.
        policy: A file of `annotation/policies/`.
        settings: Its options.
        where: Which records, as `edit --template --where`.
        dry_run: Only say what would change.
        reason: Why; the policy if empty.
        by: Pseudonym of whoever decided.

    Raises:
        DatasetReferenceError: If there is no such dataset.
        PluginError: If there is no such policy.
        UsageError: If an option is wrong, nothing is annotated, or the changes would break the data model.
    """
    module = POLICIES.load(policy)
    options = build(module.Options, settings or {})
    dataset = open_dataset(folder)
    taxonomy = dataset.taxonomy
    records = {r.record_id: r for r in chosen_records(dataset, where) if r.row["annotations"]}
    votes, texts = _votes(records, taxonomy)
    if not votes:
        raise UsageError(
            f"{dataset.path}: nothing is annotated. Send records with `annotate push`, bring answers home with "
            "`annotate pull`."
        )
    _require_known(getattr(options, "named", ()), dataset, records)
    agreed: dict[str, dict[str, str]] = {}
    left: list[Open] = []
    for control in COMPARED:
        asked = {name: by[control] for name, by in votes.items() if by[control]}
        for (name, said), answer in zip(asked.items(), module.decide(list(asked.values()), options), strict=True):
            if answer is not None:
                agreed.setdefault(name, {})[control] = answer
            elif len(said) > 1:
                left.append(Open(record_id=name, control=control, votes=said))
    for said in agreed.values():
        if said.get("veracity") == "rumor" and said.get("rumor_channel") == "none":  # Says who says that it is none.
            del said["rumor_channel"]
    rows, refused = _rows(dataset, agreed, texts, taxonomy)
    done = EditReport(rows=0, changes=(), notes=(), decision=None)
    if rows:
        why = reason or _why(policy, options, votes)
        done = edit_rows(dataset.path, rows, dry_run=dry_run, reason=why, by=by, command="annotate adjudicate")
    return AdjudicationReport(policy=policy, decided=len(agreed), edit=done, open=left, refused=refused)


def _require_known(named: Sequence[str], dataset: OffsideDataset, chosen: Mapping[str, TaskRecord]) -> None:
    """Whoever an option names must have annotated something of the dataset."""
    known = {said.annotator for record in chosen.values() for said in record.judgements}
    if not set(named) <= known:  # Perhaps other records than the chosen ones.
        known |= {said.annotator for record in chosen_records(dataset) for said in record.judgements}
    strangers = sorted(set(named) - known)
    if strangers:
        raise UsageError(
            f"{dataset.path}: nothing is annotated by {', '.join(strangers)}. Annotators are "
            f"{', '.join(sorted(known))}."
        )


def _why(policy: str, options: Any, votes: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    who = sorted({name for by in votes.values() for said in by.values() for name in said})
    told = ", ".join(
        f"{f.name}={getattr(options, f.name)}" for f in dataclasses.fields(options) if getattr(options, f.name)
    )
    return f"adjudicated by {policy} ({told}) of {', '.join(who)}"


def _votes(
    records: Mapping[str, TaskRecord], taxonomy: Taxonomy
) -> tuple[dict[str, dict[str, dict[str, str]]], dict[tuple[str, str], str]]:
    """By record and control what each annotator says, and by record and value as it is compared, as it was written."""
    votes: dict[str, dict[str, dict[str, str]]] = {}
    texts: dict[tuple[str, str], str] = {}
    for name, record in records.items():
        said = latest(record.judgements, record.shown)
        if not said:
            continue
        votes[name] = votes_of(said, taxonomy[record.row["attribute"]])
        for annotator, answer in votes[name]["value"].items():
            texts.setdefault((name, answer), str(said[annotator].answers.get("value", "")))
    return votes, texts


# ---------------------------------------------------------------------------------------------
# What is to be changed


def _rows(
    dataset: OffsideDataset,
    agreed: Mapping[str, Mapping[str, str]],
    texts: Mapping[tuple[str, str], str],
    taxonomy: Taxonomy,
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """A row of edits for each record that changes, and by record what can't be carried out."""
    import polars as pl

    rows, refused = [], {}
    wanted = pl.Series(list(agreed), dtype=pl.String)
    for record in whole_records(dataset, pl.col("record_id").is_in(wanted.implode()), ["record_id"]):
        said = agreed[record.record_id]
        cells = dict(_cells(record, said, texts))
        problems = list(_for_a_person(record, said))
        problem = _why_not(record, cells, taxonomy)
        if problem:
            problems.append(problem)
            cells = {}
        told = as_text({name: said[name] for name in COMPARED if name in said})
        cells |= {"agreed_value": told} if record.agreed_value != told else {}
        suspect = with_reasons(record.suspect, (TOPIC,), [f"{TOPIC}: {text}" for text in problems])
        cells |= {"suspect": suspect or CLEAR} if suspect != record.suspect else {}
        if problems:
            refused[record.record_id] = "; ".join(problems)
        if cells:
            rows.append({"record_id": record.record_id, **cells})
    return rows, refused


def _cells(record: Record, said: Mapping[str, str], texts: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    for name in _COLUMNS:
        answer = said.get(name)
        if answer is None or answer == AS_STATED or (name == "tier" and not record.sources):
            continue
        if name == "value":
            yield name, texts[record.record_id, answer]
        elif answer != (record.sources[0].tier if name == "tier" else getattr(record, name)):
            yield name, answer


def _for_a_person(record: Record, said: Mapping[str, str]) -> Iterator[str]:
    """What is agreed, and no command can carry out."""
    if said.get("scope") not in (None, record.scope):
        told = f"{record.attribute} is {record.scope}: is it another attribute?"
        yield f"they agree on the scope {said['scope']}, but {told}"
    if said.get("picture") not in (None, NOTHING):
        yield f"they agree on problems of the picture ({said['picture']})"


def _why_not(record: Record, cells: Mapping[str, str], taxonomy: Taxonomy) -> str:
    """Why a record can't become what is agreed; empty if it can."""
    if not cells:
        return ""
    try:
        after = edited(Edit(place="", record_id=record.record_id, cells=cells), record, taxonomy)
        validate_record(after, taxonomy)
    except (ValueError, RecordError) as problem:
        told = ", ".join(f"{name} {text}" for name, text in cells.items())
        return f"they agree on {told}, but {problem}"
    return ""
