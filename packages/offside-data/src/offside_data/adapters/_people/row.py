"""One row of a benchmark about persons: its questions in their forms, each added to the others or rejected."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from offside_data.adapters._base import Picture
from offside_data.adapters._people.forms import read_choices, read_cloze
from offside_data.adapters._people.persons import STATEMENT, PersonQuestions, SourceQuestion
from offside_data.adapters._text import strip_image_tokens
from offside_data.adapters._values import (
    BlankError,
    Fields,
    UnusableError,
    as_fields,
    as_list,
    as_text,
    as_words,
    folded_key,
    unpack,
)
from offside_data.schema import Split

Shown = Picture | UnusableError | None
"""What is shown with a question: a picture, nothing (a text question), or why there is no picture."""
_LETTERS = "ABCDEFGHIJ"
_LARGEST_ID = 10**18


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """Where the questions of a row stand, and whom they are about.

    The methods that ask raise `UnusableError`; inside `trying` that makes the question a rejected one.

    Args:
        questions: Collects them.
        file: The source file.
        index: The row's position there.
        subject_id: The person.
        split: The split of its questions.
        prefix: Comes before the place of each question, where places alone aren't unique.
    """

    questions: PersonQuestions
    file: str
    index: int
    subject_id: str
    split: Split
    prefix: str = ""

    def trying(self, place: str) -> AbstractContextManager[None]:
        """Reject what stands at `place` if it turns out to be unusable."""
        return self.questions.trying(self.file, self.index, self.prefix + place)

    def ask(
        self,
        place: str,
        question: Any,
        answer: Any,
        shown: Shown,
        *,
        attribute: str = STATEMENT,
        asked: str | None = None,
        told: str | None = None,
        **extras: Any,
    ) -> None:
        """A question with its answer; a blank one is counted, see `PersonQuestions.trying`.

        Args:
            place: Where it stands in the row.
            question: As it stands there.
            answer: As it stands there.
            shown: The picture.
            attribute: What it is about.
            asked: The question verbatim, where `question` is in our own words.
            told: The answer verbatim, where `answer` is in our own words.
            extras: Further fields of `Item`.

        Raises:
            UnusableError: If question, answer or picture can't be used.
        """
        question, answer = as_words(question, "the question"), as_words(answer, "the answer")
        self._add(
            place,
            shown,
            attribute,
            question if asked is None else asked,
            answer if told is None else told,
            question=strip_image_tokens(question),
            answer=strip_image_tokens(answer),
            **extras,
        )

    def ask_choice(
        self,
        place: str,
        question: Any,
        options: Any,
        right: Any,
        shown: Shown,
        *,
        attribute: str = STATEMENT,
        odd: Sequence[str] = (),
    ) -> None:
        """A question with options; the answer is the text of the right one.

        Raises:
            UnusableError: If something can't be used, or no option is the right one.
        """
        asked, told = as_words(question, "the question"), as_words(right, "the right answer")
        found = read_choices(read_options(options), told)
        if found.answer is None:
            raise UnusableError(f"the right answer {told!r} is none of the options {list(found.texts)}")
        self._add(
            place,
            shown,
            attribute,
            asked,
            told,
            question=strip_image_tokens(asked),
            answer=found.answer,
            value=found.answer,
            choices=found.texts,
            correct=found.correct,
            odd=(*odd, *found.odd),
        )

    def ask_cloze(
        self, place: str, sentence: Any, word: Any, shown: Shown, *, attribute: str = STATEMENT, told: str | None = None
    ) -> None:
        """A sentence with a blank, and the word that belongs there; `told` if the source says more than that word.

        Raises:
            UnusableError: If something can't be used.
        """
        asked, word = as_words(sentence, "the question"), as_words(word, "the answer")
        found = read_cloze(asked, word)
        self._add(
            place,
            shown,
            attribute,
            asked,
            told or word,
            question=found.question,
            answer=found.answer,
            value=strip_image_tokens(word),
            cloze=found.cloze,
            odd=found.odd,
        )

    def _add(self, place: str, shown: Shown, attribute: str, asked: str, told: str, **fields: Any) -> None:
        if isinstance(shown, UnusableError):
            raise shown
        item = SourceQuestion(
            file=self.file,
            index=self.index,
            place=self.prefix + place,
            subject_id=self.subject_id,
            split=self.split,
            picture=shown,
            attribute=attribute,
            asked=asked,
            told=told,
            **fields,
        )
        self.questions.add(item)

    def each(self, task: str, value: Any, known: Collection[str], ask: Callable[[str, Fields], None]) -> None:
        """Ask the questions of a list one by one; of each, keys that aren't `known` are noted.

        Raises:
            UnusableError: If `value` is no list.
        """
        for number, item in enumerate(as_list(value, "it")):
            place = f"{task}[{number}]"
            with self.trying(place):
                fields = as_fields(item, "it")
                self.questions.note_others(self.file, f"key of {task}", fields.filled(), known)
                if _asks_nothing(fields):
                    raise BlankError("the question is empty")
                ask(place, fields)


def _asks_nothing(fields: Fields) -> bool:
    """Whether a question is there, but null, as Parquet holds an empty one; a missing key is another matter."""
    return any(folded_key(key) == "question" and value is None for key, value in fields.items())


def read_id(value: Any) -> str:
    """A person's ID as text.

    Raises:
        UnusableError: If it is neither text nor a whole number.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_ID:
        value = str(value)
    return strip_image_tokens(as_text(value, "the ID"))


def read_options(value: Any) -> dict[str, str]:
    """Options by letter: an object, or a list in the order of the letters. A struct has nulls for missing ones.

    Raises:
        UnusableError: If they are neither, or one isn't text.
    """
    value = unpack(value, "the options")
    if isinstance(value, list | tuple):
        value = dict(zip(_LETTERS, value, strict=False))
    found = as_fields(value, "the options").items()
    return {letter: as_text(text, f"option {letter}") for letter, text in found if text is not None}
