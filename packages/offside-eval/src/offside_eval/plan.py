"""What a setting asks of a model: which records, in which slices, on which twins of their pictures.

A record that several slices list is asked once and stands in the results once a slice. Where a
rumour is readable in a forget picture, its private records are asked on the picture's twins too:
`blank` (the text removed: is the old value remembered?) and `swapped` (another value in its place:
is the new one read?).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from offside_data.dataset.folder import OffsideDataset, Request
from offside_data.errors import DatasetError
from offside_data.questions.phrasings import BLANK
from offside_data.schema import CONFIGS, VISUAL_CHANNELS, ClaimValue
from offside_data.seeding import draw_records
from offside_data.tagging.asked import writes_day_first
from offside_data.tagging.values import how_stated, parse_value, same_value
from offside_data.taxonomy import Attribute, Taxonomy
from offside_eval.config import DEFAULT_SUITE, Suite

if TYPE_CHECKING:
    import datasets

REST_OF_FORGET = "keep:rest of forget"
"""Slice of the forget records that a narrowed request left out: they must survive."""
_NAME = "name"
"""The attribute of which the values are names of the subject."""
_Corrections = Mapping[tuple[str, str], ClaimValue]
"""Values by subject and attribute."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """One record as it is asked, on its own picture or on a twin of it.

    Args:
        row: The record's fields, `image` undecoded (`{"bytes", "path"}` or null).
        variant: `plain`, `blank` or `swapped`.
        answer: Gold answer; on `swapped` with the value now shown.
        value: Gold value likewise, null if it can't be parsed.
        old_value: On `swapped` the value of the rumour, null elsewhere.
        correction: On a private forget record the value that corrects it, null where there is none.
        attribute: How values are read and compared.
        names: What the subject is called: its name in the table of subjects, and other spellings among its facts there.
        day_first: Whether the dataset's own answers write the day before the month; null if they don't show it.
        choices: Answers to weigh against each other, whole sentences where the record has a cloze.
        correct_choice: Index of the right one.
    """

    row: Mapping[str, Any]
    variant: str = "plain"
    answer: str
    value: ClaimValue | None
    old_value: ClaimValue | None = None
    correction: ClaimValue | None = None
    attribute: Attribute
    names: tuple[str, ...] = ()
    day_first: bool | None = None
    choices: tuple[str, ...] = ()
    correct_choice: int | None = None

    @property
    def key(self) -> str:
        """Names the question within an evaluation."""
        return f"{self.row['record_id']}/{self.variant}"


@dataclass(frozen=True)
class Plan:
    """Everything that one evaluation asks.

    Args:
        request: The request to forget that is evaluated.
        questions: Each once, by key.
        places: Slice and key of every row of the results, in order.
    """

    request: Request
    questions: dict[str, Question]
    places: list[tuple[str, str]]


def make_plan(
    data: OffsideDataset,
    setting: str,
    *,
    suite: Suite = DEFAULT_SUITE,
    only: Sequence[str] = (),
    limit: int | None = None,
    limit_kept: int | None = None,
    seed: int = 0,
) -> Plan:
    """List what `setting` asks of a dataset.

    Args:
        data: The dataset.
        setting: One that its card offers.
        suite: `utility` asks only what has nothing to do with the subjects.
        only: Narrows the request, as in `offside-unlearn run`.
        limit: At most so many records a slice, chosen by seed.
        limit_kept: At most so many of a slice of what stays, beside `limit`; see `EvaluationConfig`.
        seed: Of that choice.

    Raises:
        UsageError: If the card doesn't offer the setting, or `only` fits no record.
        DatasetError: If there is nothing to ask.
    """
    request = data.request(setting, only)
    twins = _Twins(data)
    corrections = _corrections(data)
    names, day_first = _names(data), _writes_day_first(data)
    questions: dict[str, Question] = {}
    places: list[tuple[str, str]] = []
    pictures: dict[str, Any] = {}
    for name, rows in _slices(data, request, narrowed=bool(only)):
        if suite == "utility" and not name.endswith("/utility"):
            continue
        most = min((n for n in (limit, limit_kept if _stays(rows) else None) if n is not None), default=None)
        for row in _limited(rows, most, seed):
            if row["image"] is not None:  # One copy of the bytes, however many records show the picture.
                row["image"] = pictures.setdefault(row["image_id"], row["image"])
            plain = dataclasses.replace(
                _question(row, data.taxonomy, corrections),
                names=names.get(row["subject_id"], ()),
                day_first=day_first,
            )
            for question in (plain, *twins.of(plain)):
                questions.setdefault(question.key, question)
                places.append((name, question.key))
    if not places:
        raise DatasetError(
            f"{data.path}: setting {setting!r} with suite {suite!r} has no records to ask about. "
            f"The dataset holds {', '.join(data.record_parts())}."
        )
    return Plan(request, questions, list(dict.fromkeys(places)))


def ask_besides(data: OffsideDataset, rows: Iterable[Mapping[str, Any]]) -> list[Question]:
    """Records that no setting asks about, as questions: what attacks need besides a plan's own.

    Args:
        data: The dataset.
        rows: Records of it, pictures undecoded.
    """
    names, day_first, corrections = _names(data), _writes_day_first(data), _corrections(data)
    return [
        dataclasses.replace(
            _question(row, data.taxonomy, corrections), names=names.get(row["subject_id"], ()), day_first=day_first
        )
        for row in rows
    ]


def _slices(data: OffsideDataset, request: Request, *, narrowed: bool) -> Iterator[tuple[str, datasets.Dataset]]:
    """The slices by name, in the order of the results."""
    yield "forget", request.forget
    if request.rest is not None:
        yield REST_OF_FORGET, request.rest
    for name, rows in request.keep.items():
        yield f"keep:{name}", rows
    wanted = {_claim(row) for row in _without_pictures(request.forget)} if narrowed else None
    for part in request.setting.measure:
        if not data.has(part.config, part.split):
            continue
        rows = data.slice(part)
        name = f"measure:{part.name}"
        if wanted is None or part.split != "forget":
            yield name, rows
            continue
        # The other form of what a narrowed request left out isn't to be forgotten either.
        inside = [_claim(row) in wanted for row in _without_pictures(rows)]
        yield name, rows.select([i for i, is_inside in enumerate(inside) if is_inside])
        yield REST_OF_FORGET, rows.select([i for i, is_inside in enumerate(inside) if not is_inside])


def _without_pictures(rows: datasets.Dataset) -> Iterable[Mapping[str, Any]]:
    found: Iterable[Mapping[str, Any]] = rows.select_columns(["subject_id", "attribute", "scope", "image_id"])
    return found


def _claim(row: Mapping[str, Any]) -> tuple[str | None, ...]:
    """What a record is about, the same for its picture and its text form."""
    occasion = row["image_id"] if row["scope"] == "private" else None
    return row["subject_id"], row["attribute"], occasion


def _stays(rows: datasets.Dataset) -> bool:
    """Whether a slice is of a split that no request is about."""
    return len(rows) > 0 and rows.select_columns(["split"])[0]["split"] not in ("forget", "relearn")


def _limited(rows: datasets.Dataset, limit: int | None, seed: int) -> datasets.Dataset:
    if limit is None or limit >= len(rows):
        return rows
    return rows.select(draw_records(rows["record_id"], limit, seed=seed))


def _names(data: OffsideDataset) -> dict[str, tuple[str, ...]]:
    """What each subject is called: by the table of subjects, whose facts may hold further spellings."""
    return {
        row["subject_id"]: tuple(
            dict.fromkeys([row["name"], *(fact["text"] for fact in row["facts"] or () if fact["attribute"] == _NAME)])
        )
        for row in data.subjects().select_columns(["subject_id", "name", "facts"])
        if row["name"]
    }


def _writes_day_first(data: OffsideDataset) -> bool | None:
    """How the dataset's own answers write days."""
    import polars as pl

    days = [
        data.frame(part, ["value"])
        .select(text=pl.col("value").struct.field("text"), date=pl.col("value").struct.field("date"))
        .drop_nulls()
        .unique()
        for part in data.record_parts()
    ]
    return writes_day_first(day for frame in days for day in frame.iter_rows())


