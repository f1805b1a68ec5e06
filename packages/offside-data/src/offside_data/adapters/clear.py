"""CLEAR: Parquet tables of invented authors: captioned pictures, questions in text alone, wrong captions and names.

A source is a download of the Hub repository, one of its config folders, or one Parquet file. A row in the accounts is
one question: a picture's caption, a picture's name, or a question with its answer.

* `forget05` and `forget05+tofu` are `forget`, `retain95` and `retain95+tofu` are `retain`; with several ratios,
  `--set ratio=5` says which. Without any, everybody of `full` (or `default`) is `retain`.
* The `_perturbed` tables show pictures again, with other wordings and wrong answers: these join the picture's records.
* `real_faces` and `real_world` are `utility`: no model of the benchmark is trained on them, they show none of its
  authors, and what a model knew of them before must not break.

A picture has a caption, but no question: both questions, for the caption and for the name, are ours (taxonomy
`people`); the answer that names the author begins as the published code begins it. Captions are `private`, because a
caption is about one picture; all else is `shared`. Authors are told by the column `name`, and text rows by the name
in the question or answer; 20 text rows in a row that name one author are all about that author.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offside_data.adapters._base import Imported, Picture, ReadOptions
from offside_data.adapters._parquet import columns_of
from offside_data.adapters._people.downloads import DownloadedTable, find_tables, read_rows
from offside_data.adapters._people.forms import read_choices
from offside_data.adapters._people.persons import TAXONOMY, PersonQuestions
from offside_data.adapters._people.ratios import Options, choose_ratio, ratios_of, select
from offside_data.adapters._people.row import PersonRow, read_options
from offside_data.adapters._pictures import Pixels, as_pixels
from offside_data.adapters._text import clean, common_name
from offside_data.adapters._values import Fields, UnusableError, as_list, as_text, as_texts, folded_key
from offside_data.errors import SourceError
from offside_data.questions import phrasings
from offside_data.schema import Split
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute

__all__ = ["TAXONOMY", "Options", "example", "read", "recognises"]

SOURCE_NAME = "clear"
BLOCK = 20
"""So many text rows in a row are about one author."""
_SET = re.compile(r"(forget|retain)(\d{1,2})(\+tofu|_perturbed)?", re.I)
_FULL = {"full": "full", "full+tofu": "full+tofu", "default": "default", "data": "default"}
_REAL = ("real_faces", "real_world")
_USED = (
    "image",
    "caption",
    "name",
    "question",
    "answer",
    "options",
    "perturbed_captions",
    "paraphrased_caption",
    "perturbed_names",
)
_UNKNOWN = "it can't be told which author this is about"


def recognises(source: Path) -> bool:
    """Whether a table of `source` has a name and the columns that the benchmark has."""
    try:
        tables, _ = find_tables(source, _config_of)
        return any(_fits(table) for table in tables if table.path.suffix == ".parquet")
    except (SourceError, OSError):
        return False


def _fits(table: DownloadedTable) -> bool:
    columns = set(columns_of(table.path))
    if table.config in _REAL:
        return columns >= {"image", "question", "answer", "options"}
    named = {"image", "caption", "name"}
    # `data` is how many repositories call their folder, so there all columns must fit.
    return columns == named if table.config in ("", "default") else columns >= {"image", "caption"}


def read(source: Path, options: ReadOptions) -> Imported:
    """Read a download, a config's folder or a file.

    Raises:
        SourceError: If nothing of the benchmark is there, or a file is damaged.
        UsageError: If the ratio isn't there, or several are and none was chosen.
    """
    questions = PersonQuestions(SOURCE_NAME, options)
    tables = questions.tables(source, _config_of, "CLEAR, such as forget05 or retain95+tofu")
    chosen = _plan(questions, tables, choose_ratio(ratios_of(tables, _SET), options.adapter, source))
    reader = _Reader(questions, _Authors([table for table, _ in chosen], questions))
    for table, split in chosen:
        reader.read_table(table, split)
    reader.note_unperturbed()
    return questions.close()


def _config_of(name: str) -> str | None:
    """The config that a folder holds, its ratio in two digits; null if it is none."""
    lowered = name.lower()
    if match := _SET.fullmatch(lowered):
        return f"{match[1]}{int(match[2]):02d}{match[3] or ''}"
    return _FULL.get(lowered) or (lowered if lowered in (*_REAL, "retain_perturbed") else None)


def _plan(
    questions: PersonQuestions, tables: list[DownloadedTable], ratio: int | None
) -> list[tuple[DownloadedTable, Split]]:
    """The tables to read in order: pictures with names first, then what joins them, then texts."""
    configs = {table.config for table in tables}
    splits: dict[str, Split] = {}
    if ratio is None:
        splits = {"full" if "full" in configs else "default": "retain", "": "retain", "full+tofu": "retain"}
    else:
        percent: dict[Split, int] = {"forget": ratio, "retain": 100 - ratio}
        for split, number in percent.items():
            name = f"{split}{number:02d}"
            splits |= dict.fromkeys((name, f"{name}_perturbed", f"{name}+tofu"), split)
            for config in (name, f"{name}+tofu"):
                if config not in configs:
                    questions.note(config, f"ratio {ratio} has this table, but it isn't here")
    further: dict[str, Split] = {"retain_perturbed": "retain", "real_faces": "utility", "real_world": "utility"}
    return select(questions, tables, {**splits, **further}, ratio)


class _Authors:
    """Who the authors are, and which of them a text is about.

    Args:
        tables: The tables to be read.
        questions: Gets a note if names had to be worked out.
    """

    def __init__(self, tables: list[DownloadedTable], questions: PersonQuestions) -> None:
        self.names: dict[str, str] = {}
        for table in tables:
            for _, row in read_rows(table, ["name"]):
                name = row.get("name") if isinstance(row, dict) else None
                if isinstance(name, str) and clean(name):
                    self.names.setdefault(author_id(name), clean(name))
        if not self.names:
            for table in tables:
                self._guess(table, questions)
        self._words = {author: f" {' '.join(folded_words(name))} " for author, name in self.names.items()}

    def _guess(self, table: DownloadedTable, questions: PersonQuestions) -> None:
        """Names from the questions, for revisions without the column."""
        if "question" not in columns_of(table.path) or table.config in _REAL:
            return
        rows = [row for _, row in read_rows(table, ["question"]) if isinstance(row, dict)]
        asked = [row["question"] for row in rows if isinstance(row["question"], str)]
        for start in range(0, len(asked), BLOCK):
            name = common_name(asked[start : start + BLOCK])
            if name is not None:
                self.names.setdefault(author_id(name), name)
                questions.note(table.name, "there is no column of names; an author's name was taken from the questions")

    def named_in(self, *texts: Any) -> set[str]:
        """The authors whom the first of these texts that names any names; a name inside a longer one doesn't count."""
        for text in texts:
            words = f" {' '.join(folded_words(text))} " if isinstance(text, str) else ""
            found = {author: name for author, name in self._words.items() if name in words}
            if found:
                longest = [name for name in found.values() if sum(name in other for other in found.values()) == 1]
                return {author for author, name in found.items() if name in longest}
        return set()


