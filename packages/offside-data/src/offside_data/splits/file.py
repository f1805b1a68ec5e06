"""By a table (CSV or JSON lines) that gives the split of records, pictures or subjects."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.errors import UsageError
from offside_data.limits import LIST
from offside_data.parsing import parse_json
from offside_data.plugins import did_you_mean, unknown_name_message
from offside_data.reading import read_small
from offside_data.schema import SPLITS, Split
from offside_data.splits._base import Unit, by_subject, place_subject

KEYS = ("subject_id", "image_id", "record_id")
"""Columns that say what a row is about, the most exact one last: it counts where a row has several."""


SETTLES = True


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the policy.

    Args:
        path: A CSV or JSON lines file with the columns `split` and one or more of `record_id`, `image_id` and
            `subject_id`.
    """

    path: Path | None = None


def place(units: Sequence[Unit], options: Options, seed: int) -> dict[str, Split]:
    """Subjects first, then pictures, then records: the more exact row wins.

    A subject's row says whether it is to be forgotten (`forget`, `retain`), and its records go where their claims
    may stand; any other split is taken literally.

    Raises:
        UsageError: If the file can't be read, or a row has an unknown id or split, or contradicts another.
    """
    if options.path is None:
        raise UsageError("--policy file needs its table: name a CSV or JSON lines file with --set path=FILE.")
    wanted = _read(options.path)
    known: dict[str, dict[str, list[Unit]]] = {"subject_id": by_subject(units), "image_id": {}, "record_id": {}}
    for unit in units:
        if unit.image_id is not None:
            known["image_id"][unit.image_id] = [unit]
        known["record_id"] |= {record.record_id: [unit] for record in unit.records}
    placed: dict[str, Split] = {}
    for key in KEYS:
        for name, (split, where) in wanted[key].items():
            if name not in known[key]:
                raise UsageError(
                    f"{where}: no {key} {name!r} in this dataset, or it can't move: subjects of the cohort holdout "
                    f"and general pictures have one split only.{did_you_mean(name, known[key])}"
                )
            if key == "record_id":
                placed[name] = split
            elif key == "subject_id" and split in ("forget", "retain"):
                placed |= place_subject(known[key][name], forget=split == "forget")
            else:
                for unit in known[key][name]:
                    placed |= unit.to(split)
    return placed


def _read(path: Path) -> dict[str, dict[str, tuple[Split, str]]]:
    """Split and place in the file by kind of id and id."""
    wanted: dict[str, dict[str, tuple[Split, str]]] = {key: {} for key in KEYS}
    for where, row in _rows(path):
        key = next((key for key in reversed(KEYS) if row.get(key)), None)
        split: Any = row.get("split")
        if key is None:
            raise UsageError(f"{where}: has no {', '.join(KEYS)}; say what it is about.")
        if split not in SPLITS:
            raise UsageError(f"{where}: {unknown_name_message('split', str(split), list(SPLITS))}")
        before = wanted[key].setdefault(str(row[key]), (split, where))
        if before[0] != split:
            raise UsageError(f"{where}: {row[key]} is to be in {split}, but in {before[0]} at {before[1]}.")
    if not any(wanted.values()):
        raise UsageError(f"{path}: holds no row; write one a record, picture or subject.")
    return wanted


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        text = read_small(path, error=UsageError, limit=LIST, encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error}. Name a CSV or JSON lines file.") from error
    if path.suffix in (".jsonl", ".ndjson"):
        yield from _json_rows(path, text.splitlines())
    else:
        for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
            yield f"{path}:{number}", row


def _json_rows(path: Path, lines: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise UsageError(f"{path}:{number}: not JSON: {error}.") from error
        if not isinstance(row, dict):
            raise UsageError(f"{path}:{number}: must hold one JSON object.")
        yield f"{path}:{number}", row
