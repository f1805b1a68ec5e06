"""By the number of the picture, as OFFSIDE was published: of five, three are kept, one is forgotten, one relearned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from offside_data.errors import UsageError
from offside_data.schema import Split
from offside_data.splits._base import Unit

_SPLITS: tuple[Split, ...] = ("relearn", "retain", "retain", "retain", "forget")
"""By number modulo 5."""
_SHOWN = 5


SETTLES = False


@dataclass(frozen=True, kw_only=True)
class Options:
    """The policy has no options."""


def place(units: Sequence[Unit], options: Options, seed: int) -> dict[str, Split]:
    """Pictures by the number in their source's name; records about none are kept.

    Pictures in `test` (the published ones are augmented copies of kept pictures) and in `holdout` stay there.

    Raises:
        UsageError: If a picture has no number, or several.
    """
    placed: dict[str, Split] = {}
    unnumbered = []
    for unit in units:
        if unit.image_id is None:
            placed |= unit.to("retain")
        elif unit.home not in ("test", "holdout"):
            numbers = re.findall(r"\d+", PurePosixPath((unit.source or "").partition(":")[2]).stem)
            if len(numbers) == 1:
                placed |= unit.to(_SPLITS[int(numbers[0]) % 5])
            else:
                unnumbered.append(f"{unit.image_id} ({unit.source or 'no source'})")
    if unnumbered:
        shown = ", ".join(unnumbered[:_SHOWN]) + (", …" if len(unnumbered) > _SHOWN else "")
        raise UsageError(
            f"--policy modulo goes by the one number in a picture's file name (001.jpg), and {len(unnumbered)} "
            f"pictures have none, or several: {shown}. Use --policy ratio, or --policy file with a list."
        )
    return placed
