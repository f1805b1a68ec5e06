"""Take a subject out of a dataset in memory: what is its own goes, what others hold of it is cleaned."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from offside_data.dataset.card import BLOCK
from offside_data.dataset.contents import Contents
from offside_data.dataset.storage import Row
from offside_data.errors import DatasetError
from offside_data.release.stripping import strip_pictures
from offside_data.schema import ClaimValue, Record
from offside_data.tagging.values import answer_states, same_value
from offside_data.takedown.belongings import Belongings, others_names
from offside_data.takedown.proof import metadata_texts
from offside_data.takedown.tombstones import KIND
from offside_data.takedown.traces import Traces
from offside_data.taxonomy import Attribute, Taxonomy

_ABOUT = "about a subject who was taken down"
_IDS = ("image_id", "subject_id", "derived_from", "twin_of")


@dataclass
class Purged:
    """What was taken out of a dataset, and what was cleaned.

    Args:
        subjects: Subjects removed, 0 or 1.
        records: Records removed.
        pictures: Rows of the images table removed.
        distractors: Ids of the records that lost wrong answers.
        captioned: Ids of the pictures whose pixels seem to show the name: it stood in their `text_found`.
        cleaned: How many texts were redacted, by place.
    """

    subjects: int = 0
    records: int = 0
    pictures: int = 0
    distractors: set[str] = field(default_factory=set)
    captioned: set[str] = field(default_factory=set)
    cleaned: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """How much of what was removed."""
        return {"subjects": self.subjects, "records": self.records, "pictures": self.pictures}


def purge(contents: Contents, belongings: Belongings, traces: Traces) -> Purged:
    """Take a subject out of `contents`, in place.

    Wrong answers of others that give it away go; `questions.forms.regenerate` makes new ones.

    Raises:
        DatasetError: If no record would be left.
    """
    gone = [record for record in contents.records if belongings.owns(record)]
    kept = [record for record in contents.records if not belongings.owns(record)]
    if not kept:
        raise DatasetError("no record would be left without this subject: delete the dataset as a whole.")
    subjects = [row for row in contents.subjects if row["subject_id"] != belongings.subject_id]
    images = [row for row in contents.images if row["image_id"] not in belongings.pictures]
    purged = Purged(
        subjects=len(contents.subjects) - len(subjects),
        records=len(gone),
        pictures=len(contents.images) - len(images),
    )
    cleaner = _Cleaner(traces.sparing(others_names(contents, belongings.subject_id)), purged)
    taxonomy = contents.taxonomy
    giveaway = _Giveaway(gone, kept, taxonomy, cleaner.traces)
    contents.records = [cleaner.record(record, giveaway, taxonomy) for record in kept]
    contents.subjects = [cleaner.row(row, "subjects") for row in subjects]
    contents.images = [cleaner.row(row, "pictures") for row in images]
    contents.decisions = [cleaner.decision(decision) for decision in contents.decisions]
    card = contents.card
    card.data = {key: value if key == BLOCK else cleaner.clean(value, "card") for key, value in card.data.items()}
    card.body = cleaner.clean(card.body, "card")
    contents.changelog = cleaner.clean(contents.changelog, "changelog")
    contents.taxonomy_text = cleaner.clean(contents.taxonomy_text, "taxonomy")
    purged.cleaned["picture metadata"] += strip_pictures(contents, cleaner.named_in_metadata)
    return purged


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

    def record(self, record: Record, giveaway: _Giveaway, taxonomy: Taxonomy) -> Record:
        """A record of somebody else: what it says stays, what is around it is cleaned."""
        known = record.attribute is not None and record.attribute in taxonomy
        attribute = taxonomy[str(record.attribute)] if known else None
        wrong = tuple(text for text in record.perturbed_answers if not giveaway.stands_in(text, attribute))
        choices, correct = _without(record, [giveaway.stands_in(text, attribute) for text in record.choices])
        if (wrong, choices) != (record.perturbed_answers, record.choices):
            self._purged.distractors.add(record.record_id)
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
        return dataclasses.replace(record, **changes)

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
        gone: The records that go.
        kept: Those that stay.
        taxonomy: Of both.
        traces: The subject's.
    """

    def __init__(self, gone: Iterable[Record], kept: Iterable[Record], taxonomy: Taxonomy, traces: Traces) -> None:
        self._traces = traces
        self._unique: dict[Attribute, list[ClaimValue]] = {}
        had, held = _values(gone), _values(kept)
        for name, values in had.items():
            # What everybody may choose from says nothing of one who chose it.
            if name in taxonomy and not taxonomy[name].options:
                attribute = taxonomy[name]
                unique = [v for v in values if not any(same_value(v, other, attribute) for other in held[name])]
                self._unique[attribute] = unique
        self.stands_in = functools.cache(self._stands_in)  # The same few wrong answers stand in many records.

    def _stands_in(self, text: str, attribute: Attribute | None) -> bool:
        if self._traces.names_in(text):
            return True
        if attribute is None:
            return False
        return any(answer_states(text, value, attribute) for value in self._unique.get(attribute, ()))


def _values(records: Iterable[Record]) -> defaultdict[str, set[ClaimValue]]:
    found: defaultdict[str, set[ClaimValue]] = defaultdict(set)
    for record in records:
        if record.attribute is not None and record.value is not None:
            found[record.attribute].add(record.value)
    return found
