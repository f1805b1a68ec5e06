"""UMU-Bench: Parquet tables of persons, one a row, with each fact in a text form and in a picture form.

A source is a download of the Hub repository, one of its config folders, or one Parquet file. A row in the accounts
is one question about one person in one form; a person that can't be read at all is one row.

* `forget_N` is `forget`, `retain_M` is `retain`; with several ratios, `--set ratio=5` says which. Without any,
  everybody of `Full_Set` is `retain`.
* `Real_Person_Set` (also called `real_person`) is `utility`: no model of the benchmark is trained on these real
  persons, they are none of its subjects, and what a model knew of them before must not break.

All claims are `shared`. The keys of the task columns say what a question is about: those that name an attribute of
the taxonomy `people` become that, the others `statement`; a note lists them. The published code draws part of the
retain questions at random and takes the text form's letter for both forms; here all questions come in, each with
its own letter, and letters that differ are flagged.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from offside_data.adapters._base import Imported, ReadOptions
from offside_data.adapters._parquet import columns_of
from offside_data.adapters._people.downloads import DownloadedTable, has_column
from offside_data.adapters._people.persons import STATEMENT, TAXONOMY, PersonQuestions
from offside_data.adapters._people.ratios import FULL_SET, Options, choose_ratio, plan, ratios_of, role_of
from offside_data.adapters._people.row import PersonRow, Shown, read_id
from offside_data.adapters._pictures import as_pixels
from offside_data.adapters._values import Fields, UnusableError, as_fields, as_text, folded_key
from offside_data.schema import Split
from offside_data.tagging.words import is_abbreviation

__all__ = ["TAXONOMY", "Options", "example", "read", "recognises"]

SOURCE_NAME = "umu_bench"
_FIXED = {"fullset": FULL_SET, "realpersonset": "Real_Person_Set", "realperson": "Real_Person_Set"}
_PAIRED = {"MM_QA": True, "UM_QA": False}
"""The columns of plain questions, and whether they come with the picture."""
_KEYS = {
    "Generation": ("question", "answer"),
    "Classify": ("question", "options", "answer"),
    "Cloze": ("question", "answer"),
}
"""The columns of other questions, and the keys of each question there."""
_FORMS = {"multimodal": True, "muitimodal": True, "unimodal": False}
"""The keys of the other columns' two halves; the second is how the published data spells it."""
_USED = ("ID", "image", *_PAIRED, *_KEYS)
_ALIASES = {
    "birthplace": "birth_place",
    "placeofbirth": "birth_place",
    "born": "birth_place",
    "birthday": "birth_date",
    "dateofbirth": "birth_date",
    "sex": "gender",
    "job": "occupation",
    "profession": "occupation",
    "career": "occupation",
    "hobbies": "hobby",
    "parents": "family",
    "school": "education",
    "university": "education",
    "living": "residence",
}
"""Other words for attributes of the taxonomy."""
_STOP = re.compile(r"\.(?=\s|$)")


def recognises(source: Path) -> bool:
    """Whether a table of `source` has the benchmark's columns."""
    return has_column(source, _config_of, _PAIRED)


def read(source: Path, options: ReadOptions) -> Imported:
    """Read a download, a config's folder or a file.

    Raises:
        SourceError: If nothing of the benchmark is there, or a file is damaged.
        UsageError: If the ratio isn't there, or several are and none was chosen.
    """
    questions = PersonQuestions(SOURCE_NAME, options)
    tables = questions.tables(source, _config_of, "UMU-Bench, such as forget_5 or Full_Set")
    ratio = choose_ratio(ratios_of(tables), options.adapter, source)
    for table, split in plan(questions, tables, ratio, {"Real_Person_Set": "utility"}):
        _read_table(questions, table, split)
    return questions.close()


def _config_of(name: str) -> str | None:
    return role_of(name) or _FIXED.get(folded_key(name))


def _read_table(questions: PersonQuestions, table: DownloadedTable, split: Split) -> None:
    columns = columns_of(table.path)
    questions.note_others(table.name, "column", columns, _USED)
    questions.note_missing(table.name, columns, _USED)
    questions.each_row(table, _USED, lambda index, row: _read_person(questions, table, index, split, row))


def _read_person(questions: PersonQuestions, table: DownloadedTable, index: int, split: Split, row: Fields) -> None:
    subject = read_id(row.get("ID"))
    if split != "utility":
        questions.add_subject(subject, split)
    prefix = f"{table.config}." if split == "utility" else ""
    at = PersonRow(questions=questions, file=table.name, index=index, subject_id=subject, split=split, prefix=prefix)
    shown: Shown
    try:
        shown = questions.add_picture(
            f"real_person/{subject}" if split == "utility" else subject,
            as_pixels(row.get("image"), "the picture"),
            [table.path.parent, table.path.parent.parent],
            subject_id=None if split == "utility" else subject,
            split=split,
        )
    except UnusableError as problem:
        shown = problem
    with questions.noting_silence(table.name):
        for column in (*_PAIRED, *_KEYS):
            value = row.get(column)
            with at.trying(column):
                if value is not None and column in _PAIRED:
                    _ask_paired(at, column, value, shown if _PAIRED[column] else None)
                elif value is not None:
                    _ask_both(at, column, value, shown)


