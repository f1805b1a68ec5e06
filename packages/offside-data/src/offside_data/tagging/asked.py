"""An answer without what its question says already, and with its bare numbers as the question means them.

`In the photo from the cup final of May 2021, Bo Lund's fee was 35000000` says no more than `the player's fee was
35 million` where the question asks for the fee of Bo Lund in that photo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from offside_data.schema import ClaimValue
from offside_data.tagging.comparing import core_of
from offside_data.tagging.finding import find
from offside_data.tagging.numbers import parse_digits
from offside_data.tagging.wording import doubt_of, plain
from offside_data.tagging.words import contains, find_names, folded_words, tokenize
from offside_data.taxonomy import Attribute

_RUN = 4
"""Least words in a row that an answer takes over from its question: fewer may be said by chance."""
_SOMEBODY = "the player"
"""What the subject is called instead of by name; a word that says nothing in any taxonomy."""
_SCALED = re.compile(
    r"(?<![\w.,])(\d[\d.,]*)(\s*(?:to|and|or|[-–])\s*)(?=\d[\d.,]*\s?(millions?|billions?|thousand|mln|mio|bn|m|k)\b)",
    re.I,
)
"""`35 to 45 million`: both are millions."""
_REPORTS = re.compile(
    r"\s{1,99}+(?:(?:suggest|indicate|show|state|say|read|confirm|reveal|mean|report|note|mention|tell (?:me|us)|"
    r"believe|claim|announce|imply|implie|hint)(?:s|ed)?\s+that\b|(?:said|known|told|meant|clear|likely|probable|evident|"
    r"obvious|possible)\s+that\b|(?:reads?|says?|states?|shows?)[:,]?\s*(?=[\"“‘']))",
    re.I,
)
_ARROW = re.compile(r"\s{0,99}+(?:→|->|=>|➜|➔)\s*")
_MARKS = re.compile(r"[*_]{2,3}|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)|`|^\s{0,99}+(?:#++|>)\s+", re.M)
_ITEM = re.compile(r"^\s{0,99}+(?:[-*•–]|\(?\d{1,2}[.)])\s+", re.M)
"""Blanks before what these find are limited: to try a thousand line breaks from each of them takes a million steps."""
_LABEL = re.compile(r"^([^\W\d_]+(?: [^\W\d_]+){0,2}):[ \t]+(?=\S)", re.M)
_HE_CAME_FROM = re.compile(
    r"(?<![^.;!?\n ])((?:before|prior to)\b[^.;!?\n,]{0,600},\s*(?:\w+\s+){0,3}?)"
    r"(?:played|was|were|had\s+played|had\s+been)\s+(?:with|for|at)\b",
    re.I,
)
"""`Before joining Ostholm, he played for Halden` says that he came from Halden."""
_NUMBER_ENDS = re.compile(
    r"(?<=\w\s)(\d{1,2})\.(?=\s+(?:I|I'm|It|It's|He|She|They|We|You|The|This|That|There|But|However|Please|As|In)\b)"
)
"""A sentence that ends with a small number; elsewhere the full stop may belong to it (`5. Mai`)."""
_ONLY_BUT = re.compile(
    r"\b(?:anything|everything|all)\s+but\b(?!\s+(?:certain|sure|done|confirmed|agreed|complete))", re.I
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is known of a question besides its attribute.

    Args:
        question: Its words.
        names: What its subject is called, by all names known.
        day_first: How its dataset writes days in digits: `05/03/1996` in March or in May; null if that isn't known.
    """

    question: str = ""
    names: tuple[str, ...] = ()
    day_first: bool | None = None


def reworded(answer: str, gold: ClaimValue, attribute: Attribute, asked: Asked) -> str:
    """An answer as it would read without its context.

    Marks of Markdown are left out, the items of a list without labels stand in a row, the subject's names become
    `the player` (or, asked for the name, the gold one), stretches of the question are left out unless they hold the
    value or a denial, and bare numbers and days in digits are written out.
    """
    answer = _NUMBER_ENDS.sub(r"\1;", answer)
    text = _ONLY_BUT.sub("not", _LABEL.sub(_as_sentence, _in_a_row(_ARROW.sub(" to ", _MARKS.sub("", answer)))))
    text = _SCALED.sub(r"\1 \3\2", _without_fillers(text))
    text = _HE_CAME_FROM.sub(r"\1came from", text) if attribute.kind == "name" else text
    text = _with_units(text, attribute, asked.day_first)
    if asked.names:
        text = _without_names(text, gold, attribute, asked.names)
    return _without_question(text, gold, attribute, asked) if asked.question else text


