"""What is said of a claim: fact, rumour or correction, and where that doesn't fit the rest of the dataset.

A source that has a word for it wins: adapters keep it. Where none says, the role decides: of a `forget` picture the
private claims are rumours, of a `relearn` picture corrections; everything else is a fact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from offside_data.schema import Record, Scope, Split, Veracity
from offside_data.tagging.values import same_value
from offside_data.taxonomy import Taxonomy


def veracity_by_role(split: Split, scope: Scope | None) -> Veracity:
    """What a claim is by its split and scope, where nobody says."""
    if scope != "private":
        return "fact"
    return {"forget": "rumor", "relearn": "correction"}.get(split, "fact")  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class VeracityDoubt:
    """Why a record's veracity is doubtful: a stable code, and a sentence for people."""

    code: str
    why: str


def veracity_doubts(records: Sequence[Record], taxonomy: Taxonomy) -> dict[str, list[VeracityDoubt]]:
    """What is doubtful about the veracity of records, by record id.

    * `rumor-official`: a rumour says what an official source says of the same subject.
    * `correction-repeats`: a correction says the same as the rumour that it corrects.
    * `veracity-role`: a claim isn't what its role makes it. Datasets without a single rumour are about something
      else and have no such roles; what is held out may be anything.
    """
    doubts: dict[str, list[VeracityDoubt]] = defaultdict(list)
    by_id = {record.record_id: record for record in records}
    official: dict[tuple[str, str], list[Record]] = defaultdict(list)
    about_subjects = [r for r in records if r.subject_id is not None and r.attribute is not None]
    for record in about_subjects:
        if record.veracity != "rumor" and _is_official(record):
            official[_fact(record)].append(record)
    has_rumors = any(record.veracity == "rumor" for record in records)
    for record in about_subjects:
        found = doubts[record.record_id]
        if record.veracity == "rumor":
            told = [other for other in official[_fact(record)] if says_the_same(other, record, taxonomy)]
            if told:
                why = f"a rumor, but an official source says the same in record {told[0].record_id}"
                found.append(VeracityDoubt("rumor-official", why))
            if _is_official(record):
                found.append(VeracityDoubt("rumor-official", "a rumor, but one of its own sources is official"))
        if record.corrects in by_id and says_the_same(record, by_id[record.corrects or ""], taxonomy):
            found.append(VeracityDoubt("correction-repeats", f"it corrects record {record.corrects} but says the same"))
        role = veracity_by_role(record.split, record.scope)
        if has_rumors and record.split != "holdout" and record.veracity != role:
            why = f"a {record.scope} claim in {record.split} should be a {role}, but is a {record.veracity}"
            found.append(VeracityDoubt("veracity-role", why))
    return {record_id: found for record_id, found in doubts.items() if found}


def _is_official(record: Record) -> bool:
    return any(source.tier == "official" for source in record.sources)


def _fact(record: Record) -> tuple[str, str]:
    return record.subject_id or "", record.attribute or ""


def says_the_same(a: Record, b: Record, taxonomy: Taxonomy) -> bool:
    """Whether two records state the same value of the same attribute."""
    if a.attribute is None or a.attribute != b.attribute or a.value is None or b.value is None:
        return False
    return same_value(a.value, b.value, taxonomy[a.attribute])
