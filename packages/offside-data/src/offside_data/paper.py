"""Where a method, a metric or a finding was published."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A publication.

    Args:
        title: As it was published, with the section where that helps.
        url: `https://…`
    """

    title: str
    url: str
