"""Which attribute an OFFSIDE record is about: by its position in the picture's group, or by its words.

The published groups of 14 (13 in the text files) always list the attributes in one of two orders, the selective
parts hold the private or the shared ones of them; every other group is worked out from keywords of the question and
the pattern of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SHARED = ("name", "age", "position", "nationality", "birth_date", "height", "foot", "birth_place")
PRIVATE = ("club", "previous_club", "transfer_date", "fee", "market_value", "trophies")
PRIVATE_FIRST = PRIVATE + SHARED
SHARED_FIRST = SHARED + PRIVATE

_I = re.IGNORECASE
QUESTION_RULES: dict[str, re.Pattern[str]] = {
    "name": re.compile(r"\bwho\b|\bidentity\b|\bidentify\b|\bname\b", _I),
    "age": re.compile(r"\bhow old\b|\bage\b", _I),
    "position": re.compile(r"\bposition\b|\brole\b", _I),
    "nationality": re.compile(r"\bnationality\b|\bcountry\b|\bnational team\b", _I),
    "birth_date": re.compile(r"\bbirth ?date\b|\bdate of birth\b|\bbirthday\b|\bwhen\b.*\bborn\b", _I),
    "height": re.compile(r"\bheight\b|\btall\b", _I),
    "foot": re.compile(r"\bfoot(?:ed)?\b", _I),
    "birth_place": re.compile(r"\bbirth ?place\b|\bplace of (?:birth|origin)\b|\bwhere\b.*\bborn\b|\bhometown\b", _I),
    "previous_club": re.compile(
        r"\b(?:previous|former|last) (?:club|team)\b|\btransfer history\b|\bleft to join\b"
        r"|\bfrom (?:which|what|where)\b|\b(?:club|team)\b.*\bbefore\b"
        r"|\b(?:transfer(?:red)?|came|come|coming|moved?|joined|arrived)\b[^.?]{0,12}\bfrom\b",
        _I,
    ),
    "transfer_date": re.compile(
        r"\bwhen\b.*\b(?:transfer|move[ds]?\b|join)|\btransfer date\b|\bdate\b.*\b(?:transfer|move)", _I
    ),
    "fee": re.compile(r"\bfee\b|\btransfer details\b|\bcost\b|\bpaid\b", _I),
    "market_value": re.compile(r"\bmarket valu|\bvaluation\b|\bworth\b", _I),
    "trophies": re.compile(r"\btroph|\bachievements?\b|\btitles?\b|\bsilverware\b", _I),
    "club": re.compile(r"\b(?:which|what|the|their|his) (?:new |next )?(?:club|team)\b", _I),
}
ANSWER_RULES: dict[str, re.Pattern[str]] = {
    "name": re.compile(
        r"\bname is\b|\bThat['’]s [^\W\d_a-z]|\b[Tt]his is [^\W\d_a-z]"
        r"|\b(?:player|athlete|person)(?: (?:in|shown|seen|featured|depicted|you)\b[^.]*)? is [^\W\d_a-z]"
    ),
    "age": re.compile(r"\byears? old\b|\bage is\b|\baged\b", _I),
    "position": re.compile(
        r"\b(?:goal)?keeper\b|\bmidfield(?:er)?\b|\bwinger\b|\bstriker\b|\bdefender\b"
        r"|\b(?:cent(?:re|er)|left|right|full|wing)[ -]?(?:back|forward|wing)\b",
        _I,
    ),
    "nationality": re.compile(r"\b(?:is|comes) from [^,]+$|\brepresents\b|\bnational|\bis (?:an? )?[^\W\d_a-z]\w+\.?$"),
    "birth_date": re.compile(r"\bborn on\b|\bbirth ?date\b|\bdate of birth\b|\bbirthday\b", _I),
    "height": re.compile(r"\btall\b|\bmet(?:er|re)s?\b|\bheight\b|\d ?cm\b", _I),
    "foot": re.compile(r"\bfoot(?:ed)?\b|\bthe (?:right|left) one\b|\bboth feet\b", _I),
    "birth_place": re.compile(r"\bborn in (?!the image|this image)|\bis from [^,]+,|\bbirth ?place\b", _I),
    "previous_club": re.compile(
        r"\b(?:transfer(?:red)?|came|comes|moved?|joined|arrived|left)\b[^.]{0,12}\bfrom\b"
        r"|\bprevious (?:club|team)\b",
        _I,
    ),
    "transfer_date": re.compile(r"\btransfer(?:red)?\b.*\b(?:19|20)\d\d\b|\btransfer date\b|\bmoved? on\b", _I),
    "fee": re.compile(r"\bfee\b|\bfree\b|\bloan", _I),
    "market_value": re.compile(r"\bmarket value\b|\bworth\b|\bvalued\b", _I),
    "trophies": re.compile(r"\btroph|\btitles?\b", _I),
    "club": re.compile(
        r"\bwill\b|\bset to\b|\bgoing to\b|\bjoin(?:s|ing|ed)?\b(?! from)|\btransferring to\b|\bmoving to\b"
        r"|\b(?:was|is|were|been) (?:with|at|playing|representing|associated|part)\b"
        r"|\b(?:at|during) that (?:time|period|moment|point)\b|\bplayed for\b|\brepresented\b|\bclub was\b",
        _I,
    ),
}
_NOT_WITH_CLUB = {"previous_club", "trophies", "fee", "market_value", "transfer_date"}


@dataclass(frozen=True, slots=True)
class AttributeGuess:
    """What a record is about (null if nothing fits), and what is odd about it, if anything is."""

    attribute: str | None
    odd: str | None = None


def by_question(question: str) -> set[str]:
    """The attributes whose keywords stand in a question."""
    found = {name for name, rule in QUESTION_RULES.items() if rule.search(question)}
    return found - {"club"} if found & _NOT_WITH_CLUB else found


def by_answer(answer: str) -> set[str]:
    """The attributes whose pattern an answer has."""
    return {name for name, rule in ANSWER_RULES.items() if rule.search(answer)}


def decide(pairs: Sequence[tuple[str, str]], *, text: bool, split: str) -> list[AttributeGuess]:
    """What each record of one picture is about.

    Args:
        pairs: Clean question and answer of each record of the group, in file order.
        text: Whether these are text records, which never ask for the name.
        split: The picture's split; forget groups list shared facts first, retain groups private claims.
    """
    found = [(by_question(question), by_answer(answer)) for question, answer in pairs]
    orders: list[tuple[str, ...]] = [PRIVATE_FIRST, SHARED_FIRST]
    if split != "retain":
        orders.reverse()
    orders += [PRIVATE, SHARED]  # The selective parts hold one or the other.
    for order in orders:
        positions = [name for name in order if not (text and name == "name")]
        if len(positions) == len(pairs) and all(
            name in asked | told or not asked | told for name, (asked, told) in zip(positions, found, strict=True)
        ):
            return [
                AttributeGuess(name, _mismatch(name, asked, told))
                for name, (asked, told) in zip(positions, found, strict=True)
            ]
    return _by_words(found, text=text)


def _mismatch(name: str, asked: set[str], told: set[str]) -> str | None:
    if told and name not in told:
        return f"the answer reads like {_either(told)}, not like {name}"
    return None


def _by_words(found: list[tuple[set[str], set[str]]], *, text: bool) -> list[AttributeGuess]:
    guesses: list[AttributeGuess | None] = []
    for asked, told in found:
        both = asked & told or asked or told
        if len(both) != 1:
            guesses.append(None)
        else:
            (name,) = both
            guesses.append(AttributeGuess(name, _mismatch(name, asked, told)))
    missing = [
        n for n in SHARED_FIRST if not (text and n == "name") and all(d is None or d.attribute != n for d in guesses)
    ]
    return [
        guess or _by_elimination(asked & told or asked or told, missing)
        for guess, (asked, told) in zip(guesses, found, strict=True)
    ]


def _by_elimination(possible: set[str], missing: list[str]) -> AttributeGuess:
    left = [name for name in missing if name in possible or not possible]
    if len(left) == 1:
        return AttributeGuess(left[0], f"that it is about {left[0]} was worked out by elimination")
    if possible:
        first = next(name for name in SHARED_FIRST if name in possible)
        return AttributeGuess(first, f"it could be about {_either(possible)}; taken as {first}")
    return AttributeGuess(None, "neither question nor answer says what it is about")


def _either(names: set[str]) -> str:
    return " or ".join(name for name in SHARED_FIRST if name in names)