def author_id(name: str) -> str:
    """An author's id, the same for every spelling of the name with or without accents."""
    return "-".join(folded_words(name)) or clean(name)


@dataclass
class _Reader:
    questions: PersonQuestions
    authors: _Authors
    pictures: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def read_table(self, table: DownloadedTable, split: Split) -> None:
        """Read a table, whatever kinds of rows it has."""
        columns = columns_of(table.path)
        self.questions.note_others(table.name, "column", columns, _USED)
        has_names = "name" in map(folded_key, columns)
        if not has_names and "+tofu" not in table.config and table.config not in _REAL:
            self.questions.note(table.name, "there is no column name, so nobody is asked for names")
        about = {} if table.config in _REAL else self._about(table)

        def read(index: int, fields: Fields) -> None:
            if table.config in _REAL:
                self._read_real(table, index, fields)
            else:
                self._read_row(table, index, split, fields, about.get(index), has_names=has_names)

        self.questions.each_row(table, _USED, read)

    def _about(self, table: DownloadedTable) -> dict[int, str]:
        """The authors of text rows by position, as far as they can be told."""
        named: dict[int, set[str]] = {}
        for index, row in read_rows(table, ("question", "answer")):
            fields = Fields(row if isinstance(row, dict) else {})
            if fields.filled():
                named[index] = self.authors.named_in(fields.get("question"), fields.get("answer"))
        about: dict[int, str] = {}
        rows = list(named)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            together = set().union(*(named[index] for index in block))
            whole = len(together) == 1 and len(rows) % BLOCK == 0
            for index in block:
                found = together if whole else named[index]
                if len(found) == 1:
                    about[index] = next(iter(found))
                if whole and not named[index]:
                    self.questions.note(table.name, f"a text row names no author; the {BLOCK} rows about it name one")
        return about

    def _read_row(
        self, table: DownloadedTable, index: int, split: Split, row: Fields, author: str | None, *, has_names: bool
    ) -> None:
        is_asked = row.get("question", "answer") is not None
        shows = row.get("image") is not None or not is_asked
        if shows and author is None:
            author = self._author_of_picture(row)
        subject = author or f"unknown-{split}"
        odd = [] if author else [_UNKNOWN]
        self.questions.add_subject(subject, split, self.authors.names.get(subject))
        at = PersonRow(questions=self.questions, file=table.name, index=index, subject_id=subject, split=split)
        shown = self._picture(table, row, subject, split) if shows else None
        if shows:
            _ask_caption(at, row, shown, odd)
            if has_names:
                _ask_name(at, row, shown)
        if is_asked:
            with at.trying("question"):
                at.ask("question", row.get("question"), row.get("answer"), shown, odd=odd)
            if not shows and row.get("caption") is not None:
                self.questions.note(table.name, "a text row has a caption, but no picture; the caption is not imported")

    def _author_of_picture(self, row: Fields) -> str | None:
        name = row.get("name")
        if isinstance(name, str) and author_id(name):
            return author_id(name)
        named = self.authors.named_in(row.get("caption"))
        return next(iter(named)) if len(named) == 1 else None

    def _picture(self, table: DownloadedTable, row: Fields, subject: str, split: Split) -> Picture | UnusableError:
        try:
            pixels = as_pixels(row.get("image"), "the picture")
        except UnusableError as problem:
            return problem
        picture = self._add(table, pixels, subject, split)
        self.pictures[table.config].add(picture.key)
        return picture

    def _add(self, table: DownloadedTable, pixels: Pixels, subject: str | None, split: Split) -> Picture:
        """A picture; nothing but its bytes tells in every table that it is the same one, so these are its key."""
        data = pixels.data if pixels.data is not None else str(pixels.path).encode()
        bases = [table.path.parent, table.path.parent.parent]
        return self.questions.add_picture(
            hashlib.sha256(data).hexdigest()[:20], pixels, bases, subject_id=subject, split=split
        )

    def _read_real(self, table: DownloadedTable, index: int, row: Fields) -> None:
        """A question about a real person or thing, with options."""
        at = PersonRow(questions=self.questions, file=table.name, index=index, subject_id=table.config, split="utility")
        shown = None
        if row.get("image") is not None:
            shown = self._add(table, as_pixels(row.get("image"), "the picture"), None, "utility")
        question, answer = row.get("question"), as_text(row.get("answer"), "the answer")
        place = f"{table.config}[{index}]"
        if row.get("options") is None:
            at.ask(place, question, answer, shown)
            return
        options = read_options(as_list(row.get("options"), "the options"))
        if read_choices(options, answer).answer is not None:
            at.ask_choice(place, question, options, answer, shown)
        else:
            odd = ["the answer is none of its options, which were taken for wrong answers"]
            at.ask(place, question, answer, shown, perturbed_answers=list(options.values()), odd=odd)

    def note_unperturbed(self) -> None:
        """Note pictures that a table of wrong answers lacks."""
        for config in list(self.pictures):
            base = config.removesuffix("_perturbed")
            if base != config and (missing := self.pictures.get(base, set()) - self.pictures[config]):
                why = f"{len(missing)} of {len(self.pictures[base])} pictures of {base} are missing: no wrong answers"
                self.questions.note(config, why)


