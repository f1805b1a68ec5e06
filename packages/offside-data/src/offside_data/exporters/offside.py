"""The published OFFSIDE archive: JSON lists of two-turn conversations about numbered pictures.

```
complete_unlearning_data/
    finetune_set.json, retain_set.json, forget_set.json         finetune = retain + forget
    test_set.json, relearn_set_enhanced.json
    classification_{retain,forget,test,relearn}_set.json        multiple choice
    finetune_set/                                               each picture once
pure_text_data/                 the same files of the text form
selective_unlearning_data/
    forget_set_part.json        private claims of the forget pictures
    retain_set_part.json        their shared facts, and the retain set
```

A row is `{"messages": [user, assistant], "images": "./finetune_set/004.png"}`: the picture is a string, relative to
the JSON file's folder, and the user's text starts with `<image>` and a line break unless it is of the text form. A
multiple-choice row has `Question`, `Options` (letter to text), `Correct_Answer` (a letter) and `images`.

What its readers expect: the published files and scripts. Player and split follow from a picture's number, and what a
row is about from its place among the picture's 14 rows (private claims first in retain pictures, shared facts first
elsewhere) or from its words; so we write rows in that order, and count those that a reader would take for something
else. Nothing published says how test pictures are called, what the two files of parts hold, or where test and
correction rows of the text form go: here we follow what the scripts' names suggest.
"""

from __future__ import annotations

import json
import string
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from offside_data.adapters._offside.rules import PRIVATE_FIRST, SHARED_FIRST, decide
from offside_data.dataset.storage import Row
from offside_data.exporters._base import Exported, Loss, Selection
from offside_data.exporters._offside_names import Key, Names, key_of, name_pictures
from offside_data.exporters._pictures import picture_suffix
from offside_data.schema import Record, RecordImage
from offside_data.validation import IMAGE_TOKEN

HOLDS = (
    "modality",
    "split",
    "attribute",
    "scope",
    "veracity",
    "question",
    "answer",
    "choices",
    "correct_choice",
    "image",
)

COMPLETE, TEXT, SELECTIVE = "complete_unlearning_data", "pure_text_data", "selective_unlearning_data"
PICTURES = "finetune_set"
LETTERS = string.ascii_uppercase
_FILES = {
    "retain": "retain_set",
    "forget": "forget_set",
    "test": "test_set",
    "relearn": "relearn_set_enhanced",
}


def write(selection: Selection, folder: Path) -> Exported:
    """Write the archive's folders.

    Raises:
        PictureError: If a picture's bytes are no picture.
    """
    names = name_pictures(selection.records)
    left_out = {loss.record_id for loss in names.losses}
    records = [record for record in selection.records if record.record_id not in left_out]
    records.sort(key=lambda record: _place(record, names))
    files = _write_pictures(records, names, folder)
    exported = Exported(losses=names.losses)
    for path, members in _parts(records).items():
        _write_list(folder / path, [_row(record, files[key_of(record)], path) for record in members])
        exported.files[path] = [record.record_id for record in members]
    for path, members in _choice_parts(records, exported).items():
        _write_list(folder / path, [_choice_row(record, files[key_of(record)], path) for record in members])
        exported.files[path] = [record.record_id for record in members]
    exported.losses += _misread(records, names)
    exported.losses += [
        Loss(record_id=record.record_id, field="veracity", why=f"readers take it for a {_implied(record)}")
        for record in records
        if record.veracity != _implied(record)
    ]
    return exported


def _place(record: Record, names: Names) -> tuple[int, str, int]:
    """By picture, then in the order in which the published groups list their rows."""
    stem = str(names.of(record))
    order = PRIVATE_FIRST if record.split == "retain" else SHARED_FIRST
    place = order.index(record.attribute) if record.attribute in order else len(order)
    return int(stem.partition("_")[0]), stem, place


# ---------------------------------------------------------------------------------------------
# Files


