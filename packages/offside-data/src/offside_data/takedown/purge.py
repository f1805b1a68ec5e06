"""Take a subject out of a dataset: what is its own goes, what others hold of it is cleaned."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.rows import records_of, rows_of
from offside_data.dataset.storage import TABLES, Row
from offside_data.dataset.transaction import Transaction
from offside_data.errors import DatasetError
from offside_data.release.stripping import strip_pictures
from offside_data.schema import ClaimValue, Record
from offside_data.tagging.values import same_value, states_any
from offside_data.takedown.names import Traces
from offside_data.takedown.readers.picture import metadata_texts
from offside_data.takedown.subject_data import SubjectData, others_names
from offside_data.takedown.tombstones import KIND
from offside_data.taxonomy import Attribute, Taxonomy

if TYPE_CHECKING:
    import polars as pl

_ABOUT = "about a subject who was taken down"
_IDS = ("image_id", "subject_id", "derived_from", "twin_of")
_ALTERNATIVES = ("perturbed_answers", "choices")
_CLEANED = (
    *(*_ALTERNATIVES, "correct_choice", "question_paraphrases", "answer_paraphrases"),
    *("source_record", "image", "sources", "annotations", "suspect"),
)
"""Fields of others' records that may hold a trace; one that stands in another field takes the record along."""


@dataclass
class Purged:
    """What was taken out of a dataset, and what was cleaned.

    Args:
        subjects: Subjects removed, 0 or 1.
        records: Records removed.
        pictures: Rows of the images table removed.
        distractors: The records that lost wrong answers, without them.
        captioned: Ids of the pictures whose pixels seem to show the name: it stood in their `text_found`.
        cleaned: How many texts were redacted, by place.
    """

    subjects: int = 0
    records: int = 0
    pictures: int = 0
    distractors: list[Record] = field(default_factory=list)
    captioned: set[str] = field(default_factory=set)
    cleaned: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """How much of what was removed."""
        return {"subjects": self.subjects, "records": self.records, "pictures": self.pictures}


def purge(change: Transaction, subject: SubjectData, traces: Traces) -> Purged:
    """Take a subject out of a dataset.

    Wrong answers of others that give it away go; `questions.forms.regenerate` makes new ones.

    Args:
        change: The dataset.
        subject: What is to go.
        traces: Those of the subject.

    Raises:
        DatasetError: If no record would be left.
    """
    import polars as pl

    base = change.base
    assert base is not None
    claims = base.claims(["record_id", "attribute", "value"])
    is_gone = pl.col("record_id").is_in(subject.records)
    gone, kept = claims.filter(is_gone), claims.filter(~is_gone)
    if len(kept) == 0:
        raise DatasetError("no record would be left without this subject: delete the dataset as a whole.")
    left = {
        "subjects": change.tables["subjects"].filter(pl.col("subject_id").ne_missing(subject.subject_id)),
        "images": change.tables["images"].filter(~pl.col("image_id").is_in(subject.pictures)),
    }
    purged = Purged(
        subjects=len(change.tables["subjects"]) - len(left["subjects"]),
        records=len(gone),
        pictures=len(change.tables["images"]) - len(left["images"]),
    )
    cleaner = _Cleaner(traces.sparing(others_names(change.tables["subjects"], subject.subject_id)), purged)
    giveaway = _Giveaway(gone, kept, change.taxonomy, cleaner.traces)
    del claims, gone, kept
    change.remove_records(subject.records)
    for records in _with_traces(base, subject, cleaner.traces, giveaway):
        cleaned = [cleaner.record(record, giveaway) for record in records]
        change.update_records(cleaned, _CLEANED)
    for name, place in zip(TABLES, ("subjects", "pictures"), strict=True):
        change.set_table(name, [cleaner.row(row, place) for row in rows_of(left[name], change.store)])
    change.decisions = [cleaner.decision(decision) for decision in change.decisions]
    card = change.card
    card.data = {key: cleaner.clean(value, "card") for key, value in card.data.items()}
    card.body = cleaner.clean(card.body, "card")
    change.changelog = cleaner.clean(change.changelog, "changelog")
    change.set_taxonomy(cleaner.clean(change.taxonomy_text, "taxonomy"))
    purged.cleaned["picture metadata"] += strip_pictures(change, cleaner.named_in_metadata)
    # What was stripped lies under the file name that it had.
    change.updates = [cleaner.paths(frame) if "image" in frame.columns else frame for frame in change.updates]
    return purged


