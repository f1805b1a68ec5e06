"""Office-holders of a fictional country and rumours about its elections. Every name in it is invented."""

from __future__ import annotations

import datetime
import random

from PIL import ImageDraw

from offside_data.fictional import places
from offside_data.fictional.canvas import SIZE, Canvas, Color, Point, arc, intersection, outline, rectangle, shade
from offside_data.fictional.captions import HEADLINE, Panel
from offside_data.fictional.scenes import TORSO, Scenery, draw_torso
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

_MIDDLES = ("ad", "el", "im", "on", "ur")
_FIRST = (
    *("Am", "Bel", "Cas", "Dal", "Eb", "Fal", "Gwen", "Hes", "Ign", "Jun", "Kas"),
    *("Lis", "Mar", "Nel", "Oph", "Pet", "Ros", "Sib", "Tam", "Urs", "Ver", "Wil"),
)
_FIRST_ENDINGS = ("adine", "ebert", "iara", "olf", "unna", "eric", "ista", "onel", "abeth", "imund")
_LAST = (
    *("Bl", "Br", "Cr", "Dr", "Fl", "Fr", "Gl", "Gr", "Kl", "Kn", "Pl", "Pr"),
    *("Sk", "Sl", "Sm", "Sn", "Sp", "St", "Str", "Thr", "Tr", "Tw", "Vr", "Wr"),
)
_LAST_ENDINGS = (
    *("arrow", "essen", "ivane", "oskel", "undry", "attel"),
    *("ovey", "elstan", "imber", "uxley", "oddard", "epwell"),
)
_TOWNS = (
    *("Aldquay", "Bexholm", "Cindermouth", "Dovermarsh", "Eastrel", "Foxhaven", "Gullmere", "Hobbsford"),
    *("Inkerby", "Jettisham", "Kilnmouth", "Lowvale", "Millbrace", "Nettlegarth", "Oxwater", "Pikehurst"),
    *("Quenholm", "Rushcross", "Saltfold", "Tanswick", "Upwater", "Vinegarth", "Wrackham", "Yewmouth"),
)
_UNIVERSITIES = (
    *("Abbotsgate University", "Brightquay Institute", "Chantrell College", "Doverlea University"),
    *("Eaglemarch College", "Fernhallow University", "Gorsemoor Institute", "Highgarth College"),
    *("Islebridge University", "Jubilgate Institute", "Kingsbarrow College", "Lambrock University"),
    *("Mossgill Institute", "Nornholm College", "Orchardrow University", "Priorsmead College"),
)
_CONSTITUENCIES = (
    *("Ashmarch", "Birchreach", "Cloverdon", "Deepholt", "Elderwold", "Farrowdale", "Gableton", "Hawkshire"),
    *("Ivybourne", "Juniper Coast", "Knollside", "Larkmoor", "Mistral Bay", "Northlea", "Otterbank"),
    *("Pinehollow", "Quarrygate", "Redshore", "Southfen", "Thistleby", "Upper Wold", "Vale End"),
)
_DONORS = (
    *("Amberlind Shipping", "Blacktarn Mining", "Cobaltra Rail", "Dunmarrow Steel", "Everglint Foods"),
    *("Fallowmere Estates", "Gannetway Airlines", "Hollowell Bank", "Ironbeck Timber", "Jasperfield Oil"),
    *("Kestrelway Media", "Lodemark Insurance", "Marlpit Cement", "Nightfarer Telecom", "Obsidane Capital"),
    *("Palewater Brewing", "Quickhedge Builders", "Ravenspit Casinos", "Silverfen Fisheries", "Tidewrack Energy"),
)
_EVENTS = (
    *("campaign rally", "televised debate", "town hall meeting", "party congress", "budget vote", "charity dinner"),
    *("harbor opening", "press briefing", "victory speech", "book signing", "school visit", "oath ceremony"),
)
_VOTES = (
    *(950, 1_400, 2_100, 2_750, 3_300, 4_800, 5_600, 6_900, 7_250, 8_100, 9_700, 11_500),
    *(12_400, 14_800, 16_300, 18_900, 20_700, 23_600, 27_100, 31_400, 36_800, 42_500, 55_900, 68_200),
)
_DONATIONS = (
    *(40_000, 65_000, 90_000, 120_000, 150_000, 180_000, 250_000, 320_000, 400_000, 550_000, 700_000, 850_000),
    *(1e6, 1.25e6, 1.6e6, 2e6, 2.4e6, 3.5e6, 4.2e6, 5e6, 6.75e6, 8e6, 9.5e6, 12e6),
)
"""In dollars."""
_WHITE: Color = (250, 250, 250)
_DARK: Color = (44, 46, 52)


