"""Tag a dataset: attribute and scope, values, veracity and tiers of sources, and a list of what stays doubtful."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.contents import Contents
from offside_data.dataset.decisions import make_decision
from offside_data.schema import Record, RumorChannel
from offside_data.tagging.attributes import Rules
from offside_data.tagging.facts import with_facts
from offside_data.tagging.suspects import flag_contradictions, with_reasons
from offside_data.tagging.table import TOPICS, Doubt, list_doubts
from offside_data.tagging.tiers import Tiers, load_tiers
from offside_data.tagging.untagged import UNTAGGED, fit_taxonomy
from offside_data.tagging.values import parse_value
from offside_data.tagging.veracity import veracity_by_role, veracity_doubts
from offside_data.taxonomy import Attribute, Taxonomy

_COUNTED = ("attribute", "value", "veracity", "corrects", "sources", "suspect")
_CHANGED = (*_COUNTED, "scope", "rumor_channel", "image_id")


@dataclass(frozen=True, slots=True)
class Change:
    """A record as it was, as it is now, and why."""

    before: Record
    after: Record
    why: tuple[str, ...]

    @property
    def topics(self) -> list[str]:
        """What changed: `attribute`, `value`, `veracity`, `corrects`, `sources`, `suspect`."""
        return [name for name in _COUNTED if getattr(self.before, name) != getattr(self.after, name)]


@dataclass(frozen=True, kw_only=True)
class TagReport:
    """What `tag` did, or would do.

    Args:
        records: How many records the dataset holds.
        changes: The records that changed.
        doubts: What a person should look at.
        applied: Whether the dataset was changed.
    """

    records: int
    changes: tuple[Change, ...]
    doubts: tuple[Doubt, ...]
    applied: bool

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "records": self.records,
            "applied": self.applied,
            "changes": [_changed(change) for change in self.changes],
            "doubts": [doubt.to_json() for doubt in self.doubts],
        }


def tag_dataset(folder: str | Path, *, apply: bool = True, tiers: Path | None = None) -> TagReport:
    """Tag a dataset folder in place; what is decided already stays as it is, so a second run changes nothing.

    Args:
        folder: The dataset.
        apply: Change it; without, only say what would change.
        tiers: A file of tiers by domain and publisher that overlays the shipped one.

    Raises:
        DatasetReferenceError: If there is no such folder.
        UsageError: If the file of tiers is malformed.
    """
    known = load_tiers(tiers)
    contents = Contents.read(folder)
    changes = tag_records(contents.records, contents.taxonomy, known)
    changed = {change.before.record_id: change.after for change in changes}
    contents.records = [changed.get(record.record_id, record) for record in contents.records]
    if changes and apply:
        contents.taxonomy_text = fit_taxonomy(contents.taxonomy_text, contents.records)
        contents.subjects = with_facts(contents.subjects, contents.records, contents.taxonomy)
        contents.decisions += [
            make_decision("tag", _changed(change), "; ".join(change.why), command="tag") for change in changes
        ]
        contents.save(Path(folder))
    return TagReport(
        records=len(contents.records),
        changes=tuple(changes),
        doubts=tuple(list_doubts(contents.records, contents.taxonomy, known)),
        applied=apply,
    )


def tag_records(records: Sequence[Record], taxonomy: Taxonomy, tiers: Tiers) -> list[Change]:
    """What tagging changes in these records.

    * `untagged` records get the attribute that their words and value fit, if exactly one does.
    * Values that are null and readable in the answer are read.
    * Corrections that name no rumour get the only one about the same, if there is only one.
    * Sources get the tier that their domain or publisher has.
    * Doubts about attribute and veracity are written into `suspect`, and taken out once they are gone.
    """
    rules = Rules(taxonomy)
    why: dict[str, list[str]] = {record.record_id: [] for record in records}
    attribute_doubts: dict[str, list[str]] = {}
    tagged: list[Record] = []
    for record in records:
        reasons = why[record.record_id]
        now, doubt = _with_attribute(record, rules, taxonomy, reasons)
        now = _with_value(now, taxonomy, reasons)
        tagged.append(_with_tiers(now, tiers, reasons))
        attribute_doubts[record.record_id] = [f"attribute: {doubt}"] if doubt else []
    tagged = _with_targets(tagged, why)
    if any(old.attribute != new.attribute for old, new in zip(records, tagged, strict=True)):
        tagged = flag_contradictions(tagged, taxonomy)
    veracities = veracity_doubts(tagged, taxonomy)
    changes = []
    for old, new in zip(records, tagged, strict=True):
        doubts = attribute_doubts[old.record_id] + [f"veracity: {d.why}" for d in veracities.get(old.record_id, ())]
        new = with_reasons(new, TOPICS, doubts)
        if new != old:
            reasons = why[old.record_id] + ([new.suspect or "no doubt left"] if new.suspect != old.suspect else [])
            changes.append(Change(old, new, tuple(reasons)))
    return changes


def _with_attribute(record: Record, rules: Rules, taxonomy: Taxonomy, reasons: list[str]) -> tuple[Record, str | None]:
    """The record with its attribute decided if it wasn't and can be; and what is doubtful about its attribute."""
    if record.attribute is None:
        return record, None
    if record.attribute != UNTAGGED.name:
        # Anything may be said of a free text.
        is_free = taxonomy[record.attribute].kind == "text"
        reading = None if is_free else rules.read(record.question, record.answer)
        if reading is None or reading.attribute in (None, record.attribute):
            return record, None
        return record, f"{reading.why}, not those of {record.attribute}"
    reading = rules.read(record.question, record.answer)
    if reading.attribute is None:
        return record, reading.why
    reasons.append(reading.why)
    return _retagged(record, taxonomy[reading.attribute]), None


