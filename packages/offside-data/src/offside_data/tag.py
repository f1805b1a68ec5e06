"""Tag a dataset: attribute and scope, values, veracity and tiers of sources, and a list of what stays doubtful."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from offside_data.dataset.access import changes
from offside_data.dataset.decisions import make_decision
from offside_data.dataset.folder import open_dataset
from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of, records_of
from offside_data.dataset.storage import ROWS_PER_BATCH
from offside_data.dataset.transaction import change_dataset
from offside_data.frames import formatted
from offside_data.schema import Record, RumorChannel
from offside_data.tagging.attributes import Reading
from offside_data.tagging.facts import with_facts
from offside_data.tagging.readings import Readings, read_texts
from offside_data.tagging.suspects import flag_contradictions, with_reasons
from offside_data.tagging.table import TOPICS, Doubt, doubts_of, list_doubts
from offside_data.tagging.tiers import Tiers, known_sources, load_tiers
from offside_data.tagging.untagged import UNTAGGED, fit_taxonomy
from offside_data.tagging.values import parse_value
from offside_data.tagging.veracity import has_official_source, veracity_by_role, veracity_doubts
from offside_data.taxonomy import Attribute, Taxonomy

if TYPE_CHECKING:
    import polars as pl

READ = (
    *("record_id", "subject_id", "image_id", "modality", "split", "attribute", "scope", "veracity", "rumor_channel"),
    *("question", "answer", "value", "corrects", "sources", "suspect"),
)
"""Columns of records that tagging reads."""
_COUNTED = ("attribute", "value", "veracity", "corrects", "sources", "suspect")
_CHANGED = (*_COUNTED, "scope", "rumor_channel", "image_id")


@dataclass(frozen=True, slots=True)
class TagChange:
    """What changed about a record, and why.

    Args:
        record_id: The record.
        fields: By field, what it was and what it is, as plain values.
        why: The reasons.
    """

    record_id: str
    fields: dict[str, list[Any]]
    why: tuple[str, ...]

    @property
    def topics(self) -> list[str]:
        """What changed: `attribute`, `value`, `veracity`, `corrects`, `sources`, `suspect`."""
        return [name for name in _COUNTED if name in self.fields]

    def to_json(self) -> dict[str, Any]:
        """The change as a decision tells it."""
        return {"record_id": self.record_id, "changes": self.fields}


class Tagged(NamedTuple):
    """Records as tagging leaves them, what changed about them, and what is doubtful (`table.list_doubts`)."""

    claims: pl.DataFrame
    changes: list[TagChange]
    doubts: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class TagReport:
    """What `tag` did, or would do.

    Args:
        records: How many records the dataset holds.
        changes: What changed, record by record.
        doubt_table: What a person should look at, in columns named as the fields of a `Doubt`.
        applied: Whether the dataset was changed.
    """

    records: int
    changes: tuple[TagChange, ...]
    doubt_table: pl.DataFrame
    applied: bool

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """The rows of `doubt_table` as objects."""
        return tuple(doubts_of(self.doubt_table))

    def to_json(self) -> dict[str, Any]:
        """The report as plain values, without the doubts, of which there may be many."""
        changes = [change.to_json() for change in self.changes]
        return {"records": self.records, "applied": self.applied, "changes": changes}


@changes(when="apply")
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
    import polars as pl

    known = load_tiers(tiers)
    dataset = open_dataset(folder)
    taxonomy = dataset.taxonomy
    tagged = tag_claims(dataset.claims(READ), taxonomy, known)
    records = len(tagged.claims)
    changed = [change.record_id for change in tagged.changes]
    if changed and apply:
        fields = {name for change in tagged.changes for name in change.fields}
        with change_dataset(dataset) as change:
            change.update(tagged.claims.filter(pl.col("record_id").is_in(changed)).select("record_id", *fields))
            change.set_taxonomy(fit_taxonomy(change.taxonomy_text, tagged.claims["attribute"].unique().to_list()))
            change.set_table("subjects", with_facts(change.tables["subjects"], tagged.claims, taxonomy))
            change.decide(make_decision("tag", c.to_json(), "; ".join(c.why), command="tag") for c in tagged.changes)
            tagged = tagged._replace(claims=tagged.claims.clear())  # Everything is written now, and needs the memory.
    return TagReport(records=records, changes=tuple(tagged.changes), doubt_table=tagged.doubts, applied=apply)


def tag_claims(claims: pl.DataFrame, taxonomy: Taxonomy, tiers: Tiers) -> Tagged:
    """What tagging makes of all records of a dataset.

    * `untagged` records get the attribute that their words and value fit, if exactly one does.
    * Values that are null and readable in the answer are read.
    * Corrections that name no rumour get the only one about the same, if there is only one.
    * Sources get the tier that their domain or publisher has.
    * Doubts about attribute and veracity are written into `suspect`, and taken out once they are gone.

    Args:
        claims: The records, with the columns `READ`.
        taxonomy: Their taxonomy.
        tiers: Of their sources.
    """
    import polars as pl

    why: dict[str, list[str]] = defaultdict(list)
    texts = read_texts(claims, taxonomy)
    sources = known_sources(claims, tiers)
    tagged = _with_records_tagged(claims, texts, taxonomy, sources, why)
    tagged = _with_targets(tagged, why)
    is_other = pl.col("attribute").ne_missing(claims["attribute"])
    if tagged.select(is_other.any()).item():
        tagged = flag_contradictions(tagged, taxonomy)
    tagged = _with_doubts(tagged, _attribute_doubts(claims, texts), taxonomy)
    changes = list(_changes(claims, tagged, why))
    # What was read just now is stated in its answer.
    is_new = pl.col("value").is_not_null() & claims["value"].is_null()
    stated = tagged.with_columns(stated=texts.rows["stated"] | is_new)
    return Tagged(tagged, changes, list_doubts(stated, taxonomy, sources))


# ---------------------------------------------------------------------------------------------
# Record by record


def _with_records_tagged(
    claims: pl.DataFrame, texts: Readings, taxonomy: Taxonomy, sources: pl.DataFrame, why: Mapping[str, list[str]]
) -> pl.DataFrame:
    """The records with attributes, values and tiers that weren't known; only those that change become objects."""
    import polars as pl

    decided = [place for place, reading in enumerate(texts.kinds) if reading.attribute is not None]
    retagged = (pl.col("attribute") == UNTAGGED.name) & pl.col("reading").is_in(decided)
    valued = pl.col("value").is_null() & pl.col("stated")
    retiered = sources.filter((pl.col("tier") != "fictional") & (pl.col("known") != pl.col("tier")))
    known = {
        (url, publisher): tier for url, publisher, tier in retiered.select("url", "publisher", "known").iter_rows()
    }
    rows = claims.with_columns(texts.rows).with_row_index("row")
    touched = rows.filter(retagged | valued | pl.col("row").is_in(retiered["row"].unique().implode()))
    fields = ["record_id", "attribute", "scope", "value", "veracity", "rumor_channel", "image_id", "sources"]
    updates = []
    for batch in touched.iter_slices(ROWS_PER_BATCH):
        after = []
        for record, place in zip(records_of(batch, PictureStore()), batch["reading"], strict=True):
            reasons = why[record.record_id]
            now = record if place is None else _with_attribute(record, texts.kinds[place], taxonomy, reasons)
            now = _with_value(now, taxonomy, reasons)
            after.append(_with_tiers(now, known, reasons))
        updates.append(frame_of(after, "text", PictureStore(), fields))
    return _updated(claims, pl.concat(updates)) if updates else claims


