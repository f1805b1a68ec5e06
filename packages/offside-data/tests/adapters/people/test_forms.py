from __future__ import annotations

import pytest

from offside_data.adapters._people.forms import SourceChoices, read_choices, read_cloze

OPTIONS = {"A": "a falconer", "B": "a baker"}


@pytest.mark.parametrize(
    ("sentence", "word", "answer", "cloze"),
    [
        ("It is __.", "a baker", "It is a baker.", "It is ____."),
        ("It is __.", "a baker.", "It is a baker.", "It is ____."),
        ("It is ______", "a baker.", "It is a baker.", "It is ____"),
        ("__ is 25__years old.", "x", "x", None),
        ("<image>\nAged [blank]!", "25", "Aged 25!", "Aged ____!"),
        ("It is one.", "baker", "baker", None),
    ],
)
def test_a_sentence_with_a_blank(sentence: str, word: str, answer: str, cloze: str | None) -> None:
    found = read_cloze(sentence, word)
    assert (found.answer, found.cloze) == (answer, cloze)
    assert bool(found.odd) == (cloze is None)


def test_a_sentence_that_tells_its_word_is_odd() -> None:
    assert read_cloze("A baker's son is a __.", "baker").odd == ("the cloze sentence tells the word beside the blank",)


@pytest.mark.parametrize("right", ["B", " b ", "B.", "(B)", "B)", "B. a baker", "B: A  Baker.", "a baker", "A Baker"])
def test_the_right_option_in_every_spelling(right: str) -> None:
    assert read_choices(OPTIONS, right) == SourceChoices(("a falconer", "a baker"), 1, "a baker", ())


@pytest.mark.parametrize("right", ["C", "a tanner", "baker", "?", "Boston"])
def test_the_right_option_is_not_there(right: str) -> None:
    assert read_choices(OPTIONS, right).answer is None


@pytest.mark.parametrize("options", [{"A": "a baker"}, {"A": "a baker", "B": "A baker"}])
def test_options_that_cannot_be_told_apart(options: dict[str, str]) -> None:
    found = read_choices(options, "A")
    assert (found.texts, found.correct, found.answer) == ((), None, "a baker")
    assert "can't be told apart" in found.odd[0]


def test_a_letter_with_another_text_is_odd() -> None:
    assert read_choices(OPTIONS, "B. a tanner").odd == ("the answer 'B. a tanner' doesn't repeat its option 'a baker'",)
