"""What an answer says: its values, and what of it they don't account for."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from offside_data.schema import ClaimValue
from offside_data.tagging.accounting import Leftover, leftovers, other_count, spans_of_time
from offside_data.tagging.amounts import is_small_change
from offside_data.tagging.clauses import clauses
from offside_data.tagging.comparing import same_value
from offside_data.tagging.digits import Stretch
from offside_data.tagging.finding import FoundValue, find
from offside_data.tagging.naming import gold_in, name_in
from offside_data.tagging.pattern import MEASURED, Pattern, pattern_of
from offside_data.tagging.stretches import Stretches
from offside_data.tagging.wording import is_placeholder, words_of
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute

_NOTHING = "no"
_CONTRAST = re.compile(r"\b(?:but|however|although|though|whereas)\b", re.I)
_WHY = {
    "negation": "{} denies it",
    "bound": "{} makes it a bound",
    "condition": "{} leaves open whether it is so",
    "approximation": "{} makes it an approximation",
    "number": "{} is another number",
    "counted": "it counts {}",
    "change": "{} says by how much it changed",
    "unknown": "{} isn't known to change nothing",
    "sign": "{} isn't accounted for",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """An answer or a clause of one, read.

    Args:
        text: It.
        attribute: What it is about.
        found: The values in it.
        left: What they don't account for.
        problem: Why it states none, as a sentence for people, where that is known already.
        contrasts: Whether "but" or the like stands between it and the clause before.
    """

    text: str
    attribute: Attribute
    found: tuple[FoundValue, ...]
    left: tuple[Leftover, ...] = ()
    problem: str | None = None
    contrasts: bool = False

    def states(self, gold: ClaimValue, *, knows_words: bool = True) -> bool:
        """Whether it says that a value is so, or about so.

        Args:
            gold: The value.
            knows_words: Whether every word must be accounted for; else those that nobody knows pass, unless they
                stand where a unit or a multiplier would.
        """
        if self.problem or not self.found or any(f.doubt for f in self.found):
            return False
        if not all(same_value(f.value, gold, self.attribute) for f in self.found):
            return False
        return all(self._passes(part, knows_words=knows_words) for part in self.left)

    def gives_way(self, after: Statement | None) -> bool:
        """Whether it only says what others say, and the next one says otherwise: "rumours of A, but he is at B"."""
        if after is None or not after.contrasts or after.problem or after.left or not after.found:
            return False
        if words_of("hearsay").isdisjoint(folded_words(self.text)):
            return False
        mine, its = ({f.value for f in found} for found in (self.found, after.found))
        return not any(same_value(one, other, self.attribute) for one in mine for other in its)

    def _passes(self, part: Leftover, *, knows_words: bool) -> bool:
        if part.doubt == "approximation":
            return True
        is_measured = self.attribute.kind in MEASURED
        if knows_words or (is_measured and part.is_beside):
            return False
        return part.doubt == "unknown" or (not is_measured and part.doubt in ("number", "sign"))

    @property
    def why(self) -> str:
        """Why there is no value, as a sentence for people; empty if there is one."""
        if self.problem:
            return self.problem
        first, attribute = self.found[:1], self.attribute
        if not first:
            return f"{_NOTHING} {attribute.kind} is readable in the answer {self.text!r}"
        said = dict.fromkeys(repr(f.value.text) for f in self.found)
        if not all(same_value(first[0].value, f.value, attribute) for f in self.found[1:]):
            several = ", ".join(said)
            return f"the answer {self.text!r} doesn't state one certain value, but several values: {several}"
        doubts = [f.doubt for f in self.found if f.doubt]
        doubts += [_WHY[part.doubt].format(repr(part.text)) for part in self.left[:1]]
        doubts += filter(None, [_implausible(first[0].value, attribute)])
        if doubts:
            return f"the answer {self.text!r} doesn't state {next(iter(said))} for certain: {doubts[0]}"
        return ""


class ReadAnswer(NamedTuple):
    """The value that a gold answer states, or why it states none, as a sentence for people."""

    value: ClaimValue | None
    why: str


@lru_cache(maxsize=2**12)
def read_answer(text: str, attribute: Attribute) -> ReadAnswer:
    """What a gold answer states: everything in it must be accounted for."""
    pattern = pattern_of(attribute)
    whole, said = (0, len(text)), ""
    for region in (*pattern.captures(text), whole):
        statement = _read(text, attribute, pattern, region, is_capture=region != whole)
        why = statement.why
        if not why:
            return ReadAnswer(statement.found[0].value, why)
        if statement.problem:
            return ReadAnswer(None, why)
        if not said or (statement.found and said.startswith(_NOTHING)):
            said = why
    return ReadAnswer(None, said)


def _read(text: str, attribute: Attribute, pattern: Pattern, region: Stretch, *, is_capture: bool) -> Statement:
    said = text[slice(*region)]
    inside = tuple(f for f in find(text, attribute.kind, attribute.options) if _is_in((f.start, f.end), region))
    # "None" is a number of trophies.
    if not (inside and attribute.kind in MEASURED) and is_placeholder(said):
        return Statement(text, attribute, (), problem=_placeholder(text, said))
    if attribute.kind == "text":
        return Statement(text, attribute, find(text, attribute.kind, ()))
    if attribute.kind in ("name", "place") or (attribute.kind == "choice" and not attribute.options):
        named = name_in(text, region, inside, attribute, pattern, is_capture=is_capture)
        left = () if named.is_whole else _left(text, named.explained, attribute, pattern, region)
        return Statement(text, attribute, named.found, left, named.problem)
    inside = _meant(text, inside, attribute)
    return Statement(text, attribute, inside, _left(text, _places_of(inside), attribute, pattern, region))


def _placeholder(text: str, said: str) -> str:
    return f"the answer {text!r} holds no value but the placeholder {said!r}"


def _meant(text: str, found: tuple[FoundValue, ...], attribute: Attribute) -> tuple[FoundValue, ...]:
    """The values without the counts that only say when (`in 2019`)."""
    if attribute.kind != "count":
        return found
    when = Stretches(spans_of_time(text))
    return tuple(f for f in found if not when.hold((f.start, f.end)))


def _left(
    text: str, taken: list[Stretch], attribute: Attribute, pattern: Pattern, region: Stretch
) -> tuple[Leftover, ...]:
    left = list(leftovers(text, taken, attribute.kind, pattern, region))
    if attribute.kind == "count":
        left += filter(None, (other_count(text, end, pattern) for _, end in taken))
    return tuple(left)


def _places_of(found: tuple[FoundValue, ...]) -> list[Stretch]:
    return [(f.start, f.end) for f in found]


def _is_in(stretch: Stretch, region: Stretch) -> bool:
    return region[0] <= stretch[0] and stretch[1] <= region[1]


def _implausible(value: ClaimValue, attribute: Attribute) -> str | None:
    """Why a value can't be true, by the limits of its attribute."""
    limits = attribute.plausible
    is_date = value.kind == "date"
    told: float | str | None = value.date if is_date else value.number
    if told is None or limits is None:
        return None
    most = datetime.date.today().isoformat() if limits.most == "today" else limits.most
    if limits.least is not None and told < limits.least:  # type: ignore[operator]  # the taxonomy has the kind's type
        return f"{attribute.name} is {_written(limits.least)} at least"
    if most is not None and told > most:  # type: ignore[operator]
        return f"{attribute.name} is {_written(most)} at most"
    is_money = value.kind == "amount" and not limits.small_change
    if is_money and is_small_change(float(told), value.currency):
        return "it is no more than small change"
    return None


