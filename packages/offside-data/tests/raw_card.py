"""A card's block changed by hand, as a person may: nothing checks what it holds then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from offside_data.dataset.card import BLOCK, read_raw, write_raw


def edit_block(folder: Path, **changes: Any) -> None:
    """Set keys of the `offside:` block in a folder's card."""
    front, body = read_raw(folder)
    write_raw(folder, {**front, BLOCK: {**front[BLOCK], **changes}}, body)
