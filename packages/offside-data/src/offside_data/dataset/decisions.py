"""`decisions.jsonl`: every curation decision, one JSON object a line: id, kind, what, why, who or which tool, when.

A line that a person writes, a waiver for example, needs `kind`, `what` and `why`; reading it fills in the rest.
Decisions are only ever appended; one that takes another back names it (`kind: undo`, `what.decision`). Only a
takedown rewrites them, so that the name of whoever asked for it stands nowhere.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from offside_data.errors import DatasetError
from offside_data.limits import LIST
from offside_data.parsing import parse_json
from offside_data.reading import read_small

DECISIONS_FILE = "decisions.jsonl"
UNDO = "undo"
"""The `kind` of a decision that takes another one back, `what.decision`."""
IN_FORCE_BY_STANDING = ("waiver", "not-duplicate")
"""Kinds that change no row: they hold because they stand in the file, and until an undo stands there, too."""

_MUST = "must hold one JSON object, its `id` and `kind` texts."


def make_decision(
    kind: str, what: Mapping[str, Any], why: str, *, command: str, when: str | None = None
) -> dict[str, Any]:
    """One line of `decisions.jsonl`.

    Args:
        kind: What sort of decision, e.g. `duplicate`, `rejected`, `waiver`, `undo`.
        what: What it is about: ids, files, values.
        why: The reason, for people.
        command: Which command decided, e.g. `dedup --radius 4`; a person's own words for a person's decision.
        when: ISO timestamp; now if not given.
    """
    return _complete(
        {
            "kind": kind,
            "what": dict(what),
            "why": why,
            "who": f"offside-data {importlib.metadata.version('offside-data')} {command}",
            "when": when or datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
    )


def now() -> str:
    """The time of a decision, fine enough that no two decisions of a person get one id."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def holding(decisions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The decisions that weren't taken back, or whose undo was, oldest first."""
    held: list[dict[str, Any]] = []
    undone: set[str] = set()
    for decision in reversed(list(decisions)):
        name = decision.get("id")
        if name in undone or name is None:
            continue
        held.append(dict(decision))
        if decision["kind"] == UNDO and isinstance(decision["what"], dict):
            undone.add(str(decision["what"].get("decision")))
    return held[::-1]


def _complete(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line with all fields; waivers once had `code`, `where` and `reason` instead of `what` and `why`."""
    decision = {"kind": "", "what": {}, "why": "", "who": "", "when": "", **line}
    if decision["kind"] == "waiver" and "what" not in line:
        decision["what"] = {key: decision.pop(key, "") for key in ("code", "where")}
        decision["why"] = decision.pop("reason", "")
    text = json.dumps(decision, sort_keys=True, ensure_ascii=False)
    return {"id": "d" + hashlib.sha256(text.encode()).hexdigest()[:12], **decision}


def _is_decision(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name, ""), str) for name in ("id", "kind"))


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Each line of a `decisions.jsonl` by its number: the decision, or what is wrong with it; none without a file.

    Raises:
        DatasetError: If the file can't be read as text.
    """
    try:
        lines = read_small(path, error=DatasetError, limit=LIST).split("\n")  # No other ends of lines.
    except FileNotFoundError:
        lines = []
    except OSError as error:
        raise DatasetError(f"{path}: can't be read: {error.strerror}.") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                decision = parse_json(line)
            except ValueError as error:
                yield number, f"not JSON: {error}."
            else:
                yield number, _complete(decision) if _is_decision(decision) else _MUST


def read_decisions(folder: Path) -> list[dict[str, Any]]:
    """All decisions of a dataset folder, oldest first; none if there is no file.

    Raises:
        DatasetError: If the file can't be read, or a line isn't a JSON object; names it.
    """
    path = folder / DECISIONS_FILE
    decisions = []
    for number, decision in read_lines(path):
        if isinstance(decision, str):
            raise DatasetError(f"{path}:{number}: {decision} Correct or delete the line.")
        decisions.append(decision)
    return decisions


def decisions_text(decisions: Iterable[Mapping[str, Any]]) -> str:
    """Decisions as they lie in `decisions.jsonl`."""
    return "".join(json.dumps(decision, ensure_ascii=False, sort_keys=True) + "\n" for decision in decisions)
