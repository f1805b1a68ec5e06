"""Numbers in messages and tables: one way of writing them everywhere."""

from __future__ import annotations

NONE = "–"
"""In place of a number that there isn't."""


def number(value: float | None, digits: int = 2) -> str:
    """`0.75`; a minus sign where one belongs, never `-0.00`."""
    if value is None:
        return NONE
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def counted(n: int, noun: str) -> str:
    """`1 step`, `1,200 micro-batches`, `2 queries of users`.

    Args:
        n: How many.
        noun: In the singular; what comes after " of " stays as it is.
    """
    head, of, rest = noun.partition(" of ")
    if n != 1:
        head = f"{head[:-1]}ies" if head.endswith("y") and head[-2:-1] not in "aeiou" else head
        head += "" if head.endswith("ies") else "es" if head.endswith(("ch", "sh", "s", "x")) else "s"
    return f"{n:,} {head}{of}{rest}"