def _with_attribute(record: Record, reading: Reading, taxonomy: Taxonomy, reasons: list[str]) -> Record:
    if record.attribute != UNTAGGED.name or reading.attribute is None:
        return record
    reasons.append(reading.why)
    return _retagged(record, taxonomy[reading.attribute])


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


def _with_value(record: Record, taxonomy: Taxonomy, reasons: list[str]) -> Record:
    if record.value is not None or record.attribute in (None, UNTAGGED.name):
        return record
    value = parse_value(record.answer, taxonomy[record.attribute or ""])
    if value is None:
        return record
    reasons.append(f"its answer states the value {value.text!r}")
    return dataclasses.replace(record, value=value)


def _with_tiers(record: Record, known: Mapping[tuple[str | None, str | None], Any], reasons: list[str]) -> Record:
    sources = []
    for source in record.sources:
        tier = known.get((source.url, source.publisher))
        if tier not in (None, source.tier) and source.tier != "fictional":
            reasons.append(f"{source.url or source.publisher} is {tier}, not {source.tier}")
            source = dataclasses.replace(source, tier=tier)
        sources.append(source)
    return dataclasses.replace(record, sources=tuple(sources))


# ---------------------------------------------------------------------------------------------
# What one record says of another


def _with_targets(claims: pl.DataFrame, why: Mapping[str, list[str]]) -> pl.DataFrame:
    """The records, corrections without a target pointing to the rumour that they replace, if there is only one."""
    import polars as pl

    col, about = pl.col, ["subject_id", "attribute", "modality"]
    role = (col("split") == "relearn") & (col("scope") == "private") & (col("veracity") == "correction")
    waiting = claims.filter(role & col("corrects").is_null()).select("record_id", *about)
    is_rumor = (col("veracity") == "rumor") & (col("attribute") != UNTAGGED.name)
    is_sure = col("suspect").is_null()
    fitting = claims.filter(is_rumor).select(*about, "suspect", corrects="record_id")
    sure = fitting.filter(is_sure | ~is_sure.any().over(about)).unique(about, keep="none")
    linked = waiting.join(sure, on=about, nulls_equal=True, maintain_order="left").select("record_id", "corrects")
    for name, target in linked.iter_rows():
        why[name].append(f"it corrects {target}, the only rumor about the same")
    return _updated(claims, linked)


