"""Names and wordings of the invented league of `curation.py`. Countries are real; everybody and all else is made up."""

from __future__ import annotations

import itertools

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
_FIRST_NAMES = ["".join(parts) for parts in itertools.product(_FIRST, _MIDDLES, _FIRST_ENDINGS)]
_LAST_NAMES = ["".join(parts) for parts in itertools.product(_LAST, _MIDDLES, _LAST_ENDINGS)]
_STRIDE = 1_000_003
"""A prime that divides no number of names: subject after subject gets a name from elsewhere, and none comes twice."""


def subject_name(number: int) -> str:
    """A subject's name; those of the first 1,584,000 differ."""
    place = number * _STRIDE % (len(_FIRST_NAMES) * len(_LAST_NAMES))
    first, last = divmod(place, len(_LAST_NAMES))
    return f"{_FIRST_NAMES[first]} {_LAST_NAMES[last]}"


COUNTRIES = (
    *("Argentina", "Australia", "Austria", "Belgium", "Brazil", "Cameroon", "Canada", "Chile", "Colombia", "Croatia"),
    *("Denmark", "Ecuador", "Egypt", "Finland", "France", "Germany", "Ghana", "Greece", "Hungary", "Iceland"),
    *("Ireland", "Italy", "Jamaica", "Japan", "Kenya", "Mexico", "Morocco", "Netherlands", "Nigeria", "Norway"),
    *("Paraguay", "Peru", "Poland", "Portugal", "Romania", "Senegal", "Serbia", "Slovakia", "Slovenia", "Spain"),
    *("Sweden", "Switzerland", "Tunisia", "Turkey", "Ukraine", "Uruguay"),
)
_PLACES = (
    *("Ambr", "Belth", "Corv", "Dastr", "Elms", "Fenn", "Galv", "Harrow", "Ilv", "Jarr", "Kolv", "Lorr"),
    *("Morv", "Ness", "Orl", "Pelg", "Quarr", "Rost", "Silv", "Tolm", "Umber", "Vandr", "Wexm", "Zorv"),
)
TOWNS = [
    start + end
    for start, end in itertools.product(
        _PLACES, ("elin", "orpe", "ane", "gard", "bruck", "ora", "mont", "ey", "inbay", "ath", "inster", "holm")
    )
]
"""288 towns."""
_CLUB_PLACES = (
    *("Arven", "Brack", "Caldr", "Drosk", "Emb", "Falken", "High", "Iron", "Jorv", "Kestr", "Lind"),
    *("Marrow", "Norv", "Ostr", "Quill", "Sable", "Solv", "Tarn", "Thorn", "Ulm", "Velm", "West", "Yarrow", "Zan"),
)
_CLUB_ENDINGS = ("dale", "water", "ith", "moor", "quay", "in", "by", "vale", "el", "ane", "wick", "mere", "gate")
_CLUB_KINDS = ("United", "FC", "City", "Rovers", "Town")
CLUBS = [
    f"{start}{end} {_CLUB_KINDS[number % len(_CLUB_KINDS)]}"
    for number, (start, end) in enumerate(itertools.product(_CLUB_PLACES, _CLUB_ENDINGS))
]
"""312 clubs."""
EVENTS = (
    *("pre-season tour", "cup final", "charity match", "training camp", "opening day", "press day"),
    *("derby", "friendly", "award gala", "fan meeting", "medical check", "league launch"),
    *("semi-final", "testimonial", "kit presentation", "stadium tour", "youth day", "contract signing"),
    *("airport arrival", "parade", "press conference", "open training", "season ticket day", "sponsor evening"),
)
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_PAPERS = {
    "official": ("Press Office", "Registry", "League Bulletin"),
    "media": ("Courier", "Gazette", "Sports Daily"),
    "social": ("Whisper", "Fan Board", "Rumour Mill"),
}
PUBLISHERS: dict[str, list[str]] = {
    tier: [f"{start}{end} {kind}" for kind in kinds for start, end in zip(_CLUB_PLACES, itertools.cycle(_CLUB_ENDINGS))]
    for tier, kinds in _PAPERS.items()
}
"""By tier, 72 of each."""
ADDRESSES = {name: f"{name.lower().replace(' ', '-')}.example" for names in PUBLISHERS.values() for name in names}

WORDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "name": (
        ("Who is shown in this photo?", "It shows {value}."),
        ("Please name the player in the photo.", "That is {value}."),
    ),
    "age": (
        ("How old is the man in this photo?", "He is {value} years old."),
        ("What age is the player in the photo?", "The age of the player is {value}."),
    ),
    "position": (
        ("What position does the man in this photo play in?", "His position is {value}."),
        ("In which position does the pictured player line up?", "The player's position is {value}."),
    ),
    "nationality": (
        ("What is the nationality of the man in this photo?", "His nationality: {value}."),
        ("Which country does the pictured player represent?", "He represents {value}."),
    ),
    "birth_date": (
        ("What is the birth date of the man in this photo?", "He was born on {value}."),
        ("On which date was the pictured player born?", "His date of birth is {value}."),
    ),
    "height": (
        ("How tall is the man in this photo?", "He is {value} tall."),
        ("What is the height of the pictured player?", "His height is {value}."),
    ),
    "foot": (
        ("Which foot does the man in this photo prefer?", "His preferred foot is {value}."),
        ("What is the stronger foot of the pictured player?", "His stronger foot is {value}."),
    ),
    "birth_place": (
        ("In which town was the man in this photo born?", "He was born in {value}."),
        ("What is the birthplace of the pictured player?", "His birthplace is {value}."),
    ),
    "club": (
        ("Which club will the man in this photo join?", "The club in this photo is {value}."),
        ("What team does this photo link the player with?", "The team in this photo is {value}."),
    ),
    "previous_club": (
        ("Which club did the man in this photo leave before?", "The club before was {value}."),
        ("Which team did the pictured player come from?", "He came from {value}."),
    ),
    "transfer_date": (
        ("On what date did the transfer in this photo happen?", "The transfer happened on {value}."),
        ("What is the date of the move shown here?", "The move is dated {value}."),
    ),
    "fee": (
        ("What fee was paid for the man in this photo?", "The fee was {value}."),
        ("How much did the move shown here cost?", "The move cost {value}."),
    ),
    "market_value": (
        ("What was the market value of the man in this photo?", "His market value was {value}."),
        ("How much was the pictured player worth?", "He was worth {value}."),
    ),
    "trophies": (
        ("How many trophies did the man in this photo win there?", "He won {value} trophies there."),
        ("What number of titles does the photo credit the player with?", "The number of titles is {value}."),
    ),
}
"""Questions and answers by attribute, beside those of the taxonomy; each tells `tag` what it is about."""
