"""Files and rows of the published OFFSIDE data, before anything is made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from offside_data.adapters import _pictures
from offside_data.adapters._base import Remark
from offside_data.adapters._text import strip_image_tokens
from offside_data.errors import SourceError
from offside_data.limits import LIST
from offside_data.reading import read_small
from offside_data.schema import Modality, make_image_id
from offside_data.validation import IMAGE_TOKEN

SOURCE_NAME = "offside"
"""Part of every id: the same published record has the same id, whatever the dataset is called."""
FIXED_SPLITS = {
    "test_set.json": "test",
    "classification_test_set.json": "test",
    "relearn_set_enhanced.json": "relearn",
    "classification_relearn_set.json": "relearn",
}
"""Files whose name decides the split; elsewhere the picture's number does."""
KNOWN_FILES = (
    "finetune_set.json",
    "forget_set.json",
    "retain_set.json",
    "test_set.json",
    "relearn_set_enhanced.json",
    "enhanced_finetuneset.json",
    "forget_set_part.json",
    "retain_set_part.json",
    "classification_retain_set.json",
    "classification_forget_set.json",
    "classification_test_set.json",
    "classification_relearn_set.json",
)
"""Files of the published archive, in the order in which they are read."""
_MESSAGE_KEYS = {"messages", "images", "image"}
_CHOICE_KEYS = {"Question", "Options", "Correct_Answer", "images", "image"}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One JSON file: where it is, how it is called in the records, the folder that everything lies in."""

    path: Path
    name: str
    root: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsideRow:
    """One usable source row.

    Args:
        file: Where it stands.
        index: Its position there.
        question: Verbatim.
        answer: Verbatim; of a classification row, the text of the right option.
        picture: The picture as it is named there.
        number: The picture's number, which gives player and split.
        stem: The picture's file name without its ending.
        choices: The options of a classification row.
        correct: Which of them is right.
        split: By the file's name where that decides, else by the picture's number.
        picture_key: The picture's name, for ever.
    """

    file: SourceFile
    index: int
    question: str
    answer: str
    picture: str
    number: int
    stem: str
    choices: tuple[str, ...] = ()
    correct: int | None = None
    split: str = field(init=False)
    picture_key: str = field(init=False)

    def __post_init__(self) -> None:
        fixed = FIXED_SPLITS.get(self.file.path.name)
        split = fixed or {0: "relearn", 4: "forget"}.get(self.number % 5, "retain")
        # Test pictures may be called as the retain pictures that they were made from.
        name = PurePosixPath(self.picture.replace("\\", "/")).name
        object.__setattr__(self, "split", split)
        object.__setattr__(self, "picture_key", f"test/{name}" if split == "test" else name)

    @property
    def modality(self) -> Modality:
        """Text rows hold no `<image>`, although they name a picture; classification rows need theirs."""
        if IMAGE_TOKEN in self.question or (self.choices and "pure_text" not in self.file.name):
            return "multimodal"
        return "text"

    @property
    def subject_id(self) -> str:
        """Five pictures in a row show one player."""
        return f"player-{(self.number - 1) // 5:03d}"

    def remark(self, kind: Any, why: str, record_id: str | None = None) -> Remark:
        """A remark on this row."""
        return Remark(kind=kind, file=self.file.name, index=self.index, why=why, record_id=record_id)


def image_id(row: OffsideRow) -> str:
    """The id of a row's picture."""
    return make_image_id(SOURCE_NAME, row.picture_key)


def find_files(source: Path) -> tuple[list[SourceFile], list[Remark]]:
    """The JSON files to read, and remarks on those that aren't known.

    Raises:
        SourceError: If a folder holds none that is known.
    """
    if source.suffix.lower() == ".zip":
        raise SourceError(f"{source}: unpack the archive, then give its folder.")
    if source.is_file():
        return [SourceFile(source, source.name, source.parent)], []
    if not source.is_dir():
        raise SourceError(f"{source}: no such file or folder.")
    found = sorted(p for p in source.rglob("*.json") if len(p.relative_to(source).parts) <= 4)
    files = [SourceFile(p, p.relative_to(source).as_posix(), source) for p in found]
    known = [f for f in files if f.path.name in KNOWN_FILES]
    if not known:
        raise SourceError(
            f"{source}: holds none of the files of the published archive ({', '.join(KNOWN_FILES)}). "
            "Give that archive's folder, or one JSON file."
        )
    known.sort(key=lambda f: (KNOWN_FILES.index(f.path.name), "pure_text" in f.name, f.name))
    unknown = [f for f in files if f.path.name not in KNOWN_FILES]
    why = "not read: no file of the published archive is called so; give it alone to import it"
    return known, [Remark(kind="note", file=f.name, index=None, why=why) for f in unknown]


def load_list(path: Path) -> list[Any]:
    """The JSON list that a file holds.

    Raises:
        SourceError: If it isn't readable, JSON or a list; says where.
    """
    try:
        loaded = json.loads(read_small(path, error=SourceError, limit=LIST, encoding="utf-8-sig"))
    except OSError as error:
        raise SourceError(f"{path}: can't be read as UTF-8 text: {error}") from error
    except json.JSONDecodeError as error:
        raise SourceError(
            f"{path}: not valid JSON at line {error.lineno}, column {error.colno} (character {error.pos}): "
            f"{error.msg}. Is the file cut off? Fetch it again."
        ) from error
    except RecursionError as error:
        raise SourceError(f"{path}: nested too deeply to be a list of records.") from error
    if not isinstance(loaded, list):
        raise SourceError(f"{path}: must hold a JSON list of records, holds a {type(loaded).__name__}.")
    return loaded


