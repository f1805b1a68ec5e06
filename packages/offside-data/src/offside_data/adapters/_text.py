"""Clean the texts of published records: image tokens, stray blanks, names with a stray full stop."""

from __future__ import annotations

import re

from offside_data.invisible import visible
from offside_data.tagging.words import find_names, is_abbreviation
from offside_data.validation import IMAGE_TOKEN

_TOKEN = re.escape(IMAGE_TOKEN)
_IN_PLACE_OF_NOUN = re.compile(rf"\b(in|of|from|at|on|by|to|with)\s+{_TOKEN}", re.I)
_BLANK_BEFORE_STOP = re.compile(r"\s+([.,;:?!])")
_STRAY_STOP_POSSESSIVE = re.compile(r"(\w+)\.(['’]s)\b")


def clean(text: str) -> str:
    """One line without stray blanks and invisible characters; quotes and everything else stay as they are."""
    return " ".join(visible(text).split())


def strip_image_tokens(text: str) -> str:
    """A question without literal `<image>`, still a sentence.

    `shown in <image>.` becomes `shown in this image.`; a trailing `: <image>` becomes a full stop; any other
    token goes.
    """
    if IMAGE_TOKEN not in text:
        return clean(text)
    text = re.sub(rf"^(?:\s*{_TOKEN})+", "", text)
    text = _IN_PLACE_OF_NOUN.sub(r"\1 this image", text)
    ended_in_token = text.rstrip(" .?!\n").endswith(IMAGE_TOKEN)
    text = _BLANK_BEFORE_STOP.sub(r"\1", clean(text.replace(IMAGE_TOKEN, " ")))
    text = re.sub(r"([.?!])\.$", r"\1", text)
    if ended_in_token:
        text = re.sub(r"\s*[:,;-]+([.?!]?)$", lambda m: m[1] or ".", text)
    return text


def repair_names(text: str, name: str | None) -> str:
    """Take the stray full stop off a name inside a sentence.

    `Tavo Lind.'s age` becomes `Tavo Lind's age`; with the `name` known, `When was Tavo Lind. born?` becomes
    `When was Tavo Lind born?`. Full stops of abbreviations (`Jr.`, `1.FSV`) and ends of sentences stay.
    """
    text = _STRAY_STOP_POSSESSIVE.sub(lambda m: m[0] if is_abbreviation(m[1]) else m[1] + m[2], text)
    if name and not is_abbreviation(re.split(r"\W+", name.rstrip("."))[-1]):
        text = re.sub(rf"{re.escape(name.rstrip('.'))}\.(?=\s+[a-z])", name.rstrip("."), text)
    return text


def common_name(questions: list[str]) -> str | None:
    """The name that most of these questions hold, e.g. all text questions about one subject."""
    counts: dict[str, int] = {}
    for question in questions:
        for name in dict.fromkeys(span.text for span in find_names(_STRAY_STOP_POSSESSIVE.sub(r"\1\2", question))):
            counts[name] = counts.get(name, 0) + 1
    best = max(counts, key=lambda name: counts[name], default=None)
    return best if best is not None and counts[best] * 2 > len(questions) else None