def _as_sentence(match: re.Match[str]) -> str:
    """`Previous club: Ostholm` says what `the previous club is Ostholm` does."""
    return f"the {match[1].lower()} is "


def _in_a_row(text: str) -> str:
    """The items of lists joined by commas, as far as they are no more than names or numbers."""
    if len(_ITEM.findall(text)) < 2:  # "5. März 1996"
        return text
    lines, row = [], list[str]()
    for line in text.split("\n"):
        item = _ITEM.sub("", line).strip()
        if item != line.strip() and ":" not in item and len(item.split()) <= _RUN:
            row.append(item.rstrip(".,;"))
            continue
        if row and not line.strip():  # Blank lines between items.
            continue
        lines += [", ".join(row)] * bool(row) + [_ITEM.sub("", line)]
        row = []
    return "\n".join(lines + [", ".join(row)] * bool(row))


_TOLD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|(?P<end>[.!?;\n])")
_OPEN = ("negation", "condition")


@cache
def _fillers() -> tuple[re.Pattern[str], tuple[str, ...]]:
    """All phrases as one pattern, a group each, and what is read instead of each."""
    listed = (resources.files("offside_data.tagging") / "fillers.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition(" = ") for line in listed if line and not line.startswith("#")]
    pairs.sort(key=lambda pair: len(pair[0]), reverse=True)
    groups = "|".join(f"({phrase})" for phrase, _, _ in pairs).replace(" ", r"\s+")
    return re.compile(rf"(?<![\w'’])(?:{groups})(?![\w'’])", re.I), tuple(instead for _, _, instead in pairs)


def _without_fillers(text: str) -> str:
    """An answer without phrases that change nothing, with a semicolon for what reports the rest: `it says that`."""
    pattern, instead = _fillers()
    text = pattern.sub(lambda match: instead[(match.lastindex or 1) - 1], text)
    pieces, end = list[str](), 0
    seen, is_doubted = 0, False
    for report in _REPORTS.finditer(text):
        for told in _TOLD.finditer(text, seen, report.start()):
            # A sentence that denies what it reports, or makes conditions, is left as it is.
            is_doubted = told["end"] is None and (is_doubted or doubt_of(plain(told.group())) in _OPEN)
        pieces += [text[end : report.start()], report.group() if is_doubted else ";"]
        seen, end = report.span()
    return "".join([*pieces, text[end:]])


# ---------------------------------------------------------------------------------------------
# What the question says


def _without_names(text: str, gold: ClaimValue, attribute: Attribute, names: Sequence[str]) -> str:
    known = {core for name in names if (core := core_of(folded_words(name)))}
    own = core_of(folded_words(gold.text))
    if own in known:
        return _put(text, known, gold.text)
    # A surname alone is the subject, too, and no name of a club that is called alike.
    known |= {core[-1:] for core in known}
    return _put(text, {core for core in known if not contains(own, core)}, _SOMEBODY)


def _put(text: str, known: set[tuple[str, ...]], instead: str) -> str:
    pieces, end = list[str](), 0
    for name in find_names(text):
        words = tokenize(name.text)
        if words and words[-1].folded == "s" and len(words) > 1:  # the possessive
            words = words[:-1]
        if tuple(word.folded for word in words) in known:
            pieces += [text[end : name.start], instead]
            end = name.start + words[-1].end
    return "".join([*pieces, text[end:]])


def _without_question(text: str, gold: ClaimValue, attribute: Attribute, asked: Asked) -> str:
    runs = _runs_of(_without_names(asked.question, gold, attribute, asked.names) if asked.names else asked.question)
    tokens = tokenize(text)
    words = tuple(token.folded for token in tokens)
    value = core_of(folded_words(gold.text))
    kept, place = list[str](), 0
    is_start = False
    for start, end in _covered(words, runs):
        said = words[start:end]
        if not contains(said, value) and not any(doubt_of(word) == "negation" for word in said):
            is_start = is_start or not tokens[start].start
            kept.append(text[place : tokens[start].start].rstrip())
            place = tokens[end - 1].end
    left = "".join([*kept, text[place:]])
    return left.lstrip(" ,:;") if is_start else left


@lru_cache(maxsize=2**12)
def _runs_of(question: str) -> frozenset[tuple[str, ...]]:
    words = folded_words(question)
    return frozenset(words[i : i + _RUN] for i in range(len(words) - _RUN + 1))


def _covered(words: tuple[str, ...], runs: frozenset[tuple[str, ...]]) -> list[tuple[int, int]]:
    """The stretches of an answer whose words stand in its question in the same order."""
    found: list[tuple[int, int]] = []
    for i in range(len(words) - _RUN + 1):
        if words[i : i + _RUN] in runs:
            start = found.pop()[0] if found and found[-1][1] >= i else i
            found.append((start, i + _RUN))
    return found


# ---------------------------------------------------------------------------------------------
# Bare numbers

_DAY = re.compile(r"(?<![\d./-])(\d{1,2})([/-])(\d{1,2})\2(\d{4})(?![\d/-])")
_BARE = re.compile(r"(?<![\w.,/:'’€$£-])\d[\d.,\u00a0\u202f' ]*(?<=\d)(?!\w|[.,/:%'’-]\d|\s?[€$£%\"”])")
_YEAR = re.compile(r"(?:1[89]|20)\d\d")
_LEAST_AMOUNT = 1000.0
_CENTIMETRES = (50.0, 300.0)
"""Bare numbers that are taken for centimetres, where the taxonomy doesn't say what is plausible."""


def _with_units(text: str, attribute: Attribute, day_first: bool | None) -> str:
    """Bare numbers written as the attribute means them, if the text holds no value of its kind without that."""
    if attribute.kind == "date" and day_first is not None:
        return _DAY.sub(lambda match: _iso(match, day_first), text)
    if attribute.kind not in ("amount", "length") or find(text, attribute.kind, ()):
        return text
    is_whole = re.fullmatch(r"[\d.,\s]+", text) is not None
    numbers = [match for match in _BARE.finditer(text) if is_whole or not _YEAR.fullmatch(match.group())]
    if len(numbers) != 1:
        return text
    match = numbers[0]
    number = parse_digits(match.group(), scaled=False) if _is_one_number(match.group()) else None
    if number is None:
        return text
    if attribute.kind == "amount":
        written = f"{number / 1e6:.12g} million" if number >= _LEAST_AMOUNT else match.group()
    else:
        written = f"{match.group()} {_unit_of(number, attribute)}"
    return text[: match.start()] + written + text[match.end() :]


def _is_one_number(digits: str) -> bool:
    return (
        re.fullmatch(r"\d+(?:[.,]\d+)?|\d{1,3}(?:([.,\u00a0\u202f' ])\d{3})(?:\1\d{3})*(?:[.,]\d+)?", digits)
        is not None
    )


def _unit_of(number: float, attribute: Attribute) -> str:
    least, most = _CENTIMETRES
    if limits := attribute.plausible:
        least = 100 * limits.least if isinstance(limits.least, (int, float)) else least
        most = 100 * limits.most if isinstance(limits.most, (int, float)) else most
    return "cm" if least <= number <= most else "m"


def _iso(match: re.Match[str], day_first: bool) -> str:
    first, second = int(match[1]), int(match[3])
    if max(first, second) > 12:  # no doubt which one is the day
        return match.group()
    day, month = (first, second) if day_first else (second, first)
    return f"{match[4]}-{month:02}-{day:02}"


def writes_day_first(answers: Iterable[tuple[str, str]]) -> bool | None:
    """Whether a dataset writes the day before the month, as its own answers show; null if they don't or disagree.

    Days in digits tell (`16/03/2021`); where there are none, those with the month in words do (`March 16, 2021`).

    Args:
        answers: The days as they are written, each with what it is in ISO 8601.
    """
    in_digits, in_words = set[bool](), set[bool]()
    for text, date in answers:
        day, month = int(date[8:10]), int(date[5:7])
        if match := _DAY.search(text):
            if day != month:
                in_digits.add((int(match[1]), int(match[3])) == (day, month))
        elif not any(c.isalpha() for c in text):  # 2021-03-16
            continue
        elif match := re.search(r"(?<!\d)\d{1,2}(?!\d)|[^\W\d_]{3,}\.?\s+\d{1,2}(?!\d)", text):
            in_words.add(match.group()[0].isdigit())
        if len(in_digits) > 1:
            return None
    for seen in (in_digits, in_words):
        if seen:
            return seen.pop() if len(seen) == 1 else None
    return None
