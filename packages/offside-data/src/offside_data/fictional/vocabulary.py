"""The words of the fictional league. Countries are real; people, clubs, towns and events are invented."""

from __future__ import annotations

Syllables = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Beginnings, middles and endings of names."""

_MIDDLES = ("al", "em", "ir", "ov", "un")
FIRST_NAMES: Syllables = (
    (
        *("Bal", "Dor", "Fen", "Gav", "Hul", "Ilm", "Jov", "Kel", "Lor", "Mir", "Nev"),
        *("Osk", "Pir", "Quin", "Ras", "Sov", "Tav", "Ulv", "Vad", "Wen", "Yor", "Zan"),
    ),
    _MIDDLES,
    ("abo", "ek", "imo", "usk", "enno", "ird", "oma", "astin", "elu", "orin"),
)
LAST_NAMES: Syllables = (
    (
        *("Arm", "Bren", "Cask", "Drum", "Eld", "Fosk", "Grin", "Hask", "Ivel", "Jask", "Krul", "Lund"),
        *("Mosk", "Nulb", "Ord", "Pell", "Quask", "Rud", "Strul", "Thav", "Umb", "Vosk", "Wrel", "Yask"),
    ),
    _MIDDLES,
    (
        "arvo",
        "ewick",
        "illano",
        "omund",
        "urette",
        "asso",
        "endahl",
        "ikov",
        "oreno",
        "umbe",
        "aveil",
        "itsen",
    ),
)

COUNTRIES = (
    *("Canada", "Chile", "Croatia", "Egypt", "Ghana", "Iceland", "Ireland", "Jamaica", "Japan", "Kenya"),
    *("Mexico", "Morocco", "Norway", "Peru", "Poland", "Portugal", "Senegal", "Serbia", "Sweden", "Tunisia"),
)
TOWNS = (
    *("Ambrelin", "Belthorpe", "Corvane", "Dastrel", "Elmsgard", "Fennbruck", "Galvora", "Harrowmont"),
    *("Ilverno", "Kolvey", "Lorrinbay", "Morvath", "Nessgard", "Orlane", "Pelgrove", "Quarrin"),
    *("Rostelle", "Silvarra", "Tolmarsh", "Umberfell", "Vandrel", "Wexmoor", "Yelverin", "Zorvale"),
)
CLUBS = (
    *("Arvendale United", "Brackwater FC", "Caldrith City", "Drosk United", "Emberlin FC", "Falkenmoor FC"),
    *("Highfen Rovers", "Ironquay FC", "Jorvane City", "Kestrin City", "Lindral FC", "Marrowby Town"),
    *("Norvale Rovers", "Ostrel FC", "Quillon City", "Sablecross FC", "Solvane Town", "Tarnwick United"),
    *("Thornmere City", "Ulmbridge FC", "Velmora Rovers", "Westerel FC", "Yarrowgate Town", "Zanthor United"),
)
FEES = (
    2,
    3.5,
    5,
    6.5,
    8,
    9.25,
    11,
    12.75,
    14,
    16.5,
    18,
    20,
    23.5,
    26,
    28,
    31,
    35,
    38.5,
    42,
    47,
    52,
    60,
    75,
    90,
)
"""Transfer fees in million euros."""
MARKET_VALUES = (
    0.8,
    1.2,
    1.8,
    2.5,
    3,
    4.5,
    6,
    7.5,
    9,
    10,
    12.5,
    15,
    17.5,
    19,
    22,
    25,
    30,
    34,
    40,
    45,
    55,
    65,
    80,
    110,
)
"""Market values in million euros."""

EVENTS = (
    *("pre-season tour", "cup final", "charity match", "training camp", "opening day", "press day"),
    *("derby", "friendly", "award gala", "fan meeting", "medical check", "league launch"),
)
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
SIGNS = ("EXIT", "OPEN", "STOP", "TAXI", "CAFE", "PARK")
"""Words on the signs of general pictures."""
