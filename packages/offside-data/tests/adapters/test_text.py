from __future__ import annotations

import pytest

from offside_data.adapters._text import clean, common_name, repair_names, strip_image_tokens


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("<image>\nWho is this?", "Who is this?"),
        ("<image>\nHow old is he in this image: <image>", "How old is he in this image."),
        (
            "<image>\nI'm curious about what is shown in <image>.",
            "I'm curious about what is shown in this image.",
        ),
        ("<image>\nWhich team he in <image> was with?", "Which team he in this image was with?"),
        ("<image>\nI'm curious about who this is. <image>", "I'm curious about who this is."),
        ("<image>\nI'm curious where he goes.<image>", "I'm curious where he goes."),
        (
            "<image>\nI'm curious about the height shown here <image>.",
            "I'm curious about the height shown here.",
        ),
        ("<image>\nWhere was he born? <image>", "Where was he born?"),
        ("  stray \n blanks ", "stray blanks"),
        ("The player’s “foot”.", "The player’s “foot”."),
    ],
)
def test_questions_are_sentences_without_tokens(raw: str, expected: str) -> None:
    assert strip_image_tokens(raw) == expected


def test_clean_keeps_everything_but_blanks() -> None:
    assert clean(" a\u00a0b\t’c’ \n") == "a b ’c’"


@pytest.mark.parametrize(
    ("raw", "name", "expected"),
    [
        ("What is Tavo Lind.'s age?", "Tavo Lind", "What is Tavo Lind's age?"),
        ("What is Tavo Lind.’s age?", None, "What is Tavo Lind’s age?"),
        ("When was Tavo Lind. born?", "Tavo Lind", "When was Tavo Lind born?"),
        ("See Tavo Lind. Where was he born?", "Tavo Lind", "See Tavo Lind. Where was he born?"),
        ("I'm curious about Tavo Lind.", "Tavo Lind", "I'm curious about Tavo Lind."),
        ("What is Tavo Lind Jr.'s age?", "Tavo Lind Jr.", "What is Tavo Lind Jr.'s age?"),
        ("When was Tavo Lind Jr. born?", "Tavo Lind Jr.", "When was Tavo Lind Jr. born?"),
        ("Did Tavo Lind. join 1.FSV Ostholm?", "Tavo Lind", "Did Tavo Lind join 1.FSV Ostholm?"),
    ],
)
def test_names_lose_a_stray_full_stop_and_abbreviations_keep_theirs(raw: str, name: str | None, expected: str) -> None:
    assert repair_names(raw, name) == expected


def test_the_common_name_of_text_questions() -> None:
    questions = [
        "What is Øvar Lind.'s age?",
        "When was Øvar Lind born?",
        "Can you say where Øvar Lind. was born?",
    ]
    assert common_name(questions) == "Øvar Lind"
    assert common_name(["Who?", "Where?"]) is None
