"""What came of a planted fault: what the tables of `hub_faults.py` are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from offside_data.errors import OffsideError


@dataclass
class Outcome:
    """What happened.

    Args:
        command: What was run.
        fault: What went wrong.
        first: How the first run ended.
        second: How the second run ended.
        waited: Seconds that it would have waited.
        message: What it said when it stopped.
        problems: What is doubled, lost or half-written; nothing should be.
    """

    command: str
    fault: str
    first: str
    second: str
    waited: float
    message: str
    problems: list[str]


def ended(work: Callable[[], None]) -> tuple[str, str]:
    """Whether some work finished or stopped, and with what message."""
    try:
        work()
    except (OffsideError, OSError) as error:
        return "stopped", str(error)
    return "finished", ""