def _parts(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The records of each file that has any."""
    pictures = [r for r in records if r.modality == "multimodal"]
    retain, forget = ([r for r in pictures if r.split == split] for split in ("retain", "forget"))
    parts = {f"{COMPLETE}/finetune_set.json": [r for r in pictures if r.split in ("retain", "forget")]}
    for modality, place in (("multimodal", COMPLETE), ("text", TEXT)):
        for split, name in _FILES.items():
            members = [r for r in records if (r.modality, r.split) == (modality, split)]
            parts[f"{place}/{name}.json"] = members
    parts[f"{SELECTIVE}/forget_set_part.json"] = [r for r in forget if r.scope == "private"]
    parts[f"{SELECTIVE}/retain_set_part.json"] = [r for r in forget if r.scope == "shared"] + retain
    return {path: members for path, members in parts.items() if members}


def _choice_parts(records: Iterable[Record], exported: Exported) -> dict[str, list[Record]]:
    parts: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if len(record.choices) > len(LETTERS):
            why = f"options are letters, and it has {len(record.choices)}"
            exported.losses.append(Loss(record_id=record.record_id, field="choices", why=why))
        elif record.choices:
            place = COMPLETE if record.modality == "multimodal" else TEXT
            parts[f"{place}/classification_{record.split}_set.json"].append(record)
    return parts


def _row(record: Record, picture: str, path: str) -> Row:
    question = f"{IMAGE_TOKEN}\n{record.question}" if record.modality == "multimodal" else record.question
    turns = (("user", question), ("assistant", record.answer))
    return {
        "messages": [{"role": role, "content": content} for role, content in turns],
        "images": _from(path, picture),
    }


def _choice_row(record: Record, picture: str, path: str) -> Row:
    options = dict(zip(LETTERS, record.choices, strict=False))
    return {
        "Question": record.question,
        "Options": options,
        "Correct_Answer": list(options)[record.correct_choice or 0],
        "images": _from(path, picture),
    }


def _from(path: str, picture: str) -> str:
    """A picture's path as a JSON file names it: relative to the file's own folder."""
    return f"./{PICTURES}/{picture}" if path.startswith(COMPLETE) else f"../{COMPLETE}/{PICTURES}/{picture}"


def _write_list(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows), encoding="utf-8")  # One line, non-ASCII escaped: as published.


def _write_pictures(records: Iterable[Record], names: Names, folder: Path) -> dict[Key, str]:
    """Write each picture once; returns all file names, also of pictures that only text is about."""
    images: dict[str, RecordImage] = {}
    for record in records:
        if record.image is not None:
            images.setdefault(str(names.of(record)), record.image)
    (folder / COMPLETE / PICTURES).mkdir(parents=True)
    files = {}
    for stem, image in images.items():
        files[stem] = stem + picture_suffix(image)
        (folder / COMPLETE / PICTURES / files[stem]).write_bytes(image.bytes)
    return {key: files.get(stem, f"{stem}.jpg") for key, stem in names.stems.items()}


# ---------------------------------------------------------------------------------------------
# What readers make of it


def _implied(record: Record) -> str:
    """The veracity that readers conclude from split and scope."""
    if record.scope != "private":
        return "fact"
    return {"forget": "rumor", "relearn": "correction"}.get(record.split, "fact")


def _misread(records: Sequence[Record], names: Names) -> list[Loss]:
    """The records whose attribute readers get wrong, from the rows or from the multiple-choice rows."""
    losses = []
    for choices in (False, True):
        groups: dict[tuple[str | None, str], list[Record]] = defaultdict(list)
        for record in records:
            if not choices or 0 < len(record.choices) <= len(LETTERS):
                groups[names.of(record), record.modality].append(record)
        for members in groups.values():
            pairs = [(r.question, r.choices[r.correct_choice or 0] if choices else r.answer) for r in members]
            decisions = decide(pairs, text=members[0].modality == "text", split=members[0].split)
            losses += [
                Loss(
                    record_id=record.record_id,
                    field="choices" if choices else "attribute",
                    why=f"readers take it for a row about {decision.attribute or 'nothing they know'}",
                )
                for record, decision in zip(members, decisions, strict=True)
                if decision.attribute != record.attribute
            ]
    return losses
