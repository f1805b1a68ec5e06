"""Who was taken down, as salted hashes: enough to recognise a name, an id or a picture that comes back, no more.

A tombstone is a line of `decisions.jsonl` (`kind: takedown`) with the salt and the hashes of all traces (`names`). All
those of a dataset share one salt, so that a text is hashed once however many there are. Whoever guesses a name can find
out whether it was taken down; but it stands in no file, can't be searched for and is copied nowhere.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from offside_data.dataset.decisions import make_decision, read_decisions
from offside_data.errors import DatasetError
from offside_data.limits import NAME
from offside_data.takedown.names import Traces, lengths_of

PROOFS = "proofs"
"""Sub-folder of a dataset's working area where what was found of takedowns is kept."""
KIND = "takedown"
"""Kind of the decisions that are tombstones."""
_DIGITS = 24


def read_tombstones(folder: Path) -> Traces:
    """The traces of everybody who was taken down from a dataset folder.

    `is_taken_down`, and of the traces `has_id` (records, pictures), `has_picture` and `names_in` (texts) say what may
    not come back.

    Raises:
        DatasetError: If `decisions.jsonl` can't be read.
    """
    return traces_of(read_decisions(folder))


def traces_of(decisions: Iterable[Mapping[str, Any]]) -> Traces:
    """As `read_tombstones`, from decisions at hand.

    Raises:
        DatasetError: If one of a takedown doesn't say what it must.
    """
    stones = [_stone(decision) for decision in decisions if decision.get("kind") == KIND]
    sealed = frozenset(trace for stone in stones for trace in stone["traces"])
    salts = {stone["salt"] for stone in stones}
    lengths: dict[str, set[int]] = {}
    for stone in stones:
        for kind, some in stone.get("lengths", {}).items():
            lengths.setdefault(kind, set()).update(some)
    return Traces(
        lambda trace: any(_seal(salt, trace) in sealed for salt in salts),
        lengths,
        before=max((stone.get("longest", 0) for stone in stones), default=0),
        exist=bool(sealed),
    )


def _stone(decision: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a tombstone says; the line may be anybody's, of a dataset that was fetched.

    Raises:
        DatasetError: If it doesn't say what it must.
    """
    what = decision["what"]
    if (
        isinstance(what, dict)
        and isinstance(what.get("salt"), str)
        and isinstance(what.get("traces"), list)
        and all(isinstance(trace, str) for trace in what["traces"])
        and isinstance(what.get("lengths", {}), dict)
        and all(isinstance(some, list) for some in what.get("lengths", {}).values())
        and all(_is_length(length) for some in what.get("lengths", {}).values() for length in some)
        and _is_length(what.get("longest", 0))
    ):
        return what
    raise DatasetError(
        f"decisions.jsonl: the takedown {decision.get('id')} is malformed, so nobody can say who must stay out (no "
        f"name is longer than {NAME}). Put a copy of its line back."
    )


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= NAME.most


def is_taken_down(traces: Traces, subject_id: str, name: str | None) -> bool:
    """Whether a subject that comes in is one of those who were taken down, by its id or its whole name."""
    return traces.has_id(subject_id) or traces.is_name(name or "")


def make_tombstone(
    traces: Collection[str], counts: Mapping[str, int], reason: str, decisions: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """The decision that says that a subject was taken down.

    Args:
        traces: Its traces, in the clear.
        counts: How much of what was removed.
        reason: Why, without a name.
        decisions: The decisions so far, for their salt.
    """
    salts = [decision["what"]["salt"] for decision in decisions if decision.get("kind") == KIND]
    salt = salts[0] if salts else secrets.token_hex(16)
    sealed = sorted(_seal(salt, trace) for trace in traces)
    what = {"removed": dict(counts), "salt": salt, "lengths": lengths_of(traces), "traces": sealed}
    return make_decision(KIND, what, reason, command="remove")


def _seal(salt: str, trace: str) -> str:
    return hashlib.sha256(f"{salt}\n{trace}".encode()).hexdigest()[:_DIGITS]