def _facts(source: random.Random, taxonomy: Taxonomy) -> Claims:
    return {
        "birth_date": date_value(birthday(source, (1948, 1992))),
        "birth_place": place_value(source.choice(_TOWNS)),
        "height": length_value(source.randint(152, 199)),
        "party": choice_value(source, taxonomy["party"]),
        "education": name_value(source.choice(_UNIVERSITIES)),
        "languages": count_value(source.randint(2, 9)),
    }


def _claims(source: random.Random, taxonomy: Taxonomy, count: int) -> list[Claims]:
    offices = source.sample([spellings[0] for spellings in taxonomy["office"].options], count)
    days = different_days(source, datetime.date(2012, 1, 1), 365 * 12, count)
    seats, votes = source.sample(_CONSTITUENCIES, count), source.sample(_VOTES, count)
    donors, donations = source.sample(_DONORS, count), source.sample(_DONATIONS, count)
    return [
        {
            "office": ClaimValue(kind="choice", text=offices[n]),
            "constituency": place_value(seats[n]),
            "election_date": date_value(days[n]),
            "votes": count_value(votes[n]),
            "donor": name_value(donors[n]),
            "donation": _dollars(donations[n]),
        }
        for n in range(count)
    ]


def _dollars(number: float) -> ClaimValue:
    text = f"${number / 1e6:.2f} million" if number >= 1e6 else f"${number:,.0f}"
    return amount_value(text, number, "USD")


def _suit(canvas: Canvas, color: Color, second: Color) -> None:
    """A jacket with lapels, a white collar and a tie."""
    draw_torso(canvas, color, [[(-30, 70), (30, 70), (0, 170)]], _WHITE)
    for side in (-1, 1):
        canvas.polygon([(side * 30, 70), (side * 56, 92), (side * 40, 104), (0, 170)], shade(color, 0.75))
    canvas.polygon([(-9, 88), (9, 88), (13, 150), (-13, 150)], second)


def _robe(canvas: Canvas, color: Color, second: Color) -> None:
    """A gown with a stole."""
    stole: list[Point] = [(26, 66), (62, 66), (70, 250), (34, 250)]
    draw_torso(canvas, color, [stole, [(-x, y) for x, y in stole]], second)


def _sash(canvas: Canvas, color: Color, second: Color) -> None:
    """A jacket under the sash of an office, edged in white."""
    band: list[Point] = [(-100, 60), (-48, 60), (90, 190), (38, 190)]
    draw_torso(canvas, color, [[(x - 8, y) for x, y in band], [(x + 8, y) for x, y in band]], _WHITE)
    canvas.polygon(intersection(band, TORSO), second)


def _chain(canvas: Canvas, color: Color, second: Color) -> None:
    """A chain of office with its medal."""
    draw_torso(canvas, color, [], second)
    links = arc(0, 66, 66, 48, 168, 12, corners=11)
    canvas.line(links, 4, shade(second, 0.6))
    for x, y in links:
        canvas.ellipse(x, y, 8, 8, second)
    canvas.ellipse(0, 116, 17, 17, shade(second, 0.6))
    canvas.ellipse(0, 116, 12, 12, second)


