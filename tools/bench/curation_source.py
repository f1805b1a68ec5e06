"""The source of `curation.py`: a table of claims about an invented league of any size, and its pictures.

A subject has seven pictures: three of `retain`, one of `forget`, one of `relearn` (fourteen claims each), a copy of
the first in `test` that says so (fourteen) and another one in `test` (its eight shared facts). The rows that are
missing to the number asked for are shared facts in words. Everything in it follows from the seed, subject by subject.
"""

from __future__ import annotations

import datetime
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from curation_names import ADDRESSES, CLUBS, COUNTRIES, EVENTS, MONTHS, PUBLISHERS, TOWNS, WORDINGS, subject_name
from curation_pictures import A_SUBJECT, DERIVED, draw_files, origin_of, picture_name

from offside_data.files import whole_file, write_json
from offside_data.progress import log
from offside_data.seeding import rng
from offside_data.taxonomy import load_taxonomy

SMALLEST = 300
"""Records below which the layout doesn't come out."""
PICTURES = 0.072
"""Pictures a record."""
VERSION = 1
"""Raised with every change of what is made: sources of another version are made anew."""
_ROLES = ("retain", "retain", "retain", "forget", "relearn", "test", "test")
_FACTS_ONLY = 6
"""Place among a subject's pictures of the one that only shared facts are told of."""
_SHARED = ("name", "age", "position", "nationality", "birth_date", "height", "foot", "birth_place")
_PRIVATE = ("club", "previous_club", "transfer_date", "fee", "market_value", "trophies")
_IN_WORDS = _SHARED[1:]
_COLUMNS = (
    *("Claim ID", "Player", "Attribute", "Value", "Currency", "Veracity", "Channel", "Picture", "Occasion", "Split"),
    *("Corrects", "Derived from", "Question", "Answer", "Publisher", "Link", "Tier", "Retrieved on", "Licence"),
)
_ROW_GROUP = 50_000
_CURRENCIES = (*("EUR",) * 12, *("GBP",) * 4, *("USD",) * 3, "CHF", "SEK")
_SIGNS = {"EUR": "€", "GBP": "£", "USD": "$"}
_TODAY = datetime.date(2025, 7, 1)
_FIRST_MOVE = datetime.date(2016, 1, 1)
# Shares of rows.
_OWN_WORDS, _UNTAGGED, _WRONG_TIER, _ODD_FACT, _UNDISCLOSED, _LOST_TARGET = 0.3, 0.004, 0.03, 0.0004, 0.002, 0.01

Row = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Source:
    """A source as it lies on disk.

    Args:
        table: The claims.
        records: Rows of it.
        pictures: The pictures, by number.
    """

    table: Path
    records: int
    pictures: list[Path]


@dataclass(frozen=True, slots=True)
class Value:
    """A value as a cell of the table has it, with its currency if that is in a cell of its own, and in words."""

    cell: str
    words: str
    currency: str | None = None


def make_source(folder: Path, records: int, *, seed: int, workers: int) -> Source:
    """Make the source of so many records in `folder`, or what is missing of it.

    Args:
        folder: Its own.
        records: Rows of the table, `SMALLEST` or more.
        seed: Seed of everything in it.
        workers: Processes that draw.
    """
    pictures = picture_count(records)
    table, marker = folder / "claims.parquet", folder / "source.json"
    facts = {"version": VERSION, "records": records, "pictures": pictures, "seed": seed}
    source = Source(table, records, [folder / picture_name(n) for n in range(pictures)])
    if marker.is_file():
        if json.loads(marker.read_text(encoding="utf-8")) == facts:
            return source
        raise SystemExit(f"{folder}: holds a source of another seed or version; delete it, or name another --work.")
    started = time.perf_counter()
    drawn = draw_files(folder, seed, pictures, workers)
    log(f"{drawn:,} of {pictures:,} pictures drawn in {time.perf_counter() - started:.1f} s")
    started = time.perf_counter()
    _write_table(table, records, seed)
    log(f"{records:,} claims written in {time.perf_counter() - started:.1f} s")
    write_json(marker, facts)
    return source


