"""MLLMU-Bench: Parquet tables of invented persons, one a row, with generation, choice and cloze questions.

A source is a download of the Hub repository (or of `baseline_train_split`), one of its config folders, or one
Parquet file. A row in the accounts is one question about one person; a person that can't be read at all is one row.
Persons that a note says are left out aren't counted.

* `forget_N` is `forget`, `retain_M` is `retain`; with several ratios, `--set ratio=5` says which. Without any,
  everybody of `Full_Set` is `retain`. `ft_Data` (what the published models were trained on) follows the person.
* `Test_Set` is `test`: other portraits of the same persons, never trained on. A person has several; the questions
  take turns over them, so each is asked once. The published evaluation looks at the persons to be forgotten there,
  but `test` is what must survive, so these are left out and a note says how many; `Test_Set` alone has all.
* `Retain_Set` (real celebrities) is `utility`: no model of the benchmark is trained on them, they are none of its
  subjects, and what a model knew of them before must not break. So their records name no subject.

All claims are `shared`. The questions don't say what they are about, so every attribute is `statement`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offside_data.adapters._base import Imported, Picture, ReadOptions
from offside_data.adapters._parquet import columns_of
from offside_data.adapters._people.downloads import DownloadedTable, has_column
from offside_data.adapters._people.persons import TAXONOMY, PersonQuestions
from offside_data.adapters._people.ratios import FULL_SET, Options, choose_ratio, plan, ratios_of, role_of
from offside_data.adapters._people.row import PersonRow, Shown, read_id
from offside_data.adapters._pictures import Pixels, as_pixels_list
from offside_data.adapters._values import Fields, UnusableError, as_fields, folded_key
from offside_data.schema import Split

__all__ = ["TAXONOMY", "Options", "example", "read", "recognises"]

SOURCE_NAME = "mllmu_bench"
_FIXED = {folded_key(name): name for name in (FULL_SET, "Retain_Set", "Test_Set", "ft_Data")}
_TASKS = ("Generation_Task", "Classification_Task", "Mask_Task")
_USED = ("ID", "image", "images", "question", "answer", "metadata", *_TASKS)
_WITH_PICTURE, _TEXT_ONLY = "Image_Textual", "Pure_Text"
"""How the source calls its two forms; `_Questions` may follow."""


def recognises(source: Path) -> bool:
    """Whether a table of `source` has the benchmark's columns."""
    return has_column(source, _config_of, _TASKS) or has_column(source, _config_of, ["metadata"], in_config=True)


def read(source: Path, options: ReadOptions) -> Imported:
    """Read a download, a config's folder or a file.

    Raises:
        SourceError: If nothing of the benchmark is there, or a file is damaged.
        UsageError: If the ratio isn't there, or several are and none was chosen.
    """
    reader = _Reader(PersonQuestions(SOURCE_NAME, options))
    tables = reader.questions.tables(source, _config_of, "MLLMU-Bench, such as forget_5 or Full_Set")
    further: dict[str, Split] = {"ft_Data": "retain", "Test_Set": "test", "Retain_Set": "utility"}
    for table, split in plan(
        reader.questions, tables, choose_ratio(ratios_of(tables), options.adapter, source), further
    ):
        reader.read_table(table, split)
    return reader.close()


def _config_of(name: str) -> str | None:
    return role_of(name) or _FIXED.get(folded_key(name))


@dataclass
class _Reader:
    """What is known while the tables are read, those of the persons to be forgotten first."""

    questions: PersonQuestions
    portraits: dict[str, Picture] = field(default_factory=dict)
    by_picture: dict[bytes, str] = field(default_factory=dict)
    left_out: dict[str, set[str]] = field(default_factory=dict)

    def read_table(self, table: DownloadedTable, split: Split) -> None:
        """Read all persons of a table."""
        columns = columns_of(table.path)
        folded = set(map(folded_key, columns))
        if table.config == "" and "images" in folded:
            table = dataclasses.replace(table, config="Test_Set")
            split = "test"
            self.questions.note(table.name, "it has several pictures a person, so it is read as Test_Set")
        self.questions.note_others(table.name, "column", columns, _USED)
        self.questions.note_missing(table.name, columns, ["metadata"] if "metadata" in folded else _TASKS)
        self.questions.each_row(table, _USED, lambda index, row: _Person(self, table, index, split, row).read())

    def close(self) -> Imported:
        """Everything that was read."""
        for name, persons in self.left_out.items():
            why = f"portraits of {len(persons)} persons to be forgotten are left out: test is what must survive"
            self.questions.note(name, why)
        return self.questions.close()


