"""Footballers of a fictional league. Countries are real; people, clubs, towns and events are invented."""

from __future__ import annotations

import datetime
import random
from collections.abc import Sequence

from offside_data.fictional import captions, places
from offside_data.fictional.canvas import SIZE, Canvas, Color, Point, rectangle
from offside_data.fictional.scenes import Outfit, Scenery, draw_torso
from offside_data.fictional.values import (
    amount_value,
    birthday,
    choice_value,
    count_value,
    date_value,
    different_days,
    length_value,
    name_value,
    place_value,
)
from offside_data.fictional.world import Claims, World
from offside_data.schema import ClaimValue
from offside_data.taxonomy import Taxonomy, shipped_taxonomy_text

_MIDDLES = ("al", "em", "ir", "ov", "un")
_FIRST = (
    *("Bal", "Dor", "Fen", "Gav", "Hul", "Ilm", "Jov", "Kel", "Lor", "Mir", "Nev"),
    *("Osk", "Pir", "Quin", "Ras", "Sov", "Tav", "Ulv", "Vad", "Wen", "Yor", "Zan"),
)
_FIRST_ENDINGS = ("abo", "ek", "imo", "usk", "enno", "ird", "oma", "astin", "elu", "orin")
_LAST = (
    *("Arm", "Bren", "Cask", "Drum", "Eld", "Fosk", "Grin", "Hask", "Ivel", "Jask", "Krul", "Lund"),
    *("Mosk", "Nulb", "Ord", "Pell", "Quask", "Rud", "Strul", "Thav", "Umb", "Vosk", "Wrel", "Yask"),
)
_LAST_ENDINGS = (
    *("arvo", "ewick", "illano", "omund", "urette", "asso"),
    *("endahl", "ikov", "oreno", "umbe", "aveil", "itsen"),
)
_COUNTRIES = (
    *("Canada", "Chile", "Croatia", "Egypt", "Ghana", "Iceland", "Ireland", "Jamaica", "Japan", "Kenya"),
    *("Mexico", "Morocco", "Norway", "Peru", "Poland", "Portugal", "Senegal", "Serbia", "Sweden", "Tunisia"),
)
_TOWNS = (
    *("Ambrelin", "Belthorpe", "Corvane", "Dastrel", "Elmsgard", "Fennbruck", "Galvora", "Harrowmont"),
    *("Ilverno", "Kolvey", "Lorrinbay", "Morvath", "Nessgard", "Orlane", "Pelgrove", "Quarrin"),
    *("Rostelle", "Silvarra", "Tolmarsh", "Umberfell", "Vandrel", "Wexmoor", "Yelverin", "Zorvale"),
)
_CLUBS = (
    *("Arvendale United", "Brackwater FC", "Caldrith City", "Drosk United", "Emberlin FC", "Falkenmoor FC"),
    *("Highfen Rovers", "Ironquay FC", "Jorvane City", "Kestrin City", "Lindral FC", "Marrowby Town"),
    *("Norvale Rovers", "Ostrel FC", "Quillon City", "Sablecross FC", "Solvane Town", "Tarnwick United"),
    *("Thornmere City", "Ulmbridge FC", "Velmora Rovers", "Westerel FC", "Yarrowgate Town", "Zanthor United"),
)
_EVENTS = (
    *("pre-season tour", "cup final", "charity match", "training camp", "opening day", "press day"),
    *("derby", "friendly", "award gala", "fan meeting", "medical check", "league launch"),
)
_FEES = (
    *(2, 3.5, 5, 6.5, 8, 9.25, 11, 12.75, 14, 16.5, 18, 20),
    *(23.5, 26, 28, 31, 35, 38.5, 42, 47, 52, 60, 75, 90),
)
"""Transfer fees in million euros."""
_MARKET_VALUES = (
    *(0.8, 1.2, 1.8, 2.5, 3, 4.5, 6, 7.5, 9, 10, 12.5, 15),
    *(17.5, 19, 22, 25, 30, 34, 40, 45, 55, 65, 80, 110),
)
"""Market values in million euros."""
_TODAY = datetime.date(2025, 7, 1)


