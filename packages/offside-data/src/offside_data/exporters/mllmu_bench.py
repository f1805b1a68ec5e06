"""MLLMU-Bench: Parquet tables of persons, one a row, with generation, multiple-choice and cloze questions.

```
forget_25/, retain_75/      the two splits; the numbers are the percentage of rows that each has
Full_Set/                   both, with a Directory
Test_Set/                   the test split, with a list of images
Retain_Set/                 the utility split
ft_Data/                    retain and forget as a picture and a JSON text of questions and answers
baseline_train_split/       the same by split, with ID, as the published repository of that name has it
README.md                   lists the configs, so that `load_dataset(FOLDER, "forget_25")` works
```

Each folder holds `train-00000-of-00001.parquet`. What its readers expect: the published card (columns, nested structs
and their key order), `eval.py` (`--forget_ratio N` opens `forget_N` and `retain_(100-N)`; four options A to D; `__` is
the blank; `Test_Set` is asked about the IDs of `forget_N` only) and `data_preprocess.py` (`metadata` is JSON of
`Question` and `Answer`).

A person there is one portrait, and is to be forgotten or to be kept. So each picture is a row of its own: `ID` is the
subject where it has one picture, else the picture; a test picture made from another has that one's `ID`. Text
questions stand beside the picture that they are about, else beside the subject's first picture. `biography` is JSON of
the subject's facts; `question` and `answer`, which ask for a biography in prose there, repeat the picture's first
record, since readers expect something.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from offside_data.dataset.storage import Row, write_file
from offside_data.exporters._base import Exported, Loss, Selection
from offside_data.exporters._pictures import picture_suffix
from offside_data.schema import Record, RecordImage

if TYPE_CHECKING:
    import datasets

HOLDS = ("modality", "split", "question", "answer", "choices", "correct_choice", "cloze", "image")

LETTERS = "ABCD"
BLANK = "__"
_OUR_BLANK = re.compile(r"_{2,}")
_SPLITS = ("retain", "forget", "test", "utility")
_FILE = "train-00000-of-00001.parquet"


@dataclass(kw_only=True)
class Person:
    """A row of the benchmark: a picture, and all that is asked beside it."""

    id: str = ""
    image_id: str
    image: RecordImage
    subject_id: str | None
    derived_from: str | None
    records: list[Record] = field(default_factory=list)

    @property
    def shown(self) -> list[Record]:
        """The records that ask about the picture."""
        return [record for record in self.records if record.modality == "multimodal"]


def write(selection: Selection, folder: Path) -> Exported:
    """Write one Parquet file a config, and the README's front matter.

    Raises:
        PictureError: If a picture's bytes are no picture.
    """
    exported = Exported()
    persons = _persons(selection.records, exported.losses)
    subjects = {row["subject_id"]: row for row in selection.subjects}
    retain, forget = persons["retain"], persons["forget"]
    share = round(100 * len(forget) / max(1, len(forget) + len(retain)))
    percent = min(99, max(1, share))
    configs = {
        "Full_Set": retain + forget,
        "Retain_Set": persons["utility"],
        "Test_Set": persons["test"],
        f"forget_{percent}": forget,
        f"retain_{100 - percent}": retain,
    }
    trained = {
        "ft_Data": retain + forget,
        f"baseline_train_split/forget_{percent}": forget,
        f"baseline_train_split/retain_{100 - percent}": retain,
    }
    for config, members in configs.items():
        if members:
            rows = [_row(config, person, subjects) for person in members]
            write_file(folder / config / _FILE, rows, _features(config))
            exported.files[f"{config}/{_FILE}"] = [r.record_id for person in members for r in person.records]
    for config, members in trained.items():
        if members:
            write_file(folder / config / _FILE, map(_training_row, members), _training_features(config))
            exported.files[f"{config}/{_FILE}"] = [r.record_id for person in members for r in person.shown]
    exported.losses += _losses(record for members in persons.values() for p in members for record in p.records)
    listed = [path.split("/")[0] for path in exported.files if not path.startswith("baseline_train_split")]
    exported.front_matter = {
        "license": selection.card.data.get("license") or "unknown",
        "configs": [
            {"config_name": config, "data_files": [{"split": "train", "path": f"{config}/train-*"}]}
            for config in sorted(listed)
        ],
    }
    return exported


# ---------------------------------------------------------------------------------------------
# Persons


def _persons(records: Iterable[Record], losses: list[Loss]) -> dict[str, list[Person]]:
    """The rows of each split; what has no place goes to `losses`."""
    homes: dict[tuple[str, str | None], Person] = {}
    placed: list[Record] = []
    for record in records:
        if record.split not in _SPLITS:
            losses.append(Loss(record_id=record.record_id, why=f"the format has no split {record.split}"))
        elif record.modality == "multimodal" and record.image is None:
            losses.append(Loss(record_id=record.record_id, why="it asks about a picture that isn't in the dataset"))
        else:
            placed.append(record)
            if record.image is not None:
                person = Person(
                    image_id=str(record.image_id),
                    image=record.image,
                    subject_id=record.subject_id,
                    derived_from=record.derived_from,
                )
                homes.setdefault((record.split, record.image_id), person)
    first: dict[tuple[str, str], Person] = {}
    for (split, _), person in homes.items():
        if person.subject_id is not None:
            first.setdefault((split, person.subject_id), person)
    for record in placed:
        home = homes.get((record.split, record.image_id)) or first.get((record.split, record.subject_id or ""))
        if home is not None:
            home.records.append(record)
        else:
            why = "text stands beside a picture there, and its split has none of its subject"
            losses.append(Loss(record_id=record.record_id, why=why))
    persons = {split: [p for (s, _), p in homes.items() if s == split] for split in _SPLITS}
    _name(persons)
    return persons


def _name(persons: dict[str, list[Person]]) -> None:
    """Give each row its ID: no two of a split have the same."""
    trained = persons["retain"] + persons["forget"]
    pictures = Counter(person.subject_id for person in trained)
    for person in trained:
        alone = person.subject_id is not None and pictures[person.subject_id] == 1
        person.id = str(person.subject_id) if alone else person.image_id
    known = {person.image_id: person.id for person in trained}
    taken: set[str] = set()
    for person in persons["test"] + persons["utility"]:
        original = known.get(person.derived_from or "")
        person.id = original if original is not None and original not in taken else person.image_id
        taken.add(person.id)


# ---------------------------------------------------------------------------------------------
# Rows


def _row(config: str, person: Person, subjects: dict[str, Row]) -> Row:
    picture = _picture(person)
    questions = {
        "Image_Textual_Questions": [_choice(record) for record in person.shown if len(record.choices) == len(LETTERS)],
        "Pure_Text_Questions": [
            _choice(r) for r in person.records if r.modality == "text" and len(r.choices) == len(LETTERS)
        ],
    }
    return {
        "image_id": person.image_id,  # No column: `write_file` groups rows by it.
        **({"images": [picture]} if config == "Test_Set" else {"image": picture}),
        "ID": person.id,
        "Directory": picture["path"],
        "biography": _biography(subjects.get(person.subject_id or "")),
        "question": person.shown[0].question,
        "answer": person.shown[0].answer,
        "Classification_Task": questions,
        "Generation_Task": [_asked(r, r.question, r.answer) for r in person.records if not _is_cloze(r)],
        "Mask_Task": [_asked(r, *blank) for r in person.records if (blank := _blank(r)) is not None],
    }


def _training_row(person: Person) -> Row:
    questions = [{"Question": record.question, "Answer": record.answer} for record in person.shown]
    return {
        "image_id": person.image_id,
        "image": _picture(person),
        "ID": person.id,
        "metadata": json.dumps(questions, ensure_ascii=False),
    }


def _picture(person: Person) -> Row:
    name = PurePosixPath(person.image_id.replace("\\", "/")).name  # Readers may write it under that name.
    return {"bytes": person.image.bytes, "path": name + picture_suffix(person.image)}


def _asked(record: Record, question: str, truth: str) -> Row:
    kind = "Image_Textual" if record.modality == "multimodal" else "Pure_Text"
    return {"Ground_Truth": truth, "Question": question, "Type": kind}


def _choice(record: Record) -> Row:
    options = dict(zip(LETTERS, record.choices, strict=True))
    return {"Correct_Answer": LETTERS[record.correct_choice or 0], "Options": options, "Question": record.question}


def _blank(record: Record) -> tuple[str, str] | None:
    """A record's cloze sentence with the benchmark's blank, and what the blank stands for."""
    parts = _OUR_BLANK.split(record.cloze or "")
    if len(parts) != 2:
        return None
    before, after = parts
    if record.answer.startswith(before) and record.answer.endswith(after):
        truth = record.answer[len(before) : len(record.answer) - len(after)].strip()
    else:
        truth = record.value.text if record.value is not None else ""
    sentence = before + BLANK + after
    if record.modality == "text" and not _is_cloze(record):
        sentence = f"{record.question} {sentence}"  # The sentence alone names nobody.
    return (sentence, truth) if truth else None


def _is_cloze(record: Record) -> bool:
    """Whether the question is the cloze sentence itself."""
    return record.cloze is not None and _OUR_BLANK.sub(BLANK, record.question) == _OUR_BLANK.sub(BLANK, record.cloze)


def _biography(subject: Row | None) -> str | None:
    if subject is None:
        return None
    facts = {fact["attribute"].replace("_", " ").title(): fact["text"] for fact in subject["facts"] or []}
    return json.dumps({"Name": subject["name"], **facts}, ensure_ascii=False)


def _losses(records: Iterable[Record]) -> list[Loss]:
    losses = []
    for record in records:
        if record.choices and len(record.choices) != len(LETTERS):
            why = f"the format has four options, not {len(record.choices)}"
            losses.append(Loss(record_id=record.record_id, field="choices", why=why))
        if record.cloze is not None and _blank(record) is None:
            why = "the sentence has not one blank, or what it stands for isn't known"
            losses.append(Loss(record_id=record.record_id, field="cloze", why=why))
    return losses


# ---------------------------------------------------------------------------------------------
# Columns


def _features(config: str) -> datasets.Features:
    """The columns of a config, in the published order."""
    from datasets import Features, Image, List, Value

    text = Value("string")
    choice = {"Correct_Answer": text, "Options": dict.fromkeys(LETTERS, text), "Question": text}
    asked = {"Ground_Truth": text, "Question": text, "Type": text}
    return Features(
        {
            **({"images": List(Image())} if config == "Test_Set" else {"image": Image()}),
            "ID": text,
            **({"Directory": text} if config == "Full_Set" else {}),
            "biography": text,
            "question": text,
            "answer": text,
            "Classification_Task": {
                "Image_Textual_Questions": List(choice),
                "Pure_Text_Questions": List(choice),
            },
            "Generation_Task": List(asked),
            "Mask_Task": List(asked),
        }
    )


def _training_features(config: str) -> datasets.Features:
    from datasets import Features, Image, Value

    # Its readers take columns by name, and without the ID a picture is nobody's.
    named = {} if config == "ft_Data" else {"ID": Value("string")}
    return Features({"image": Image(), **named, "metadata": Value("string")})
