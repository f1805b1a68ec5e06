"""Progress on stderr, so that stdout stays for results.

Of several processes that do one piece of work together (`accelerate launch`, `torchrun`), only the first one speaks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def process_number() -> int:
    """The number of this process among those that were started together; 0 = the first, or the only one."""
    return int(os.environ.get("RANK", "0")) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else 0


def process_count() -> int:
    """How many processes were started together (`accelerate launch`, `torchrun`); 1 for one that was started alone."""
    return max(1, int(os.environ.get("WORLD_SIZE", "1")))


def track(items: Iterable[T], description: str, *, total: int | None = None) -> Iterator[T]:
    """Yield `items` while showing a progress bar on stderr (a plain pass-through when it is no terminal)."""
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    yield from rich_track(
        items, description, total=total, console=console, disable=not console.is_terminal or process_number() > 0
    )


def log(message: str) -> None:
    """Print one line to stderr."""
    import sys

    if process_number() == 0:
        print(message, file=sys.stderr, flush=True)