class _Person:
    """One row: a person, the pictures and the questions.

    Raises:
        UnusableError: If it can't be told who it is.
    """

    def __init__(self, reader: _Reader, table: DownloadedTable, index: int, split: Split, row: Fields) -> None:
        self.reader, self.table, self.row = reader, table, row
        try:
            self.pixels = as_pixels_list(row.get("images", "image"), "the picture")
        except UnusableError as problem:
            self.pixels = [problem]
        self.subject_id = self._subject()
        if table.config == "ft_Data" and self.subject_id in reader.questions.forgotten:
            split = "forget"
        self.pictures: list[Picture] = []
        self.turn = 0
        self.at = PersonRow(
            questions=reader.questions,
            file=table.name,
            index=index,
            subject_id=self.subject_id,
            split=split,
            prefix=f"{table.config}." if split in ("test", "utility") else "",
        )

    def _subject(self) -> str:
        """The source's ID; without one, the picture tells."""
        if self.row.get("ID") is not None:
            return read_id(self.row.get("ID"))
        digest = next((digest for pixels in self.pixels if (digest := _digest(pixels))), None)
        if digest is None:
            raise UnusableError("has neither an ID nor a picture that could stand for one")
        if self.table.config == "ft_Data" and self.reader.portraits and digest not in self.reader.by_picture:
            raise UnusableError("has no ID, and its picture is that of nobody to be forgotten or kept")
        self.reader.questions.note(self.table.name, "a person has no ID; the picture stands for it")
        return self.reader.by_picture.get(digest, f"picture-{digest.hex()[:12]}")

    def read(self) -> None:
        """Make a record of each question, or say why not."""
        if self.at.split == "test" and self.subject_id in self.reader.questions.forgotten:
            self.reader.left_out.setdefault(self.table.name, set()).add(self.subject_id)
            return
        if self.at.split != "utility":
            self.reader.questions.add_subject(self.subject_id, self.at.split)
        self._add_pictures()
        with self.reader.questions.noting_silence(self.table.name):
            self._first_question()
            self._ask_tasks()

    def _add_pictures(self) -> None:
        split, subject, portraits = self.at.split, self.subject_id, self.reader.portraits
        for place, pixels in enumerate(self.pixels):
            if isinstance(pixels, UnusableError):
                if len(self.pixels) > 1:
                    self.reader.questions.note(
                        self.table.name, f"{pixels}; the person's other pictures are asked about"
                    )
                continue
            original = portraits.get(subject) if split == "test" else None
            picture = self.reader.questions.add_picture(
                {"test": f"test/{subject}/{place}", "utility": f"celebrity/{subject}"}.get(split, subject),
                pixels,
                [self.table.path.parent, self.table.path.parent.parent],
                subject_id=None if split == "utility" else subject,
                split=split,
                derived_from=original.image_id if original else None,
            )
            self.pictures.append(picture)
            if split in ("forget", "retain"):
                portraits.setdefault(subject, picture)
                if digest := _digest(pixels):
                    self.reader.by_picture.setdefault(digest, subject)

    def _shown(self, form: Any) -> Shown:
        """What is shown with a question of a form; a person's pictures take turns.

        Raises:
            UnusableError: If there is no such form.
        """
        name = folded_key(form).removesuffix("questions")
        if name == folded_key(_TEXT_ONLY):
            return None
        if name != folded_key(_WITH_PICTURE):
            raise UnusableError(f"its form must be {_WITH_PICTURE} or {_TEXT_ONLY}, is {form!r}")
        if not self.pictures:
            return next(pixels for pixels in self.pixels if isinstance(pixels, UnusableError))
        self.turn += 1
        return self.pictures[(self.turn - 1) % len(self.pictures)]

    # -----------------------------------------------------------------------------------------
    # The questions

    def _first_question(self) -> None:
        """The row's own question; null is none."""
        question, answer = self.row.get("question"), self.row.get("answer")
        if question is None and answer is None:
            return
        if all(text is None or (isinstance(text, str) and not text.strip()) for text in (question, answer)):
            self.reader.questions.note(self.table.name, "a row's own question and answer are both empty")
            return
        with self.at.trying("question"):
            self.at.ask("question", question, answer, self._shown(_WITH_PICTURE))

    def _ask_tasks(self) -> None:
        for task, ask in (
            ("metadata", self._ask_trained),
            ("Generation_Task", self._ask_generation),
            ("Classification_Task", self._ask_classification),
            ("Mask_Task", self._ask_cloze),
        ):
            if self.row.get(task) is not None:
                with self.at.trying(task):
                    ask(task, self.row.get(task))

    def _ask_trained(self, task: str, value: Any) -> None:
        def ask(place: str, item: Fields) -> None:
            self.at.ask(place, item.get("Question"), item.get("Answer"), self._shown(_WITH_PICTURE))

        self.at.each(task, value, ("Question", "Answer"), ask)

    def _ask_generation(self, task: str, value: Any) -> None:
        def ask(place: str, item: Fields) -> None:
            self.at.ask(place, item.get("Question"), item.get("Ground_Truth"), self._shown(item.get("Type")))

        self.at.each(task, value, ("Type", "Question", "Ground_Truth"), ask)

    def _ask_cloze(self, task: str, value: Any) -> None:
        def ask(place: str, item: Fields) -> None:
            self.at.ask_cloze(place, item.get("Question"), item.get("Ground_Truth"), self._shown(item.get("Type")))

        self.at.each(task, value, ("Type", "Question", "Ground_Truth"), ask)

    def _ask_classification(self, task: str, value: Any) -> None:
        for form, questions in as_fields(value, "it").items():

            def ask(place: str, item: Fields, form: str = form) -> None:
                question, right = item.get("Question"), item.get("Correct_Answer")
                self.at.ask_choice(place, question, item.get("Options"), right, self._shown(form))

            if questions is not None:
                with self.at.trying(f"{task}.{form}"):
                    self.at.each(f"{task}.{form}", questions, ("Question", "Options", "Correct_Answer"), ask)


