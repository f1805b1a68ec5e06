"""Pairs of pictures that a person declared to be no duplicates, once for all: a decision like any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from offside_data.dataset.access import changes
from offside_data.dataset.decisions import holding, make_decision, now, read_decisions
from offside_data.dataset.folder import open_dataset
from offside_data.dataset.picture_names import PictureNames
from offside_data.dataset.transaction import change_dataset
from offside_data.errors import UsageError

KIND = "not-duplicate"
"""The `kind` of such a decision; its `what` has `pictures`, the two ids."""
_MERGED = "duplicate"


def declared_apart(folder: Path) -> set[frozenset[str]]:
    """The pairs that hold, by id. What was said of a picture that was merged since holds for the one that was kept.

    Raises:
        DatasetError: If the decisions can't be read.
    """
    kept: dict[str, str] = {}
    declared = []
    for decision in holding(read_decisions(folder)):
        what = decision["what"] if isinstance(decision["what"], dict) else {}
        if decision["kind"] == _MERGED and "kept_in" not in what:
            kept.update(dict.fromkeys(what.get("dropped") or (), what.get("kept", "")))
        elif decision["kind"] == KIND:
            declared.append(what.get("pictures") or ())  # Of a picture that was taken down, nothing is left in it.
    pairs = (frozenset(_now_called(str(picture), kept) for picture in pictures) for pictures in declared)
    return {pair for pair in pairs if len(pair) == 2}


def _now_called(picture: str, kept: dict[str, str]) -> str:
    seen = {picture}
    while kept.get(picture) and kept[picture] not in seen:
        picture = kept[picture]
        seen.add(picture)
    return picture


@changes()
def declare_apart(dataset: str | Path, pairs: Sequence[tuple[str, str]], reason: str = "") -> list[dict[str, Any]]:
    """Declare pairs of pictures to be no duplicates of each other: `dedup` and `check` no longer compare them.

    Args:
        dataset: The dataset.
        pairs: Two pictures each, by id or file.
        reason: Why.

    Returns:
        The decisions; `undo` takes one back.

    Raises:
        UsageError: If there is no such picture, both are one, or the pair was declared before.
        DatasetError: If the dataset can't be read or changed.
    """
    opened = open_dataset(dataset)
    names = PictureNames(opened)
    known = declared_apart(opened.path)
    decisions = []
    for given in pairs:
        first, second = (names.find(text) for text in given)
        if first == second:
            raise UsageError(f"{given[0]} and {given[1]} are one picture, {names.name(first)}: name two.")
        if frozenset((first, second)) in known:
            raise UsageError(
                f"{names.name(first)} and {names.name(second)} were declared before; see offside-data decisions."
            )
        known.add(frozenset((first, second)))
        why = reason or "a person looked at both and says that they aren't the same picture"
        decisions.append(
            make_decision(KIND, {"pictures": [first, second]}, why, command="dedup --not-duplicates", when=now())
        )
    with change_dataset(opened) as change:
        change.decide(decisions)
    return decisions
