"""How much is read of what anybody may have written: all limits, as data.

A limit is far above what people need and far below what harms: nobody writes a card of 4 MiB, and a machine that reads
an endless one stops. Whatever refuses something for a limit names the file and the limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_LISTED: list[Limit] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most that is read of something.

    Args:
        of: What is limited, as a table lists it.
        most: The number.
        unit: What it counts, in the plural; `bytes` are told in MiB or GiB.
        why: What more would do.
    """

    of: str
    most: int
    unit: str = field(default="bytes")
    why: str

    def __post_init__(self) -> None:
        _LISTED.append(self)

    def __str__(self) -> str:
        """The number with its unit, as messages tell it."""
        if self.unit != "bytes":
            return f"{self.most:,} {self.unit}"
        return f"{self.most // 2**30:,} GiB" if self.most >= 2**30 else f"{self.most // 2**20:,} MiB"


CARD = Limit(of="a card, a taxonomy, a config", most=4 * 2**20, why="YAML takes a hundred times its size in memory")
TEXT = Limit(of="a manifest, a journal, another small file", most=64 * 2**20, why="it is read at once")
LIST = Limit(of="a list of records, a JSON file to import", most=2**30, why="it is read at once")
DEPTH = Limit(of="YAML", most=100, unit="levels", why="a parser that calls itself ends the program")
GROWTH = Limit(of="YAML, its aliases followed", most=10, unit="values a letter", why="nine lines make a billion values")
PICTURE = Limit(of="a picture's file", most=256 * 2**20, why="it is read at once")
PIXELS = Limit(of="a picture", most=64_000_000, unit="pixels", why="a small file can claim to be one of terabytes")
SIDE = Limit(of="a picture's longer side", most=65_535, unit="pixels", why="JPEG has no more, and scaling costs by row")
NAME = Limit(of="a taken-down name", most=200, unit="letters or words", why="every run is looked up in every text")
REPEATED = Limit(of="a text that a chat template repeats", most=2**20, why="a line in it can ask for gigabytes")
ROUNDS = Limit(of="loops of a chat template", most=1_000_000, unit="rounds", why="loops in loops need not end")
COLUMNS = Limit(of="a table to import", most=10_000, unit="columns", why="each is looked at by itself")
CELLS = Limit(of="a sheet of a workbook", most=50_000_000, unit="cells", why="room is made for all up to the last one")


def all_limits() -> list[Limit]:
    """Every limit, in the order in which the guide lists them."""
    return list(_LISTED)