def _with_traces(
    base: OffsideDataset, subject: SubjectData, traces: Traces, giveaway: _Giveaway
) -> Iterator[list[Record]]:
    """The records of others in which a trace stands, batch by batch; a text is looked at once in each batch."""
    import polars as pl

    for part in base.record_parts():
        for batch in base.batches(part):
            rows = batch.filter(~pl.col("record_id").is_in(subject.records)).with_row_index("row")
            found = [_holding(rows.select("row", text), traces.names_in) for text in _texts_of(rows)]
            for name in _ALTERNATIVES:
                offered = rows.select("row", "attribute", name).explode(name).drop_nulls(name)
                pairs = offered.select(name, "attribute").unique()
                gives = [giveaway.stands_in(text, attribute) for text, attribute in pairs.iter_rows()]
                given = pairs.filter(pl.Series(gives, dtype=pl.Boolean))
                found.append(offered.join(given, on=[name, "attribute"], nulls_equal=True, how="semi")["row"])
            touched = rows[pl.concat(found).unique().sort()].drop("row")
            if len(touched):
                yield records_of(touched, base.pictures)


def _texts_of(rows: pl.DataFrame) -> Iterator[pl.Expr]:
    """Every text and every list of texts, those in structs, too, in the fields that are cleaned."""
    import polars as pl

    for name in _CLEANED:
        kind, column = rows.schema[name], pl.col(name)
        if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct):
            for inner in kind.inner.fields:
                yield column.list.eval(pl.element().struct.field(inner.name)).alias("text")
        elif isinstance(kind, pl.Struct):
            yield from (column.struct.field(f.name).alias("text") for f in kind.fields if f.dtype == pl.String)
        elif kind in (pl.String, pl.List(pl.String)) and name not in _ALTERNATIVES:
            yield column.alias("text")


def _holding(texts: pl.DataFrame, is_wanted: Callable[[str], bool]) -> pl.Series:
    """The `row`s whose `text`, or one of whose texts, is wanted."""
    import polars as pl

    each = texts.explode("text") if isinstance(texts.schema["text"], pl.List) else texts
    wanted = [text for text in each["text"].drop_nulls().unique() if is_wanted(text)]
    return each.filter(pl.col("text").is_in(wanted))["row"]