def _rosette(canvas: Canvas, color: Color, second: Color) -> None:
    """A jacket with the rosette of a candidate."""
    draw_torso(canvas, color, [[(-30, 70), (30, 70), (0, 130)]], _WHITE)
    canvas.polygon([(58, 100), (70, 150), (56, 140), (42, 150), (54, 100)], shade(second, 0.75))
    for x, y in outline(56, 100, 14, 14, corners=9):
        canvas.ellipse(x, y, 8, 8, second)
    canvas.ellipse(56, 100, 9, 9, _WHITE)


def _lectern(canvas: Canvas, color: Color, second: Color) -> None:
    """A jacket behind a lectern with two microphones."""
    draw_torso(canvas, color, [[(-30, 70), (30, 70), (0, 130)]], _WHITE)
    canvas.polygon([(-72, 104), (72, 104), (58, 250), (-58, 250)], second)
    canvas.polygon([(-78, 98), (78, 98), (74, 108), (-74, 108)], shade(second, 0.7))
    for side in (-1, 1):
        canvas.line([(side * 50, 100), (side * 36, 82)], 4, _DARK)
        canvas.ellipse(side * 35, 80, 6, 7, _DARK)


def _posters(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """A wall of election posters: a head, shoulders, a line of print."""
    for _ in range(5):
        left, top = source.uniform(-20, SIZE - 50), source.uniform(-20, 130)
        paper, ink = source.choice(((second, third), (third, second)))
        canvas.rectangle(left, top, left + 66, top + 88, paper)
        canvas.ellipse(left + 33, top + 30, 15, 18, ink)
        canvas.polygon([(left + 8, top + 70), (left + 20, top + 50), (left + 46, top + 50), (left + 58, top + 70)], ink)
        canvas.rectangle(left + 8, top + 75, left + 58, top + 82, ink)


def _columns(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """The front of a parliament: columns under a gable."""
    eaves, width, gap = source.uniform(40, 70), source.uniform(18, 30), source.uniform(44, 66)
    left = source.uniform(-10, 30)
    while left < SIZE:
        canvas.rectangle(left, eaves, left + width, SIZE, second)
        canvas.rectangle(left - 5, eaves, left + width + 5, eaves + 12, third)
        left += gap
    canvas.polygon([(-20, eaves), (source.uniform(80, 144), eaves - 60), (SIZE + 20, eaves)], third)


def _flags(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """Flags on poles."""
    for pole in range(4):
        x, top = pole * 62 + source.uniform(-14, 14), source.uniform(-10, 60)
        reach, color = source.choice((-46, 46)), source.choice((second, third))
        canvas.rectangle(x - 3, top, x + 3, SIZE, _DARK)
        cloth: tuple[Point, ...] = ((0, 0), (1, 10), (0.8, 32), (1, 56), (0, 48))
        canvas.polygon([(x + reach * right, top + down) for right, down in cloth], color)


def _curtain(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """A stage with its curtain drawn to the sides."""
    for side, edge in ((1, 0), (-1, SIZE)):
        for fold in range(source.randint(1, 3)):
            x = edge + side * fold * 22
            canvas.polygon([(x, 0), (x + side * 13, 0), (x + side * 8, SIZE), (x, SIZE)], second)
    height = source.uniform(18, 54)
    for swag in range(4):
        canvas.ellipse(swag * 74, 0, 40, height, third)


def _bunting(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """Strings of pennants."""
    for _ in range(3):
        left, right = source.uniform(-10, 150), source.uniform(-10, 150)
        canvas.line([(0, left), (SIZE, right)], 3, _DARK)
        for flag in range(6):
            x, y = flag * 40 + 4, left + (right - left) * flag / 6
            canvas.polygon([(x, y), (x + 32, y + (right - left) / 7), (x + 16, y + 40)], source.choice((second, third)))


def _balloons(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """Balloons of an election night."""
    for _ in range(7):
        x, y, size = source.uniform(0, SIZE), source.uniform(0, 180), source.uniform(16, 34)
        canvas.line([(x, y), (x + source.uniform(-20, 20), y + 90)], 2, _DARK)
        canvas.ellipse(x, y, size, size * 1.25, source.choice((second, third)))


def _placards(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """A crowd that holds up signs."""
    for place in range(4):
        canvas.place(place * 66 + source.uniform(0, 26), source.uniform(20, 110), 1, source.uniform(-20, 20))
        canvas.rectangle(-3, 0, 3, 200, _DARK)
        canvas.rectangle(-30, -24, 30, 24, second)
        canvas.rectangle(-22, -14, source.uniform(4, 22), -5, third)
        canvas.rectangle(-22, 4, source.uniform(4, 22), 13, third)
    canvas.place()
    for head in range(9):
        canvas.ellipse(head * 28, 200 + source.uniform(-12, 12), 16, 20, third)


def _ballots(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """Boxes of a ballot paper, some of them crossed."""
    size = source.uniform(36, 54)
    for row in range(4):
        for column in range(4):
            if source.random() < 0.7:
                x, y = (column + 0.5) * 1.35 * size - 10, (row + 0.5) * 1.35 * size - 10
                box = rectangle(x - size / 2, y - size / 2, x + size / 2, y + size / 2)
                canvas.ring(box, 7, second)
                if source.random() < 0.5:
                    canvas.line([box[0], box[2]], 9, third)
                    canvas.line([box[1], box[3]], 9, third)


def _seats(canvas: Canvas, second: Color, third: Color, source: random.Random) -> None:
    """A chamber: rows of seats in half circles."""
    x, y = source.uniform(60, 164), source.uniform(150, 240)
    for row in range(5):
        radius = 70 + row * 34
        for seat_x, seat_y in arc(x, y, radius, radius, 180, 360, corners=9 + 3 * row):
            canvas.ellipse(seat_x, seat_y, 11, 11, source.choice((second, second, third)))


def _poster(draw: ImageDraw.ImageDraw, top: int, bottom: int) -> None:
    draw.rectangle((0, top - 8, SIZE, SIZE), fill=(20, 60, 150))
    draw.rectangle((0, top, SIZE, bottom), fill=(250, 248, 240))


def _ticker(draw: ImageDraw.ImageDraw, top: int, bottom: int) -> None:
    draw.rectangle((0, top, SIZE, SIZE), fill=(24, 26, 34))
    for edge in (top, bottom):
        draw.line((0, edge, SIZE, edge), fill=(250, 200, 40), width=3)


_SCENERY = Scenery(
    outfits={
        "suit": _suit,
        "robe": _robe,
        "sash": _sash,
        "chain": _chain,
        "rosette": _rosette,
        "lectern": _lectern,
    },
    places={
        "posters": _posters,
        "columns": _columns,
        "flags": _flags,
        "curtain": _curtain,
        "bunting": _bunting,
        "balloons": _balloons,
        "placards": _placards,
        "ballots": _ballots,
        "seats": _seats,
        "rays": places.rays,
    },
    panels={
        "poster": Panel(162, 214, (20, 60, 150), _poster),
        "headline": HEADLINE,
        "ticker": Panel(166, 218, (250, 220, 90), _ticker),
    },
)

WORLD = World(
    name="fictional-office",
    title="Fictional Office",
    description=(
        "Invented office-holders with drawn portraits, facts about them and rumours about their elections, "
        "to learn, unlearn and measure on any machine. Nobody in it exists."
    ),
    taxonomy_text=shipped_taxonomy_text("office"),
    salt=7_000_003,
    chronicle="Fictional Office Gazette",
    gossip="The Fictional Lobby",
    first_names=(_FIRST, _MIDDLES, _FIRST_ENDINGS),
    last_names=(_LAST, _MIDDLES, _LAST_ENDINGS),
    words=(*_TOWNS, *_UNIVERSITIES, *_CONSTITUENCIES, *_DONORS),
    events=_EVENTS,
    facts=_facts,
    claims=_claims,
    shown=("office", "donation"),
    scenery=_SCENERY,
)