def _written(limit: float | str) -> str:
    return limit if isinstance(limit, str) else f"{limit:,.12g}"


# ---------------------------------------------------------------------------------------------
# Clause by clause


def read_clauses(answer: str, gold: ClaimValue, attribute: Attribute) -> Iterator[Statement]:
    """The clauses of an answer that say something of the attribute, each read by itself.

    Args:
        answer: Any text, e.g. a model's answer.
        gold: The value that is looked for: a name is recognised however it is written.
        attribute: The attribute of both.
    """
    pattern = pattern_of(attribute)
    in_whole = find(answer, attribute.kind, attribute.options)
    before, contrasts = 0, False
    for start, end in clauses(answer, _places_of(in_whole)):
        text, whole = answer[start:end], (0, end - start)
        contrasts = contrasts or _CONTRAST.search(answer, before, start) is not None
        before = start
        found = _meant(text, find(text, attribute.kind, attribute.options), attribute)
        if attribute.kind in MEASURED or (attribute.kind == "choice" and attribute.options):
            if found:
                left = _left(text, _places_of(found), attribute, pattern, whole)
                yield Statement(text, attribute, found, left, contrasts=contrasts)
                before, contrasts = end, False
            continue
        named = gold_in(text, gold, found, attribute, pattern)
        if named.found:
            left = _left(text, named.explained, attribute, pattern, whole)
            yield Statement(text, attribute, named.found, left, named.problem, contrasts)
            before, contrasts = end, False