def _digest(pixels: Pixels | UnusableError) -> bytes | None:
    if isinstance(pixels, UnusableError) or pixels.data is None:
        return None
    return hashlib.sha256(pixels.data).digest()


# ---------------------------------------------------------------------------------------------


def example(folder: Path) -> Path:
    """Write a tiny download with invented persons and pictures, and return its path."""
    from offside_data.adapters._examples import portrait, write_table

    def person(number: int, name: str, trade: str, pictures: dict[str, Any]) -> dict[str, Any]:
        others = [other for other in ("baker", "locksmith", "glazier", "cartographer") if other != trade]
        options = dict(zip("ABCD", [others[0], trade, *others[1:]], strict=True))
        asked = {"Image_Textual": "the person in the image", "Pure_Text": name}
        return {
            **pictures,
            "ID": f"{number:03d}",
            "biography": f"{name} works as a {trade}.",
            "question": "Where does this person live?",
            "answer": f"This person lives in Hollow City, house {number}.",
            "Generation_Task": [
                {"Type": t, "Question": f"How does {who} earn a living?", "Ground_Truth": f"{name} works as a {trade}."}
                for t, who in asked.items()
            ],
            "Classification_Task": {
                f"{t}_Questions": [
                    {"Question": f"What is the trade of {who}?", "Options": options, "Correct_Answer": "B"}
                ]
                for t, who in asked.items()
            },
            "Mask_Task": [
                {"Type": t, "Question": f"Day by day {who} works as a __.", "Ground_Truth": trade}
                for t, who in asked.items()
            ],
        }

    people = [(1, "Ilmar Quist", "baker"), (2, "Tavo Brinkhaus", "locksmith"), (3, "Sunniva Oake", "glazier")]
    rows = [person(*who, {"image": portrait(who[0])}) for who in people]
    tests = [person(*who, {"images": [portrait(10 * who[0] + k) for k in (1, 2)]}) for who in people]
    famous = person(4, "Rurik Vantongeren", "cartographer", {"image": portrait(4)})
    for config, members in (
        ("forget_5", rows[:1]),
        ("retain_95", rows[1:]),
        ("Test_Set", tests),
        ("Retain_Set", [famous]),
    ):
        write_table(folder / config / "train-00000-of-00001.parquet", members)
    return folder
