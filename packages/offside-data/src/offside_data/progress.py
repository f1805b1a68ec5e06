"""Progress on stderr, so that stdout stays for results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], description: str, *, total: int | None = None) -> Iterator[T]:
    """Yield `items` while showing a progress bar on stderr (a plain pass-through when it is no terminal)."""
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    yield from rich_track(items, description, total=total, console=console, disable=not console.is_terminal)


def log(message: str) -> None:
    """Print one line to stderr."""
    import sys

    print(message, file=sys.stderr, flush=True)