def _retagged(record: Record, attribute: Attribute) -> Record:
    """An untagged record as one about `attribute`; its veracity, if nobody stated one, follows from its role."""
    veracity = record.veracity
    if veracity in ("fact", veracity_by_role(record.split, UNTAGGED.scope)):
        veracity = veracity_by_role(record.split, attribute.scope)
    channel: RumorChannel = "none"
    if veracity == "rumor":
        channel = "text" if record.rumor_channel == "none" else record.rumor_channel
    return dataclasses.replace(
        record,
        attribute=attribute.name,
        scope=attribute.scope,
        value=parse_value(record.answer, attribute),
        veracity=veracity,
        rumor_channel=channel,
        # A shared fact as text is about no picture.
        image_id=None if (record.modality, attribute.scope) == ("text", "shared") else record.image_id,
    )


def _with_targets(records: Sequence[Record], why: Mapping[str, list[str]]) -> list[Record]:
    """The records, corrections without a target pointing to the rumour that they replace, if there is only one."""
    rumors: dict[tuple[str | None, ...], list[Record]] = defaultdict(list)
    for record in records:
        if record.veracity == "rumor" and record.attribute != UNTAGGED.name:
            rumors[record.subject_id, record.attribute, record.modality].append(record)
    linked = []
    for record in records:
        fitting = rumors[record.subject_id, record.attribute, record.modality]
        sure = [rumor for rumor in fitting if rumor.suspect is None] or fitting
        role = (record.split, record.scope, record.veracity)
        if role == ("relearn", "private", "correction") and record.corrects is None and len(sure) == 1:
            record = dataclasses.replace(record, corrects=sure[0].record_id)
            why[record.record_id].append(f"it corrects {record.corrects}, the only rumor about the same")
        linked.append(record)
    return linked


def _with_value(record: Record, taxonomy: Taxonomy, reasons: list[str]) -> Record:
    if record.value is not None or record.attribute in (None, UNTAGGED.name):
        return record
    value = parse_value(record.answer, taxonomy[record.attribute or ""])
    if value is None:
        return record
    reasons.append(f"its answer states the value {value.text!r}")
    return dataclasses.replace(record, value=value)


def _with_tiers(record: Record, tiers: Tiers, reasons: list[str]) -> Record:
    sources = []
    for source in record.sources:
        tier = tiers.tier_of(source)
        if tier not in (None, source.tier) and source.tier != "fictional":
            reasons.append(f"{source.url or source.publisher} is {tier}, not {source.tier}")
            source = dataclasses.replace(source, tier=tier)
        sources.append(source)
    return dataclasses.replace(record, sources=tuple(sources))


def _changed(change: Change) -> dict[str, Any]:
    """A change as a decision tells it: the record and, by field, what it was and what it is."""
    fields = {}
    for name in _CHANGED:
        before, after = getattr(change.before, name), getattr(change.after, name)
        if before != after:
            fields[name] = [_plain(name, before), _plain(name, after)]
    return {"record_id": change.before.record_id, "changes": fields}


def _plain(field: str, value: Any) -> Any:
    if field == "value":
        return None if value is None else value.text
    if field == "sources":
        return [{"source": source.url or source.publisher, "tier": source.tier} for source in value]
    return value