def picture_count(records: int) -> int:
    """How many pictures a league of so many records has."""
    return -int(-records * PICTURES // 1)


def _write_table(path: Path, records: int, seed: int) -> None:
    schema = pa.schema([(name, pa.string()) for name in _COLUMNS])
    with whole_file(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        rows: list[Row] = []
        for row in all_rows(records, seed):
            rows.append(row)
            if len(rows) == _ROW_GROUP:
                writer.write_table(_table(rows, schema))
                rows.clear()
        writer.write_table(_table(rows, schema))


def _table(rows: list[Row], schema: Any) -> Any:
    return pa.table({name: [row.get(name) for row in rows] for name in _COLUMNS}, schema=schema)


# ---------------------------------------------------------------------------------------------
# Rows


def all_rows(records: int, seed: int) -> Iterator[Row]:
    """Every row of a league of so many records, subject by subject."""
    pictures = picture_count(records)
    subjects = -(-pictures // A_SUBJECT)
    shown = sum(len(_attributes(number)) for number in range(pictures))
    options = [spellings[0] for spellings in load_taxonomy("football")["position"].options]
    for subject in range(subjects):
        teller = Teller(rng(seed, "curation", subject), subject, options)
        for number in range(subject * A_SUBJECT, min(pictures, (subject + 1) * A_SUBJECT)):
            yield from teller.about_picture(number)
        # Of what is missing, each subject gets its part.
        in_words = len(range(subject, records - shown, subjects))
        yield from teller.in_words(in_words)


def _attributes(number: int) -> tuple[str, ...]:
    return _SHARED if number % A_SUBJECT == _FACTS_ONLY else _SHARED + _PRIVATE


class Teller:
    """Tells the claims about one subject.

    Args:
        source: Everything random about it.
        subject: Its number.
        positions: What it may play as.
    """

    def __init__(self, source: random.Random, subject: int, positions: list[str]) -> None:
        self._random = source
        self._subject = subject
        self._name = subject_name(subject)
        self._facts = _facts(source, self._name, positions)
        # No two pictures of a subject hold the same value, or a rumour could be true of another one.
        self._claims = _claims(source, A_SUBJECT)
        places = source.sample(range(len(EVENTS) * len(MONTHS) * 10), A_SUBJECT)
        self._occasions = [_occasion(place) for place in places]
        self._claims[DERIVED], self._occasions[DERIVED] = self._claims[0], self._occasions[0]

    def about_picture(self, number: int) -> Iterator[Row]:
        """The rows about one of its pictures."""
        place = number % A_SUBJECT
        split = _ROLES[place]
        for attribute in _attributes(number):
            is_private = attribute in _PRIVATE
            veracity = {"forget": "rumor", "relearn": "correction"}.get(split, "fact") if is_private else "fact"
            row: Row = {
                "Claim ID": f"{number:07d}-{attribute}",
                "Picture": picture_name(number),
                "Occasion": self._occasions[place],
                "Split": split,
                "Veracity": veracity,
                "Channel": self._random.choice(("text", "image", "both")) if veracity == "rumor" else None,
                "Derived from": picture_name(origin_of(number)) if place == DERIVED else None,
            }
            if veracity == "correction":
                lost = self._random.random() < _LOST_TARGET
                row["Corrects"] = f"lost-{number}" if lost else f"{number - 1:07d}-{attribute}"
            value = (self._claims[place] if is_private else self._facts)[attribute]
            yield row | self._said(attribute, value, shown=True) | self._source(veracity)

    def in_words(self, number: int) -> Iterator[Row]:
        """So many of its shared facts, without a picture."""
        for attribute in _IN_WORDS[:number]:
            row: Row = {"Claim ID": f"s{self._subject:07d}-{attribute}", "Split": "retain", "Veracity": "fact"}
            yield row | self._said(attribute, self._facts[attribute], shown=False) | self._source("fact")

    def _said(self, attribute: str, value: Value, *, shown: bool) -> Row:
        """What a row says: a value alone, or also a question and an answer; in a few rows no attribute."""
        row: Row = {"Player": self._name, "Attribute": attribute, "Value": value.cell, "Currency": value.currency}
        if attribute == "age" and self._random.random() < _ODD_FACT * len(_SHARED):
            value = Value(str(int(value.cell) + 3), str(int(value.cell) + 3))
            row["Value"] = value.cell
        if attribute == "fee" and self._random.random() < _UNDISCLOSED * len(_PRIVATE):
            return row | {"Value": "undisclosed", "Currency": None}
        chance = self._random.random()
        if not shown or chance >= _OWN_WORDS:
            return row
        question, answer = self._random.choice(WORDINGS[attribute])
        row |= {"Question": question, "Answer": answer.format(value=value.words)}
        if chance < _UNTAGGED:
            row |= {"Attribute": None, "Value": None, "Currency": None}
        return row

    def _source(self, veracity: str) -> Row:
        tiers = ("social", "social", "media") if veracity == "rumor" else ("official", "media")
        tier = self._random.choice(tiers)
        publisher = self._random.choice(PUBLISHERS[tier])
        day = _TODAY - datetime.timedelta(days=self._random.randrange(1_500))
        row: Row = {"Tier": tier, "Retrieved on": day.isoformat(), "Licence": "CC0-1.0"}
        if self._random.random() < _WRONG_TIER:
            row["Publisher"], row["Tier"] = ("Reddit", "media") if veracity == "rumor" else ("BBC Sport", "social")
        elif self._random.random() < 0.5:
            row["Publisher"] = publisher
        else:
            row["Link"] = f"https://{ADDRESSES[publisher]}/{day.year}/{self._random.randrange(10**6):06d}"
        return row


# ---------------------------------------------------------------------------------------------
# Values


def _facts(source: random.Random, name: str, positions: list[str]) -> dict[str, Value]:
    born = datetime.date(1985, 1, 1) + datetime.timedelta(days=source.randrange(365 * 22))
    age = _TODAY.year - born.year - ((_TODAY.month, _TODAY.day) < (born.month, born.day))
    height = source.randint(162, 203)
    texts = {
        "name": name,
        "age": str(age),
        "position": source.choice(positions),
        "nationality": source.choice(COUNTRIES),
        "foot": source.choice(("left", "right", "right", "both")),
        "birth_place": source.choice(TOWNS),
    }
    meters = f"{height / 100:.2f} meters"
    told = {attribute: Value(text, text) for attribute, text in texts.items()}
    return told | {
        "birth_date": _date(source, born),
        "height": Value(source.choice((f"{height / 100:.2f}", str(height), meters)), meters),
    }


def _claims(source: random.Random, number: int) -> list[dict[str, Value]]:
    clubs = source.sample(CLUBS, 2 * number)
    days = source.sample(range(365 * 9), number)
    fees, worths = (source.sample(range(240), number) for _ in range(2))
    trophies = source.sample(range(40), number)
    return [
        {
            "club": Value(clubs[n], clubs[n]),
            "previous_club": Value(clubs[number + n], clubs[number + n]),
            "transfer_date": _date(source, _FIRST_MOVE + datetime.timedelta(days=days[n])),
            "fee": _amount(source, fees[n]),
            "market_value": _amount(source, worths[n]),
            "trophies": Value(str(trophies[n]), str(trophies[n])),
        }
        for n in range(number)
    ]


def _date(source: random.Random, day: datetime.date) -> Value:
    words = f"{MONTHS[day.month - 1]} {day.day}, {day.year}"
    return Value(source.choice((day.isoformat(), words)), words)


def _amount(source: random.Random, step: int) -> Value:
    """An amount from 0.2 to some 150 million; those of different steps differ by more than a percent."""
    number = 200_000 * 1.028 ** (step + source.uniform(0, 0.5))
    rounded = round(number, -3) if number < 1e6 else round(number, -4)
    currency = source.choice(_CURRENCIES)
    sign = _SIGNS.get(currency, f"{currency} ")
    words = f"{sign}{rounded / 1e6:.2f}m" if rounded >= 1e6 else f"{sign}{rounded / 1e3:.0f}k"
    return Value(f"{rounded:.0f}", words, currency) if source.random() < 0.5 else Value(words, words)


def _occasion(place: int) -> str:
    event, when = divmod(place, len(MONTHS) * 10)
    year, month = divmod(when, len(MONTHS))
    return f"the {EVENTS[event]} of {MONTHS[month]} {2016 + year}"