def _attribute_doubts(claims: pl.DataFrame, texts: Readings) -> pl.DataFrame:
    """What is doubtful about the attributes that records had: columns `record_id` and `reason`."""
    import polars as pl

    read = pl.DataFrame(
        {
            "reading": range(len(texts.kinds)),
            "found": [reading.attribute for reading in texts.kinds],
            "why": [reading.why for reading in texts.kinds],
        },
        schema={"reading": pl.UInt32, "found": pl.String, "why": pl.String},
    )
    rows = claims.select("record_id", "attribute", texts.rows["reading"])
    is_waiting = pl.col("attribute") == UNTAGGED.name
    undecided = is_waiting & pl.col("found").is_null()
    contrary = ~is_waiting & (pl.col("found") != pl.col("attribute"))
    why = pl.when(is_waiting).then("why").otherwise(formatted("{}, not those of {}", "why", "attribute"))
    doubtful = rows.join(read, on="reading", maintain_order="left").filter(undecided | contrary)
    return doubtful.select("record_id", formatted("attribute: {}", why).alias("reason"))


def _with_doubts(claims: pl.DataFrame, attribute_doubts: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """The records with exactly the doubts about attribute and veracity in `suspect` that there are."""
    import polars as pl

    veracities = veracity_doubts(claims.with_columns(has_official_source()), taxonomy)
    told = veracities.select("record_id", formatted("veracity: {}", "why").alias("reason"))
    doubts = pl.concat([attribute_doubts, told]).group_by("record_id", maintain_order=True).agg("reason")
    flagged = claims.select("record_id", "suspect").join(doubts, on="record_id", how="left")
    flagged = flagged.filter(pl.col("suspect").is_not_null() | pl.col("reason").is_not_null())
    now = [
        with_reasons(suspect, TOPICS, reasons or ())
        for suspect, reasons in flagged.select("suspect", "reason").iter_rows()
    ]
    return _updated(claims, flagged.select("record_id", pl.Series("suspect", now, pl.String)))


def _updated(claims: pl.DataFrame, update: pl.DataFrame) -> pl.DataFrame:
    """The records with the columns of an update, nulls included, where it has their id."""
    if len(update) == 0:
        return claims
    columns = claims.select(update.columns).update(update, on="record_id", how="left", include_nulls=True)
    return claims.with_columns(columns.drop("record_id"))


def _changes(before: pl.DataFrame, after: pl.DataFrame, why: Mapping[str, list[str]]) -> Iterator[TagChange]:
    """What is another, record by record."""
    import polars as pl

    is_other = {name: before[name].ne_missing(after[name]) for name in _CHANGED}
    changed = pl.DataFrame(is_other).select(pl.any_horizontal(pl.all())).to_series().arg_true()
    names = before["record_id"][changed]
    differ = [values[changed] for values in is_other.values()]
    pairs = [zip(before[name][changed], after[name][changed], strict=True) for name in _CHANGED]
    for record_id, others, values in zip(names, zip(*differ, strict=True), zip(*pairs, strict=True), strict=True):
        fields = {
            name: [_plain(name, value) for value in pair]
            for name, other, pair in zip(_CHANGED, others, values, strict=True)
            if other
        }
        reasons = why.get(record_id, [])
        if "suspect" in fields:
            reasons = [*reasons, fields["suspect"][1] or "no doubt left"]
        yield TagChange(record_id, fields, tuple(reasons))


def _plain(field: str, value: Any) -> Any:
    """A field as a decision tells it."""
    if field == "value":
        return None if value is None else value["text"]
    if field == "sources":
        return [{"source": source["url"] or source["publisher"], "tier": source["tier"]} for source in value]
    return value