class _Cleaner:
    """Takes a subject's traces out of what stays, and counts where.

    Args:
        traces: The traces.
        purged: Where it is counted.
    """

    def __init__(self, traces: Traces, purged: Purged) -> None:
        self.traces = traces
        self._purged = purged

    def clean(self, value: Any, place: str) -> Any:
        """A plain value, in whose strings the name is blotted out."""
        clean = self.traces.redact_all(value)
        self._purged.cleaned[place] += clean != value
        return clean

    def row(self, row: Row, place: str) -> Row:
        """A row of a table. A value that is readable in a picture and names the subject isn't listed any more."""
        if row.get("text_found") and self.traces.names_in(row["text_found"]):
            self._purged.captioned.add(row["image_id"])
        if row.get("shown"):
            row = {**row, "shown": [item for item in row["shown"] if not self.traces.names_in(item["text"])]}
        ids = {key: row[key] for key in _IDS if key in row}
        return {**row, **self.clean({key: value for key, value in row.items() if key not in ids}, place)}

    def named_in_metadata(self, data: bytes) -> bool:
        """Whether a picture's metadata names the subject."""
        return any(map(self.traces.names_in, metadata_texts(data)))

    def decision(self, decision: Row) -> Row:
        """A decision. One about the subject keeps no more than by whom and when it was taken."""
        if decision.get("kind") == KIND:
            clean = {**decision, "why": self.traces.redact(decision["why"])}
        elif self._is_about(decision):
            told: Row = {
                key: self.traces.redact(str(decision[key])) for key in ("id", "who", "when") if key in decision
            }
            clean = told | {"kind": "redacted", "what": {}, "why": _ABOUT}
        else:
            clean = self._without_items(decision)
        self._purged.cleaned["decisions"] += clean != decision
        return clean

    def _is_about(self, value: Any) -> bool:
        """Whether the subject stands in a decision; items of lists aren't looked at."""
        if isinstance(value, str):
            return self.traces.has_id(value) or self.traces.names_in(value)
        return isinstance(value, dict) and any(map(self._is_about, value.values()))

    def _without_items(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._without_items(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._without_items(item) for item in value if not self._is_about(item)]
        return value

    def paths(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame whose pictures lie under file names without the name."""
        import polars as pl

        path = pl.col("image").struct.field("path")
        told = frame.select(path.drop_nulls().unique()).to_series().to_list()
        clean = path.replace_strict(told, [self.traces.redact(text) for text in told], return_dtype=pl.String)
        shown = pl.when(pl.col("image").is_not_null()).then(pl.col("image").struct.with_fields(clean.alias("path")))
        return frame.with_columns(shown.alias("image")) if told else frame

    def record(self, record: Record, giveaway: _Giveaway) -> Record:
        """A record of somebody else: what it says stays, what is around it is cleaned."""
        about = record.attribute
        wrong = tuple(text for text in record.perturbed_answers if not giveaway.stands_in(text, about))
        choices, correct = _without(record, [giveaway.stands_in(text, about) for text in record.choices])
        changes: dict[str, Any] = {"perturbed_answers": wrong, "choices": choices, "correct_choice": correct}
        for name in ("question_paraphrases", "answer_paraphrases"):
            texts = getattr(record, name)
            changes[name] = tuple(text for text in texts if not self.traces.names_in(text))
            self._purged.cleaned["paraphrases"] += len(texts) - len(changes[name])
        for name in ("source_record", "image"):
            changes[name] = self._struct(getattr(record, name), name.replace("_", " "))
        changes["sources"] = tuple(self._struct(source, "sources") for source in record.sources)
        changes["annotations"] = tuple(self._struct(said, "annotations") for said in record.annotations)
        changes["suspect"] = self.clean(record.suspect, "remarks")
        cleaned = dataclasses.replace(record, **changes)
        if (wrong, choices) != (record.perturbed_answers, record.choices):
            self._purged.distractors.append(cleaned)
        return cleaned

    def _struct(self, value: Any, place: str) -> Any:
        if value is None:
            return None
        texts = {f.name: self.clean(getattr(value, f.name), place) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **texts)


def _without(record: Record, giveaways: list[bool]) -> tuple[tuple[str, ...], int | None]:
    """The choices that don't give anything away, and the place of the right one among them."""
    if not any(giveaways):
        return record.choices, record.correct_choice
    places = [place for place, gives in enumerate(giveaways) if not gives]
    if len(places) < 2 or record.correct_choice not in places:
        return (), None
    return tuple(record.choices[place] for place in places), places.index(record.correct_choice)


class _Giveaway:
    """Tells which wrong answers of others give the subject away: by its name, or by a value that only it had.

    Args:
        gone: The records that go, with the columns `attribute` and `value`.
        kept: Those that stay.
        taxonomy: Of both.
        traces: The subject's.
    """

    def __init__(self, gone: pl.DataFrame, kept: pl.DataFrame, taxonomy: Taxonomy, traces: Traces) -> None:
        self._traces = traces
        self._unique: dict[str, tuple[Attribute, list[ClaimValue]]] = {}
        for name in gone["attribute"].drop_nulls().unique():
            # What everybody may choose from says nothing of one who chose it.
            if name in taxonomy and not taxonomy[name].options:
                attribute, held = taxonomy[name], _values(kept, name)
                unique = [v for v in _values(gone, name) if not any(same_value(v, other, attribute) for other in held)]
                self._unique[name] = attribute, unique
        self.stands_in = functools.cache(self._stands_in)  # The same few wrong answers stand in many records.

    def _stands_in(self, text: str, about: str | None) -> bool:
        if self._traces.names_in(text):
            return True
        if about not in self._unique:
            return False
        attribute, values = self._unique[about]
        return states_any(text, values, attribute)


def _values(claims: pl.DataFrame, attribute: str) -> list[ClaimValue]:
    """The distinct values of an attribute."""
    import polars as pl

    values = claims.filter(pl.col("attribute") == attribute)["value"].drop_nulls().unique()
    return [ClaimValue(**value) for value in values]