def looks_like_rows(items: list[Any]) -> bool:
    """Whether the first items are in one of the two published forms."""
    heads = [item for item in items[:5] if isinstance(item, dict)]
    forms: tuple[set[str], ...] = ({"messages", "images"}, {"messages", "image"}, {"Question", "Correct_Answer"})
    return bool(heads) and any(all(form <= head.keys() for head in heads) for form in forms)


def read_rows(file: SourceFile) -> Iterator[OffsideRow | Remark]:
    """The rows of a file in order: usable ones, and for each other one a remark why not.

    A remark of kind `note` is about the row before it.

    Raises:
        SourceError: If the file itself can't be read.
    """
    for index, item in enumerate(load_list(file.path)):
        try:
            row = _read_row(file, index, item)
        except ValueError as problem:
            yield Remark(kind="rejected", file=file.name, index=index, why=str(problem))
            continue
        yield row
        extra = sorted(set(item) - (_CHOICE_KEYS if row.choices else _MESSAGE_KEYS))
        if extra:
            yield row.remark("note", f"unknown keys are not imported: {', '.join(map(str, extra))}")


def _read_row(file: SourceFile, index: int, item: Any) -> OffsideRow:
    """Make a row.

    Raises:
        ValueError: If it isn't usable; says why.
    """
    if not isinstance(item, dict):
        raise ValueError(f"must be an object, is a {type(item).__name__}")
    choices: tuple[str, ...] = ()
    correct = None
    if "messages" in item:
        question, answer = _messages(item["messages"])
    elif "Question" in item:
        question, choices, correct = _classification(item)
        answer = choices[correct]
    else:
        raise ValueError(f"has neither 'messages' nor 'Question'; its keys are {sorted(map(str, item))}")
    if not question.replace(IMAGE_TOKEN, "").strip():
        raise ValueError("the question is empty")
    if not answer.replace(IMAGE_TOKEN, "").strip():
        raise ValueError("the answer is empty")
    if any("\ud800" <= c <= "\udfff" for text in (question, answer, *choices) for c in text):
        raise ValueError("question or answer holds half a character (a lone surrogate)")
    picture = _picture(item)
    stem = PurePosixPath(picture.replace("\\", "/")).stem
    digits = re.match(r"\d{1,6}(?!\d)", stem)
    if digits is None or int(digits.group()) == 0:
        raise ValueError(
            f"the picture is called {picture!r}; its file name must start with a number from 1, "
            "which gives player and split"
        )
    return OffsideRow(
        file=file,
        index=index,
        question=question,
        answer=answer,
        picture=picture,
        number=int(digits.group()),
        stem=stem,
        choices=choices,
        correct=correct,
    )


def _messages(messages: Any) -> tuple[str, str]:
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise ValueError("'messages' must be a list of objects")
    roles = [m.get("role") for m in messages]
    if roles == ["user"]:
        raise ValueError("has no answer: 'messages' lacks the assistant's turn")
    if roles != ["user", "assistant"]:
        raise ValueError(f"'messages' must be one user turn and one assistant turn, the roles are {roles}")
    question, answer = (m.get("content") for m in messages)
    for role, content in (("user", question), ("assistant", answer)):
        if not isinstance(content, str):
            raise ValueError(f"the {role}'s 'content' must be text, is a {type(content).__name__}")
    return question, answer


def _classification(item: dict[str, Any]) -> tuple[str, tuple[str, ...], int]:
    question, options, letter = item["Question"], item.get("Options"), item.get("Correct_Answer")
    if not isinstance(question, str):
        raise ValueError(f"'Question' must be text, is a {type(question).__name__}")
    if not isinstance(options, dict) or not all(isinstance(o, str) and o.strip() for o in options.values()):
        raise ValueError("'Options' must be an object of letter to text")
    letters = [str(key).strip().casefold() for key in options]
    if not isinstance(letter, str) or letters.count(letter.strip().casefold()) != 1:
        raise ValueError(f"'Correct_Answer' is {letter!r}, the options are {', '.join(options)}")
    texts = tuple(strip_image_tokens(o) for o in options.values())
    if len(texts) < 2 or len({t.casefold() for t in texts}) < len(texts) or not all(texts):
        raise ValueError(f"'Options' must be at least two different texts, they are {list(texts)}")
    return question, texts, letters.index(letter.strip().casefold())


def _picture(item: dict[str, Any]) -> str:
    given = item.get("images", item.get("image"))
    if isinstance(given, list):
        if len(given) != 1:
            raise ValueError(f"'images' names {len(given)} pictures; one is needed")
        given = given[0]
    if isinstance(given, dict):
        given = given.get("path")
    if not isinstance(given, str) or not given.strip():
        raise ValueError(f"'images' must name a picture, is {given!r}")
    return given


def places_of(row: OffsideRow, roots: list[Path], image_dirs: tuple[Path, ...]) -> tuple[Path, ...]:
    """Where a row's picture may lie: as written, then by its file name, never outside the source's folders.

    Args:
        row: A row that names the picture.
        roots: The folders of all JSON files that are read; pictures are shared between them.
        image_dirs: Folders that the user named.
    """
    bases = [*image_dirs, row.file.path.parent, *(r for r in roots if r != row.file.path.parent)]
    return _pictures.places_of(row.picture, bases, shorten="name", within=(row.file.root, *image_dirs))
