"""What a model's answer says of the value that it was asked for: clause by clause, then clauses together.

Each clause is read by itself (`easing.said_of`). What only several of them say comes on top: "He will join Ostholm.
That is false." denies, and a list with one value a line is one of several values.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from offside_data.schema import ClaimValue
from offside_data.tagging.asked import Asked, reworded
from offside_data.tagging.clauses import clauses
from offside_data.tagging.comparing import same_value
from offside_data.tagging.easing import (
    is_about,
    is_hedged,
    matches,
    position,
    said_of,
    speaks_of_another_role,
    states_one,
)
from offside_data.tagging.finding import FoundValue, find
from offside_data.tagging.statements import read_clauses
from offside_data.tagging.values import HowStated, find_values, how_stated
from offside_data.tagging.wording import plain
from offside_data.tagging.words import folded_words, word_list
from offside_data.taxonomy import Attribute

__all__ = ["Asked", "how_answered", "said_of", "states_one", "values_in"]

_NOTHING = Asked()
_ANOTHER = word_list("also and or too even maybe perhaps possibly")
"""Words that join another value to one."""
_COUNTER = re.compile(r"(?<!\S)\(?(\d{1,2})[.)][ \t]+(?=\w)")


@dataclass(slots=True)
class _Clause:
    """A clause of an answer.

    Args:
        text: It.
        sentence: Number of its sentence.
        found: The values in it.
        how: What it says of the gold value; denials that stand elsewhere are added later.
        is_denied: Whether another clause denies what it says, of whatever value.
    """

    text: str
    sentence: int
    found: tuple[FoundValue, ...]
    how: HowStated
    is_denied: bool = False


def how_answered(answer: str, gold: ClaimValue, attribute: Attribute, asked: Asked = _NOTHING) -> HowStated:
    """What an answer says of the gold value: the best that one of its clauses says.

    Args:
        answer: A model's answer.
        gold: The value.
        attribute: Its attribute.
        asked: What is known of the question; its words and its subject's names make no answer doubtful.

    Returns:
        `stated` if a clause says that it is so and no other clause takes that back or says the same of another value;
        `denied`, `among_several`, `other_role` or `doubtful` if it is only mentioned; else `not_stated`.
    """
    if attribute.kind == "text":
        return how_stated(answer, gold, attribute)
    said = list(_clauses(_by_lines(reworded(answer, gold, attribute, asked)), gold, attribute))
    _deny(said)
    _condition(said)
    told = {clause.how for clause in said}
    if "stated" in told:
        is_one = _is_one_of_a_list(said, gold, attribute) or _is_outdone(said, gold, attribute)
        return "among_several" if is_one else "stated"
    for how in ("denied", "among_several", "other_role"):
        if how in told:
            return how
    if "doubtful" not in told:
        return "not_stated"
    doubtful = [clause for clause in said if clause.how == "doubtful"]
    if any(_is_elsewhere(clause, gold, attribute) for clause in doubtful):
        return "other_role"
    if _is_one_of_a_list(said, gold, attribute):
        return "among_several"
    near = {clause.sentence for clause in doubtful}
    # "It could be Ostholm, it could be Grauwick"
    return "among_several" if any(c.sentence in near and _others(c, gold, attribute) for c in said) else "doubtful"


def values_in(answer: str, gold: ClaimValue, attribute: Attribute, asked: Asked = _NOTHING) -> list[ClaimValue]:
    """All values of the kind in an answer, as `how_answered` reads it."""
    return find_values(reworded(answer, gold, attribute, asked), attribute)


def _by_lines(text: str) -> str:
    """A text with each item of a numbered list on a line of its own: `1. Ostholm 2. Grauwick`."""
    counted = [int(match[1]) for match in _COUNTER.finditer(text)]
    is_list = len(counted) > 1 and counted == list(range(1, len(counted) + 1))
    return _COUNTER.sub("\n", text) if is_list else text


def _clauses(text: str, gold: ClaimValue, attribute: Attribute) -> list[_Clause]:
    found, sentence = [], 0
    places = [(f.start, f.end) for f in find(text, attribute.kind, attribute.options)]
    for start, end in clauses(text, places):
        said = text[start:end]
        how = said_of(said, gold, attribute)
        if how != "not_stated" and _denies(said):
            how = "denied"
        elif how in ("stated", "doubtful") and speaks_of_another_role(said, attribute):
            how = "other_role"
        found.append(_Clause(said, sentence, find(said, attribute.kind, attribute.options), how))
        sentence += said.rstrip(" ")[-1:] in ".!?;…\n"
    return found


# ---------------------------------------------------------------------------------------------
# Clauses together


def _deny(said: Sequence[_Clause]) -> None:
    """Let clauses that deny something, and hold no value themselves, deny what they speak of."""
    told = [i for i, clause in enumerate(said) if clause.found or clause.how != "not_stated"]
    for i, clause in enumerate(said):
        if clause.found or clause.how != "not_stated" or not _denies(clause.text):
            continue
        place = bisect_left(told, i)
        if matches("pointing_ahead", r"^.+\b(?:{})\b", _from_denial(clause.text)):
            meant = [said[after] for after in told[place : place + 1] if said[after].sentence == clause.sentence]
        elif matches("pointing_back", r"^\W*(?:[\w' ]{{1,20}},\s*)?(?:{})\b", clause.text):
            near = told[max(0, place - 1) : place]
            meant = [said[before] for before in near if said[before].sentence >= clause.sentence - 1]
        else:
            continue
        if meant:
            meant[0].is_denied = True
            meant[0].how = "denied" if meant[0].how != "not_stated" else "not_stated"


def _condition(said: Sequence[_Clause]) -> None:
    """What would be under a condition isn't stated: `Had he been better, he would have joined Ostholm`."""
    conditional = {
        clause.sentence
        for clause in said
        if matches("conditional", r"^\W*(?:{})\b", clause.text)
        and not matches("own_condition", r"\b(?:{})\b", clause.text)
    }
    for clause in said:
        if clause.sentence in conditional and clause.how == "stated":
            clause.how = "doubtful"