def _ask_paired(at: PersonRow, column: str, value: Any, shown: Shown) -> None:
    """Plain questions: `{question: {key: text}, answer: {key: text}}`."""
    halves = as_fields(value, "it")
    at.questions.note_others(at.file, f"key of {column}", halves.filled(), ("question", "answer"))
    questions, answers = (as_fields(halves.get(half), f"its {half!r}") for half in ("question", "answer"))
    for key in dict.fromkeys(questions.filled() + answers.filled()):
        with at.trying(place := f"{column}.{key}"):
            attribute = _attribute(at, column, key)
            at.ask(place, questions.get(key), answers.get(key), shown, attribute=attribute)


def _ask_both(at: PersonRow, task: str, value: Any, shown: Shown) -> None:
    """The questions of a task in both forms: `{unimodal: {key: {…}}, muitimodal: {key: {…}}}`."""
    halves = as_fields(value, "it")
    for form in halves.filled():
        with at.trying(f"{task}.{form}"):
            with_picture = _FORMS.get(folded_key(form))
            if with_picture is None:
                raise UnusableError(f"there is no form {form!r}; known: unimodal, multimodal, muitimodal")
            asked = as_fields(halves.get(form), "it")
            for key in asked.filled():
                with at.trying(place := f"{task}.{form}.{key}"):
                    item = as_fields(asked.get(key), "it")
                    at.questions.note_others(at.file, f"key of {task}", item.filled(), _KEYS[task])
                    attribute = _attribute(at, task, key)
                    seen = shown if with_picture else None
                    if task == "Generation":
                        at.ask(place, item.get("question"), item.get("answer"), seen, attribute=attribute)
                    elif task == "Cloze":
                        _ask_cloze(at, place, item, seen, attribute)
                    else:
                        _ask_choice(at, place, item, seen, attribute, text_form=_text_form(halves, key))


def _text_form(halves: Fields, key: str) -> Fields:
    """The fields of the same question in the text form; none if that can't be read."""
    try:
        return as_fields(as_fields(halves.get("unimodal"), "it").get(key), "it")
    except UnusableError:
        return Fields({})


def _ask_cloze(at: PersonRow, place: str, item: Fields, shown: Shown, attribute: str) -> None:
    told = as_text(item.get("answer"), "the answer")
    at.ask_cloze(place, item.get("question"), _first_sentence(told), shown, attribute=attribute, told=told)


def _ask_choice(at: PersonRow, place: str, item: Fields, shown: Shown, attribute: str, *, text_form: Fields) -> None:
    right, published = as_text(item.get("answer"), "the answer"), text_form.get("answer")
    odd = []
    if isinstance(published, str) and _letter(published) != _letter(right):
        letter = _letter(published)
        odd.append(f"the answer is {right!r}, but the published code takes the text form's letter, {letter}")
    at.ask_choice(place, item.get("question"), item.get("options"), right, shown, attribute=attribute, odd=odd)


def _letter(answer: str) -> str:
    return answer.split(".")[0].strip()


def _first_sentence(answer: str) -> str:
    """What goes into the blank: the answer up to its first full stop. Those of `St.` and `1.79` are none."""
    for stop in _STOP.finditer(answer):
        words = answer[: stop.start()].split()
        if words and not is_abbreviation(words[-1]):
            return answer[: stop.start()]
    return answer


def _attribute(at: PersonRow, column: str, key: str) -> str:
    """The attribute that a key stands for; what none fits is a statement, which a note says."""
    folded = folded_key(key)
    names = {folded_key(name): name for name in at.questions.taxonomy.names("shared")} | _ALIASES
    if folded not in names:
        at.questions.note(at.file, f"{column}: no attribute is called {key!r}; such questions become {STATEMENT!r}")
    return names.get(folded, STATEMENT)


# ---------------------------------------------------------------------------------------------


def example(folder: Path) -> Path:
    """Write a tiny download with invented persons and pictures, and return its path."""
    from offside_data.adapters._examples import portrait, write_table

    def person(number: int, name: str, trade: str) -> dict[str, Any]:
        said = f"{name} works as a {trade}."
        options = dict(zip("ABCD", ["falconer", trade, "tanner", "cooper"], strict=True))
        forms = {"unimodal": name, "muitimodal": "the person in the image"}
        plain = {
            who: {"question": {"occupation": f"What does {who} do?"}, "answer": {"occupation": said}}
            for who in forms.values()
        }
        asked: dict[str, dict[str, dict[str, Any]]] = {"Classify": {}, "Cloze": {}, "Generation": {}}
        for form, who in forms.items():
            choice = {"question": f"Which trade has {who}?", "options": options, "answer": f"B. {trade}"}
            cloze = {"question": f"The trade of {who} is that of a ____.", "answer": f"{trade}."}
            asked["Classify"][form] = {"occupation": choice}
            asked["Cloze"][form] = {"occupation": cloze}
            asked["Generation"][form] = {"occupation": {"question": f"How does {who} live?", "answer": said}}
        return {
            "ID": str(number),
            "image": portrait(number),
            "Biography": said,
            "MM_QA": str(plain["the person in the image"]),
            "UM_QA": str(plain[name]),
            **{task: str(questions) for task, questions in asked.items()},
        }

    for config, members in (
        ("forget_5", [person(1, "Ilmar Quist", "baker")]),
        ("retain_95", [person(2, "Tavo Brinkhaus", "locksmith"), person(3, "Sunniva Oake", "glazier")]),
        ("real_person", [person(501, "Rurik Vantongeren", "cartographer")]),
    ):
        write_table(folder / config / "train-00000-of-00001.parquet", members)
    return folder