def _corrections(data: OffsideDataset) -> _Corrections:
    """The value that corrects a claim: that of the private `relearn` records of its subject and attribute.

    Nothing where there is none, it can't be parsed, or several differ.
    """
    found: dict[tuple[str, str], list[ClaimValue]] = {}
    for config in CONFIGS:
        if not data.has(config, "relearn"):
            continue
        columns = ["subject_id", "attribute", "scope", "value"]
        for row in data.records(config, "relearn").select_columns(columns):
            if row["scope"] == "private" and (value := _value(row)) is not None:
                found.setdefault((row["subject_id"], row["attribute"]), []).append(value)
    return {
        (subject, name): values[0]
        for (subject, name), values in found.items()
        if all(same_value(value, values[0], data.taxonomy[name]) for value in values)
    }


def _value(row: Mapping[str, Any]) -> ClaimValue | None:
    return ClaimValue(**row["value"]) if row["value"] and row["value"]["kind"] else None


def _question(row: Mapping[str, Any], taxonomy: Taxonomy, corrections: _Corrections) -> Question:
    value = _value(row)
    rumor = row["split"] == "forget" and row["scope"] == "private"
    choices = tuple(row["choices"] or ())
    name = row["attribute"]
    attribute = taxonomy[name] if name is not None else _neutral(row, value, choices)
    return Question(
        row=row,
        answer=row["answer"] or "",
        value=value,
        correction=corrections.get((row["subject_id"], row["attribute"])) if rumor else None,
        attribute=attribute,
        choices=_as_answers(choices, row["cloze"]),
        correct_choice=row["correct_choice"],
    )