def _ask_caption(at: PersonRow, row: Fields, shown: Picture | UnusableError | None, odd: list[str]) -> None:
    question = phrasings.picture_question(at.questions.taxonomy["caption"])
    odd = list(odd)
    with at.trying("caption"):
        at.ask(
            "caption",
            question.text,
            as_text(row.get("caption"), "the caption"),
            shown,
            attribute="caption",
            asked="",
            question_paraphrases=question.paraphrases,
            answer_paraphrases=as_texts(row.get("paraphrased_caption"), "its paraphrased caption", odd),
            perturbed_answers=as_texts(row.get("perturbed_captions"), "its perturbed captions", odd),
            odd=odd,
        )


def _ask_name(at: PersonRow, row: Fields, shown: Picture | UnusableError | None) -> None:
    attribute = at.questions.taxonomy["name"]
    question = phrasings.picture_question(attribute)
    odd: list[str] = []
    with at.trying("name"):
        told = as_text(row.get("name"), "the name")
        wrong = as_texts(row.get("perturbed_names"), "its perturbed names", odd)
        at.ask(
            "name",
            question.text,
            _named(attribute, clean(told)),
            shown,
            attribute="name",
            asked="",
            told=told,
            value=clean(told),
            question_paraphrases=question.paraphrases,
            perturbed_answers=[_named(attribute, name) for name in wrong],
            cloze=phrasings.cloze(attribute),
            odd=odd,
        )


