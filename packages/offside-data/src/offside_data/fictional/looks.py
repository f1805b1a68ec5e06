"""How a fictional person looks: a code of bold features in which any two people differ a lot."""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offside_data.fictional.canvas import Color
from offside_data.seeding import rng

SKIN: dict[str, Color] = {
    "pale": (247, 219, 200),
    "light": (233, 184, 142),
    "tan": (203, 146, 95),
    "brown": (154, 98, 58),
    "dark": (104, 64, 38),
    "deep": (64, 39, 28),
}
HAIR: dict[str, Color] = {
    "black": (20, 18, 24),
    "brown": (112, 58, 22),
    "blond": (250, 206, 60),
    "orange": (240, 96, 10),
    "blue": (24, 84, 236),
    "green": (16, 164, 74),
    "pink": (246, 74, 170),
    "purple": (128, 36, 196),
}
HEADBAND: dict[str, Color] = {"red": (226, 12, 34), "lime": (176, 244, 24)}
GLASSES: dict[str, Color] = {"round": (20, 18, 24), "dark": (20, 18, 24), "mirror": (70, 226, 250)}
EYES: dict[str, Color] = {"brown": (80, 44, 20), "blue": (40, 120, 220), "green": (40, 150, 70)}

FEATURES: dict[str, tuple[tuple[str, ...], float]] = {
    "skin": (tuple(SKIN), 1.5),
    "hair": (tuple(HAIR), 2.0),
    "style": (("short", "afro", "long", "mohawk", "flattop", "parted", "topknot", "spiky"), 2.0),
    "shape": (("oval", "round", "square", "long"), 1.0),
    "beard": (("none", "moustache", "goatee", "full", "sideburns"), 1.5),
    "glasses": (("none", *GLASSES), 1.5),
    "headband": (("none", *HEADBAND), 1.5),
    "eyes": (tuple(EYES), 0.5),
    "brows": (("thin", "thick", "slanted"), 0.5),
    "nose": (("small", "long", "wide"), 0.5),
    "mouth": (("smile", "line", "teeth", "lips"), 0.5),
    "ears": (("small", "large", "earring"), 0.5),
    "mark": (("none", "freckles", "scar", "plaster", "paint"), 1.0),
}
"""Every feature: its levels, and how much a difference in it counts when looks are told apart."""

_CANDIDATES = 48
ANONYMOUS_DISTANCE = 5.0
"""Anonymous people differ from every subject by at least this much (of 14)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One level of each feature in `FEATURES`; a person's in every picture."""

    skin: str
    hair: str
    style: str
    shape: str
    beard: str
    glasses: str
    headband: str
    eyes: str
    brows: str
    nose: str
    mouth: str
    ears: str
    mark: str

    def distance(self, other: Look) -> float:
        """The weights of all features in which two looks differ, added up."""
        return sum(w for name, (_, w) in FEATURES.items() if getattr(self, name) != getattr(other, name))


def random_look(source: random.Random) -> Look:
    """Any look, every level equally likely."""
    return Look(**{name: source.choice(levels) for name, (levels, _) in FEATURES.items()})


class UsedLooks:
    """Looks so far, and how near another one comes to them."""

    def __init__(self, looks: Iterable[Look] = ()) -> None:
        self._codes = _codes(list(looks))

    def add(self, look: Look) -> None:
        """One more look."""
        self._codes = np.concatenate([self._codes, _codes([look])])

    def nearest(self, looks: Sequence[Look]) -> npt.NDArray[np.float64]:
        """Distance of each look to the most similar one so far; infinite if there are none."""
        differ = _codes(looks)[:, None, :] != self._codes[None, :, :]
        distances: npt.NDArray[np.float64] = (differ @ _WEIGHTS).min(axis=1, initial=np.inf)
        return distances


_WEIGHTS = np.array([weight for _, weight in FEATURES.values()])


def _codes(looks: Sequence[Look]) -> npt.NDArray[np.int8]:
    """One row a look, one column a feature: the number of its level."""
    rows = [[levels.index(getattr(look, name)) for name, (levels, _) in FEATURES.items()] for look in looks]
    return np.array(rows, dtype=np.int8).reshape(len(rows), len(FEATURES))


@functools.cache
def looks(seed: int, count: int) -> tuple[Look, ...]:
    """Looks of the first `count` people of a league.

    Each is, of some random ones, the one that differs most from the most similar person before:
    a person's look is the same however many people follow.
    """
    used = UsedLooks()
    chosen: list[Look] = []
    for person in range(count):
        source = rng(seed, "look", person)
        candidates = [random_look(source) for _ in range(_CANDIDATES)]
        chosen.append(candidates[int(used.nearest(candidates).argmax())])
        used.add(chosen[-1])
    return tuple(chosen)


def anonymous_look(source: random.Random, known: UsedLooks) -> Look:
    """A random look that nobody known has or comes near to; with headband and glasses, without a beard."""
    while True:
        look = dataclasses.replace(
            random_look(source),
            mark="none",
            beard="none",
            headband=source.choice(tuple(HEADBAND)),
            glasses=source.choice(("dark", "mirror")),
        )
        if known.nearest([look])[0] >= ANONYMOUS_DISTANCE:
            return look