def _neutral(row: Mapping[str, Any], value: ClaimValue | None, choices: tuple[str, ...]) -> Attribute:
    """How the answer to a general question is read: by the kind of its value, its choices and its own words.

    No taxonomy words it, so the question and the gold answer say which words are accounted for. A caption may speak of
    what will be, as rumours do: where the gold answer can't be read as a fact, answers are read as claims.
    """
    kind = value.kind if value else "name"
    options = tuple((choice,) for choice in choices) if kind == "choice" else ()
    before, found, after = (row["answer"] or "").partition(value.text) if value else ("", "", "")
    answers = (f"{before}{{value}}{after}",) if found else ()
    fact = Attribute(
        name="answer", scope="shared", kind=kind, options=options, questions=(row["question"],), answers=answers
    )
    is_fact = not found or value is None or how_stated(row["answer"], value, fact) == "stated"
    return fact if is_fact else dataclasses.replace(fact, scope="private")


def _as_answers(choices: tuple[str, ...], cloze: str | None) -> tuple[str, ...]:
    """Choices as the answers they would be: in the record's own sentence, where it has one."""
    if cloze is None or BLANK not in cloze:
        return choices
    return tuple(cloze.replace(BLANK, choice) for choice in choices)


class _Twins:
    """The twins of the pictures in which a rumour is readable."""

    def __init__(self, data: OffsideDataset) -> None:
        self._twins: dict[str, list[dict[str, Any]]] = {}
        try:
            self._images = data.images()
        except DatasetError:  # No table of pictures: no twins either.
            return
        facts = self._images.select_columns(["image_id", "twin_of", "twin", "shown"])
        for index, twin in enumerate(facts):
            if twin["twin_of"]:
                self._twins.setdefault(twin["twin_of"], []).append({**twin, "index": index})

    def of(self, plain: Question) -> Iterator[Question]:
        """The same question on the twins of its picture; nothing where the value can't be read in it."""
        row = plain.row
        if (
            row["modality"] != "multimodal"
            or row["split"] != "forget"
            or row["scope"] != "private"
            or row["rumor_channel"] not in VISUAL_CHANNELS
        ):
            return
        for twin in sorted(self._twins.get(row["image_id"], ()), key=lambda t: t["twin"]):
            there = {**row, "image": self._images[twin["index"]]["image"]}
            if twin["twin"] == "blank":
                yield dataclasses.replace(plain, row=there, variant="blank")
            elif twin["twin"] == "swapped":
                shown = next((s["text"] for s in twin["shown"] if s["attribute"] == row["attribute"]), None)
                if shown is not None:
                    yield _swapped(plain, there, shown)


def _swapped(plain: Question, row: Mapping[str, Any], shown: str) -> Question:
    """The question on a picture that now shows another value."""
    attribute, old = plain.attribute, plain.value
    if old is not None and old.text in plain.answer:
        answer = plain.answer.replace(old.text, shown)
    else:
        answer = (attribute.rumor_answers or attribute.answers)[0].format(value=shown)
    value = parse_value(answer, attribute) or parse_value(shown, attribute)
    right = [
        i
        for i, choice in enumerate(row["choices"])
        if value and (read := parse_value(choice, attribute)) and same_value(read, value, attribute)
    ]
    return dataclasses.replace(
        plain,
        row=row,
        variant="swapped",
        answer=answer,
        value=value,
        old_value=old,
        choices=plain.choices if right else (),
        correct_choice=right[0] if right else None,
    )
