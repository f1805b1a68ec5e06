"""Typed values: read them from answers and compare them by kind and tolerance, not as strings.

`€35.00m` = `35 million euros`, `two` = `2`, `Swedish` = `Sweden`, `5 ft 11 in` = `1.80 m`; `£` is not `€`.
`parse_value` reads the one value that a gold answer states, `find_values` all values of a kind in free text,
`same_value` compares two. `answer_states` and `states_any` say whether a value stands in a text at all, whatever is
said of it; `answer_says` and `how_stated` whether the text says that it is so, clause by clause.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import Literal

from offside_data.schema import ClaimValue
from offside_data.tagging.comparing import AFFIXES, same_value
from offside_data.tagging.finding import find
from offside_data.tagging.naming import holds_words
from offside_data.tagging.pattern import MEASURED
from offside_data.tagging.statements import read_answer, read_clauses
from offside_data.taxonomy import Attribute

__all__ = [
    "AFFIXES",
    "answer_may_say",
    "answer_says",
    "answer_states",
    "find_values",
    "how_stated",
    "parse_value",
    "same_value",
    "states_any",
    "why_unparsed",
]

HowStated = Literal["stated", "denied", "among_several", "other_role", "doubtful", "not_stated"]
"""What an answer says of a value: that it is so or isn't, that it is one of several, that it is something else
(where the player came from, not where he went), something not quite clear, or nothing."""


def parse_value(text: str, attribute: Attribute) -> ClaimValue | None:
    """The value that a gold answer states, with its text verbatim.

    Args:
        text: A gold answer, e.g. `The transfer fee was €35.00m.`
        attribute: Its attribute; kind, options, phrasings and plausible values are used.

    Returns:
        The value, or None where there is none, or the whole answer isn't accounted for by one plausible value;
        `why_unparsed` says which.
    """
    return read_answer(text, attribute).value


def why_unparsed(text: str, attribute: Attribute) -> str:
    """Why `parse_value` gives None for a gold answer, as a sentence for people."""
    return read_answer(text, attribute).why


def find_values(text: str, attribute: Attribute) -> list[ClaimValue]:
    """All values of the attribute's kind that are readable in free text (a model's answer), in order."""
    return [found.value for found in find(text, attribute.kind, attribute.options)]


def answer_says(answer: str, gold: ClaimValue, attribute: Attribute) -> bool:
    """Whether an answer says that the gold value is so, however it is written there.

    Each clause is read by itself: "it was not 35 million but 40 million" states 40 million, "35 or 40 million"
    neither. An approximation ("around 35 million") states its number.
    """
    return how_stated(answer, gold, attribute) == "stated"


def answer_may_say(answer: str, gold: ClaimValue, attribute: Attribute) -> bool:
    """Whether an answer says a value that somebody else says it does, in words that needn't all be known.

    A denial, a second value, a bound or an unknown unit still tells against it.
    """
    if attribute.kind == "text":
        return answer_states(answer, gold, attribute)
    return any(s.states(gold, knows_words=False) for s in read_clauses(answer, gold, attribute))


def how_stated(answer: str, gold: ClaimValue, attribute: Attribute) -> HowStated:
    """What an answer says of a value: the best that one of its clauses says.

    Of a free text, whether its words stand in the answer.
    """
    if attribute.kind == "text":
        return "stated" if answer_states(answer, gold, attribute) else "not_stated"
    told = list(read_clauses(answer, gold, attribute))
    if any(s.states(gold) and not s.gives_way(after) for s, after in zip_longest(told, told[1:])):
        return "stated"
    about = [s for s in told if any(same_value(f.value, gold, attribute) for f in s.found)]
    if any(s.problem for s in about):
        return "other_role"
    if any(part.doubt == "negation" for s in about for part in s.left):
        return "denied"
    several = any(not same_value(f.value, gold, attribute) for s in about for f in s.found)
    if several or any(part.doubt == "number" for s in about for part in s.left):
        return "among_several"  # "35 or 40 million"
    return "doubtful" if about else "not_stated"


def answer_states(text: str, value: ClaimValue, attribute: Attribute) -> bool:
    """Whether a value stands in a text, however it is written there and whatever is said of it."""
    return states_any(text, (value,), attribute)


def states_any(text: str, values: Iterable[ClaimValue], attribute: Attribute) -> bool:
    """Whether one of these values stands in a text; the text is read once for all of them."""
    for value in values:
        if value.kind in MEASURED or (value.kind == "choice" and attribute.options):
            if any(same_value(found, value, attribute) for found in find_values(text, attribute)):
                return True
        elif holds_words(text, value, attribute):
            return True
    return False