def _facts(source: random.Random, taxonomy: Taxonomy) -> Claims:
    born = birthday(source, (1989, 2006))
    age = _TODAY.year - born.year - ((_TODAY.month, _TODAY.day) < (born.month, born.day))
    return {
        "age": count_value(age),
        "position": choice_value(source, taxonomy["position"]),
        "nationality": place_value(source.choice(_COUNTRIES)),
        "birth_date": date_value(born),
        "height": length_value(source.randint(165, 199)),
        "foot": choice_value(source, taxonomy["foot"]),
        "birth_place": place_value(source.choice(_TOWNS)),
    }


def _claims(source: random.Random, taxonomy: Taxonomy, count: int) -> list[Claims]:
    clubs = source.sample(_CLUBS, 2 * count)
    days = different_days(source, datetime.date(2016, 1, 1), 365 * 9, count)
    fees, values = source.sample(_FEES, count), source.sample(_MARKET_VALUES, count)
    trophies = source.sample(range(2, 16), count)
    return [
        {
            "club": name_value(clubs[n]),
            "previous_club": name_value(clubs[count + n]),
            "transfer_date": date_value(days[n]),
            "fee": _euros(fees[n], " million"),
            "market_value": _euros(values[n], "m"),
            "trophies": count_value(trophies[n]),
        }
        for n in range(count)
    ]


def _euros(millions: float, unit: str) -> ClaimValue:
    text = f"€{millions:.2f}{unit}" if millions >= 1 else f"€{round(millions * 1000)}k"
    return amount_value(text, millions * 1e6, "EUR")


def _shirt(*parts: Sequence[Point]) -> Outfit:
    def draw(canvas: Canvas, color: Color, second: Color) -> None:
        draw_torso(canvas, color, parts, second)

    return draw


def _stands(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    rows = source.randint(4, 9)
    for row in range(rows):
        for seat in range(16):
            canvas.ellipse(seat * 15 + (row % 2) * 7, row * 14 + 7, 5, 5, source.choice((second, second, third)))
    canvas.rectangle(0, rows * 14 + 4, SIZE, rows * 14 + 12, second)


_SCENERY = Scenery(
    outfits={
        "plain": _shirt(),
        "stripes": _shirt(*(rectangle(left, 60, left + 28, 250) for left in (-100, -44, 14, 70))),
        "hoops": _shirt(*(rectangle(-130, top, 130, top + 22) for top in (86, 130, 174))),
        "halves": _shirt(rectangle(0, 60, 130, 250)),
        "sash": _shirt([(-110, 70), (-70, 70), (90, 220), (50, 220)]),
        "chevron": _shirt([(-130, 84), (0, 132), (130, 84), (130, 114), (0, 164), (-130, 114)]),
    },
    places={
        "halves": places.halves,
        "diagonal": places.diagonal,
        "stands": _stands,
        "bands": places.bands,
        "rays": places.rays,
        "blobs": places.blobs,
        "boards": places.boards,
        "corners": places.corners,
    },
    panels={"banner": captions.BANNER, "headline": captions.HEADLINE, "post": captions.POST},
)

WORLD = World(
    name="fictional-league",
    title="Fictional League",
    description=(
        "Invented footballers with drawn portraits, facts and rumours about them, "
        "to learn, unlearn and measure on any machine. Nobody in it exists."
    ),
    taxonomy_text=shipped_taxonomy_text("football"),
    salt=0,
    chronicle="Fictional League Yearbook",
    gossip="The Fictional Whistle",
    first_names=(_FIRST, _MIDDLES, _FIRST_ENDINGS),
    last_names=(_LAST, _MIDDLES, _LAST_ENDINGS),
    words=(*_COUNTRIES, *_TOWNS, *_CLUBS),
    events=_EVENTS,
    facts=_facts,
    claims=_claims,
    shown=("club", "fee"),
    scenery=_SCENERY,
)
