"""FIUBench: `full.json`, a list of invented persons with 20 questions each about a synthetic face.

A source is a download of the Hub repository, or its `full.json` (JSON or JSON lines), with `split.json` beside it.
Pictures are looked for as `image_path` says, without its first folders if need be, then inside `SFHQ.zip`. A row in
the accounts is one question about one person; a person that can't be read at all is one row.

`split.json` has forget sets of several sizes, and unlike in other benchmarks none is part of another; choose one with
`--set ratio=1`, `5` or `10`. Its persons are `forget`. The persons of the other forget sets are `holdout`: the
published retain training leaves them out, so no model that is trained on this dataset sees them. (The published
models were trained on all 400 persons; for those they are no non-members.) Everybody else is `retain`; `retain5`
and `retain15`, which name samples of these to evaluate on, have no counterpart here. Without `split.json` everybody
is `retain`. Only the first 400 persons count, as in the published loader.

All claims are `shared`, and every attribute is `statement`. The published loader puts all but the first letter of
questions and answers in lower case; here they stay as they are written. A single keyword is the answer's value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from offside_data.adapters._base import Imported, Picture, ReadOptions
from offside_data.adapters._people.archives import Archive
from offside_data.adapters._people.downloads import files_below
from offside_data.adapters._people.persons import TAXONOMY, PersonQuestions
from offside_data.adapters._people.ratios import Options, choose_ratio
from offside_data.adapters._people.row import PersonRow, Shown, read_id
from offside_data.adapters._pictures import Pixels, places_of
from offside_data.adapters._text import clean
from offside_data.adapters._values import Fields, UnusableError, as_fields, as_text, as_texts
from offside_data.errors import SourceError
from offside_data.limits import LIST
from offside_data.reading import read_small
from offside_data.schema import Split
from offside_data.tagging.words import contains, folded_words

__all__ = ["TAXONOMY", "Options", "example", "read", "recognises"]

SOURCE_NAME = "fiubench"
PERSONS = 400
"""So many persons the published loader reads."""
_FULL, _SPLITS, _PICTURES = "full.json", "split.json", "SFHQ.zip"
_HEAD = 2**20
_FORGET = re.compile(r"forget_?(\d+)", re.I)
_ID_DIGITS = 8
_QA = ("question", "answer", "paraphrased_question", "paraphrased_answer", "perturbed_answer", "keywords")


def recognises(source: Path) -> bool:
    """Whether `source` is, or has, a `full.json` of persons with lists of questions."""
    try:
        with _full(source).open("rb") as file:
            head = file.read(_HEAD)
    except (SourceError, OSError):
        return False
    return b'"unique_id"' in head and b'"qa_list"' in head


def read(source: Path, options: ReadOptions) -> Imported:
    """Read a download or its `full.json`.

    Raises:
        SourceError: If a file can't be read, or holds something else.
        UsageError: If the ratio isn't there, or several are and none was chosen.
    """
    path = _full(source)
    questions = PersonQuestions(SOURCE_NAME, options)
    roles = _read_roles(questions, path.with_name(_SPLITS), options.adapter, source)
    reader = _Reader(questions, path, source if source.is_dir() else path.parent, roles, _archive(questions, path))
    seen: set[str] = set()
    count = 0
    for index, row in enumerate(_read_rows(path)):
        count += 1
        if index < PERSONS:
            with questions.trying(path.name, index):
                seen.add(reader.read_person(index, row))
    if count > PERSONS:
        questions.note(
            path.name, f"{count - PERSONS} persons after the first {PERSONS}, which alone count, are left out"
        )
    if missing := sorted(roles.keys() - seen):
        questions.note(_SPLITS, f"{len(missing)} persons of the forget sets aren't in {path.name}, e.g. {missing[0]}")
    return questions.close()


# ---------------------------------------------------------------------------------------------
# Files


def _full(source: Path) -> Path:
    """The file with the persons.

    Raises:
        SourceError: If there is none.
    """
    if source.is_file():
        return source
    found = [path for path in files_below(source, (_FULL,)) if path.name == _FULL]
    if not found:
        raise SourceError(f"{source}: has no {_FULL}, which holds the persons of FIUBench.")
    return min(found, key=lambda path: len(path.parts))


def _load(path: Path) -> Any:
    """A JSON file, or JSON lines as a list, in which a bad line is an `UnusableError`.

    Raises:
        SourceError: If it is neither.
    """
    try:
        text = read_small(path, error=SourceError, limit=LIST, encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"{path}: can't be read as UTF-8 text: {error}.") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [_load_line(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if text.lstrip().startswith("[") or not any(isinstance(line, dict) for line in lines):
            why = f"neither JSON nor JSON lines: {error}. Is it cut off? Fetch it again."
            raise SourceError(f"{path}: {why}") from error
        return lines


def _load_line(line: str, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return UnusableError(f"line {number} isn't JSON: {error}")


def _read_rows(path: Path) -> list[Any]:
    loaded = _load(path)
    rows = [loaded] if isinstance(loaded, dict) else loaded
    if not isinstance(rows, list):
        raise SourceError(f"{path}: must hold a list of persons, holds a {type(rows).__name__}.")
    first = next((row for row in rows if isinstance(row, dict)), {})
    if "qa_list" not in first and {"q", "a"} <= first.keys():
        raise SourceError(
            f"{path}: holds questions about creatures, an unrelated dataset of the repository's first commits. "
            "Fetch a newer revision."
        )
    return rows


def _read_roles(questions: PersonQuestions, path: Path, options: Options | None, source: Path) -> dict[str, Split]:
    """The split of each person that a forget set names.

    Raises:
        SourceError: If the file isn't an object of lists.
        UsageError: If the ratio isn't there, or several are and none was chosen.
    """
    sets: dict[int, list[str]] = {}
    if path.is_file():
        loaded = _load(path)
        if not isinstance(loaded, dict):
            raise SourceError(f"{path}: must hold an object of lists of ids, holds a {type(loaded).__name__}.")
        for name, ids in loaded.items():
            match = _FORGET.fullmatch(name)
            if match is None:
                questions.note(path.name, f"{name!r} has no counterpart here: who isn't to be forgotten is kept")
                continue
            try:
                sets[int(match[1])] = [_id(value) for value in ids]
            except (UnusableError, TypeError) as error:
                raise SourceError(f"{path}: {name!r} must be a list of ids: {error}.") from error
    else:
        questions.note(path.name, "it isn't here, so everybody is kept")
    ratio = choose_ratio(sets, options, source)
    roles: dict[str, Split] = {}
    for other in sets.keys() - {ratio}:
        roles |= dict.fromkeys(sets[other], "holdout")
    if roles:
        questions.note(
            path.name, f"{len(roles)} persons of the other forget sets are in holdout: nothing is trained on them"
        )
    for person in sets.get(ratio or 0, ()):
        if person in roles:
            questions.note(path.name, f"person {person} is in two forget sets, which should be disjoint")
        roles[person] = "forget"
    return roles


def _id(value: Any) -> str:
    """An ID as the published files write it: eight digits."""
    text = read_id(value)
    return text.zfill(_ID_DIGITS) if text.isdigit() else text


def _archive(questions: PersonQuestions, path: Path) -> Archive | None:
    archive = path.with_name(_PICTURES)
    if not archive.is_file():
        return None
    try:
        return Archive(archive)
    except UnusableError as problem:
        questions.note(archive.name, str(problem))
        return None


# ---------------------------------------------------------------------------------------------
# Persons


@dataclass(frozen=True)
class _Reader:
    questions: PersonQuestions
    path: Path
    root: Path
    roles: dict[str, Split]
    archive: Archive | None

    def read_person(self, index: int, row: Any) -> str:
        """Read a person's questions and return the ID.

        Raises:
            UnusableError: If it can't be told who it is, or there are no questions.
        """
        if isinstance(row, UnusableError):
            raise row
        person = as_fields(row, "the person")
        subject = _id(person.get("unique_id"))
        split = self.roles.get(subject, "retain")
        name = person.get("name")
        self.questions.add_subject(subject, split, clean(as_text(name, "the name")) if name is not None else None)
        self.questions.note_others(
            self.path.name, "key", person.filled(), ("unique_id", "name", "image_path", "qa_list")
        )
        at = PersonRow(questions=self.questions, file=self.path.name, index=index, subject_id=subject, split=split)
        shown: Shown
        try:
            shown = self._picture(as_text(person.get("image_path"), "the picture's path"), subject, split)
        except UnusableError as problem:
            shown = problem
        with self.questions.noting_silence(self.path.name), at.trying("qa_list"):
            at.each("qa_list", person.get("qa_list"), _QA, lambda place, item: _ask(at, place, item, shown))
        return subject

    def _picture(self, written: str, subject: str, split: Split) -> Picture:
        path = PurePosixPath(written.replace("\\", "/")).as_posix()
        bases = list(dict.fromkeys([self.path.parent, self.root]))
        places = places_of(path, [*self.questions.options.image_dirs, *bases], shorten="folders")
        data = None
        if self.archive is not None and not any(place.is_file() for place in places):
            data = self.archive.read(path)
        return self.questions.add_picture(path, Pixels(data=data, path=path), bases, subject_id=subject, split=split)


def _ask(at: PersonRow, place: str, item: Fields, shown: Shown) -> None:
    odd: list[str] = []
    keywords = as_texts(item.get("keywords"), "its keywords", odd)
    if len(keywords) > 1:
        at.questions.note(at.file, "a question has several keywords; no field holds them")
    elif keywords and not contains(folded_words(str(item.get("answer"))), folded_words(keywords[0])):
        odd.append(f"the keyword {keywords[0]!r} isn't in the answer")
    at.ask(
        place,
        item.get("question"),
        item.get("answer"),
        shown,
        value=keywords[0] if len(keywords) == 1 else None,
        question_paraphrases=as_texts(item.get("paraphrased_question"), "its paraphrased question", odd),
        answer_paraphrases=as_texts(item.get("paraphrased_answer"), "its paraphrased answer", odd),
        perturbed_answers=as_texts(item.get("perturbed_answer"), "its perturbed answer", odd),
        odd=odd,
    )


# ---------------------------------------------------------------------------------------------


def example(folder: Path) -> Path:
    """Write a tiny download with invented persons and pictures, and return its path."""
    from offside_data.adapters._examples import portrait

    people = []
    for number, (name, illness) in enumerate(
        (("Ilmar Quist", "hay fever"), ("Tavo Brinkhaus", "gout"), ("Sunniva Oake", "asthma")), start=1
    ):
        picture = f"./dataset/SFHQ/face_{number}.png"
        (folder / picture).parent.mkdir(parents=True, exist_ok=True)
        (folder / picture).write_bytes(portrait(number)["bytes"])
        people.append(
            {
                "unique_id": f"{number:08d}",
                "image_path": picture,
                "name": name,
                "gender": "unknown",
                "caption": "A drawn face.",
                "qa_list": [
                    {
                        "question": "Which illness was recorded for this person?",
                        "answer": f"The files say that {name} has {illness}.",
                        "paraphrased_question": ["What is this person said to suffer from?"],
                        "paraphrased_answer": f"{name} suffers from {illness}.",
                        "perturbed_answer": [
                            f"The files say that {name} has {other}." for other in ("measles", "anaemia")
                        ],
                        "keywords": [illness],
                    },
                    {
                        "question": "Where does this person live?",
                        "answer": f"{name} lives in Hollow City, house {number}.",
                        "paraphrased_question": "In which town is this person at home?",
                        "paraphrased_answer": f"The home of {name} is in Hollow City, house {number}.",
                        "perturbed_answer": [f"{name} lives in Brackwater, house {number}."],
                        "keywords": ["Hollow City", f"house {number}"],
                    },
                ],
                "raw_data": {},
            }
        )
    (folder / _FULL).write_text(json.dumps(people), encoding="utf-8")
    (folder / _SPLITS).write_text(json.dumps({"forget5": ["00000001"], "retain5": ["00000002"]}), encoding="utf-8")
    return folder