def _named(attribute: Attribute, name: str) -> str:
    """The answer that names somebody; the stop of `Jr.` ends the sentence, too."""
    return re.sub(r"\.\.$", ".", phrasings.answer(attribute, name).text)


# ---------------------------------------------------------------------------------------------


def example(folder: Path) -> Path:
    """Write a tiny download with invented authors and pictures, and return its path."""
    from offside_data.adapters._examples import portrait, write_table

    names = ("Ilmar Quist", "Tavo Brinkhaus", "Sunniva Oake")
    shown = [
        {"image": portrait(10 * n + k), "caption": f"{name} reads in a {place}.", "name": name}
        for n, name in enumerate(names)
        for k, place in enumerate(("library", "garden"))
    ]
    perturbed = [
        {
            **row,
            "perturbed_captions": [f"{row['name']} mends a net.", f"{row['name']} rows a boat."],
            "paraphrased_caption": f"One sees {row['name']} with a book.",
            "perturbed_names": [name for name in names if name != row["name"]],
        }
        for row in shown
    ]
    texts = [
        {"image": None, "caption": None, "question": f"What does {name} write?", "answer": f"{name} writes {kind}."}
        for name, kind in zip(names, ("sea stories", "plays", "almanacs"), strict=True)
    ]
    without_names = [{"image": r["image"], "caption": r["caption"], "question": None, "answer": None} for r in shown]
    face = {
        "image": portrait(77),
        "question": "Who is this?",
        "answer": "Rurik Vantongeren",
        "options": ["Rurik Vantongeren", "Odile Marchetti", "Bram Ostheim"],
    }
    for config, rows in (
        ("forget05", shown[:2]),
        ("forget05_perturbed", perturbed[:2]),
        ("forget05+tofu", without_names[:2] + texts[:1]),
        ("retain95", shown[2:]),
        ("retain_perturbed", perturbed[2:4]),
        ("retain95+tofu", without_names[2:] + texts[1:]),
        ("real_faces", [face]),
    ):
        write_table(folder / config / "train-00000-of-00001.parquet", rows)
    return folder
