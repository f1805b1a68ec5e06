"""Decisions added to a folder's file by hand, as no command does: theirs come with a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from offside_data.dataset.decisions import DECISIONS_FILE, decisions_text, read_decisions
from offside_data.files import write_text


def append_decisions(folder: Path, decisions: Iterable[Mapping[str, Any]]) -> None:
    """Add decisions to a dataset folder's file."""
    write_text(folder / DECISIONS_FILE, decisions_text([*read_decisions(folder), *decisions]))