def _from_denial(text: str) -> str:
    """A clause from its denial on."""
    start = position("denials", r"\b(?:{})\b", text)
    return plain(text)[start:]


def _denies(text: str) -> bool:
    if matches("doubts", r"\b(?:{})\b", text):
        return True
    return matches("denials", r"\b(?:{})\b", text) and not matches("own_doubt", r"\b(?:{})\b", text)


def _is_one_of_a_list(said: Sequence[_Clause], gold: ClaimValue, attribute: Attribute) -> bool:
    """Whether another clause is worded as the one with the gold value, with another value in its place."""
    worded = {_frame(clause) for clause in said if clause.how in ("stated", "doubtful")}
    others = [
        c
        for c in said
        if c.how == "not_stated" and _others(c, gold, attribute) and not (c.is_denied or _denies(c.text))
    ]
    return any(_frame(clause) in worded or matches("other_sources", r"^\W*(?:{})\b", clause.text) for clause in others)


def _is_outdone(said: Sequence[_Clause], gold: ClaimValue, attribute: Attribute) -> bool:
    """Whether the gold value is only hedged and another stated: `Ostholm were interested, but he joined Halden`."""
    if not all(is_hedged(clause.text, attribute) for clause in said if clause.how == "stated"):
        return False
    rest = [
        c for c in said if c.how == "not_stated" and is_about(c.text, attribute) and not is_hedged(c.text, attribute)
    ]
    return any(states_one(c.text, [f.value for f in c.found], attribute) for c in rest)


def _others(clause: _Clause, gold: ClaimValue, attribute: Attribute) -> bool:
    return any(not same_value(f.value, gold, attribute) for f in clause.found)


def _frame(clause: _Clause) -> tuple[str, ...]:
    """The words of a clause without its values."""
    ends = [0, *(value.end for value in clause.found)]
    starts = [*(value.start for value in clause.found), len(clause.text)]
    text = " ".join(clause.text[end:start] for end, start in zip(ends, starts, strict=True))
    return tuple(word for word in folded_words(text) if word not in _ANOTHER)


# ---------------------------------------------------------------------------------------------
# Of what a value is said


def _is_elsewhere(clause: _Clause, gold: ClaimValue, attribute: Attribute) -> bool:
    """Whether the value is said of something that the attribute's words don't account for: `scored against Ostholm`."""
    is_unit = attribute.kind in ("amount", "length")  # "€35 zillion"
    return any(
        part.doubt in ("unknown", "counted") and not (is_unit and part.is_beside)
        for statement in read_clauses(clause.text, gold, attribute)
        for part in statement.left
    )
