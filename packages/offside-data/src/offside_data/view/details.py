"""What a view shows of each record and picture, as files of details and files of texts to search in.

Rows come as they lie in the dataset, part after part. They are put aside by volume first, one open file each, so that
no more than one volume's texts are in memory when they are put in order.
"""

from __future__ import annotations

import bisect
import contextlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from offside_data.dataset.storage import Row
from offside_data.view.layout import Layout, UnitRange
from offside_data.view.scripts import script_json, write_parts, write_script

DATA = "data"
IN_COLUMNS = frozenset(("image_id", "modality", "split", "attribute", "scope", "veracity", "rumor_channel", "suspect"))
"""Fields of a record that stand in the columns of `records.js`."""
PICTURE_FACTS = (
    "occasion", "license", "source", "text_found", "derived_from", "twin_of", "twin", "shown", "sha256",
    "pixels_sha256", "phash", "dhash",
)  # fmt: skip
_SEARCHED_OF_PICTURE = ("image_id", "occasion", "text_found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What records and pictures have to do with each other.

    Args:
        records: Number of each record that is named by another, by record_id.
        corrected_by: Numbers of the corrections of a record, by its number.
        decisions: Decisions that name a picture, by its number.
    """

    records: Mapping[str, int]
    corrected_by: Mapping[int, list[int]]
    decisions: Mapping[int, list[Row]]


def make_links(layout: Layout, decisions: Iterable[Row]) -> Links:
    """Follow corrections both ways, and decisions to the pictures that they name."""
    corrects = list(layout.records["corrects"])
    named = set(corrects) - {None}
    numbers = {key: place for place, key in enumerate(layout.records["record_id"]) if key in named}
    corrected_by: dict[int, list[int]] = defaultdict(list)
    for place, target in enumerate(corrects):
        if target in numbers:
            corrected_by[numbers[target]].append(place)
    found: dict[int, list[Row]] = defaultdict(list)
    for decision in decisions:
        shown = {key: decision.get(key) for key in ("id", "kind", "why", "when")}
        for picture in {layout.numbers[text] for text in _texts(decision.get("what")) if text in layout.numbers}:
            found[picture].append(shown)
    return Links(records=numbers, corrected_by=corrected_by, decisions=found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def write_details(rows: Iterable[Row], layout: Layout, links: Links, folder: Path) -> None:
    """Write the files of details and of texts.

    Args:
        rows: All records, in the order of `reading.record_rows`.
        layout: The order.
        links: What is linked with what.
        folder: The view's folder.
    """
    (folder / DATA).mkdir()
    aside = [folder / DATA / f"texts-{number}.jsonl" for number in range(len(layout.volumes))]
    ends = [volume.records.stop for volume in layout.volumes]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(path.open("w", encoding="utf-8")) for path in aside]
        for place, row in zip(layout.places.tolist(), rows, strict=True):
            searched = json.dumps([place, row["question"] or "", row["answer"] or "", row["record_id"]])
            line = f"{searched}\t{script_json(_details(place, row, links))}\n"  # JSON holds no tab as it is.
            files[bisect.bisect_right(ends, place)].write(line)
    number = 0
    for volume, (run, path) in enumerate(zip(layout.volumes, aside, strict=True)):
        records = _put_aside(path)
        path.unlink()
        write_script(folder / DATA / f"texts-{volume}.js", f"texts-{volume}", _texts_of(run, records, layout))
        while number < len(layout.chunks) and layout.chunks[number].units.start < run.units.stop:
            _write_chunk(folder / DATA, number, records, layout, links)
            number += 1


class _Record(NamedTuple):
    """A record that was put aside: what is searched of it, and its details as JSON."""

    question: str
    answer: str
    record_id: str
    details: str


def _put_aside(path: Path) -> dict[int, _Record]:
    records = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            searched, _, details = line.rstrip("\n").partition("\t")
            place, question, answer, record_id = json.loads(searched)
            records[place] = _Record(question, answer, record_id, details)
    return records


def _texts_of(run: UnitRange, records: Mapping[int, _Record], layout: Layout) -> Row:
    """What is searched: questions once each, as they repeat; answers and ids a record; the texts of pictures."""
    rows = [records[place] for place in run.records]
    questions = {text: place for place, text in enumerate(dict.fromkeys(row.question for row in rows))}
    pictures = {}
    for unit in layout.units[run.units.start : run.units.stop]:
        if unit.picture is not None:
            picture = layout.pictures[unit.picture]
            pictures[unit.picture] = "\n".join(filter(None, map(picture.get, _SEARCHED_OF_PICTURE)))
    return {
        "first": run.records.start,
        "questions": list(questions),
        "question": [questions[row.question] for row in rows],
        "answers": [row.answer for row in rows],
        "ids": [row.record_id for row in rows],
        "pictures": pictures,
    }


def _write_chunk(folder: Path, number: int, records: Mapping[int, _Record], layout: Layout, links: Links) -> None:
    run = layout.chunks[number]
    pictures = {}
    for unit in layout.units[run.units.start : run.units.stop]:
        if unit.picture is not None:
            row = layout.pictures[unit.picture]
            facts = {key: row[key] for key in PICTURE_FACTS if row.get(key)}
            if unit.picture in links.decisions:
                facts["decisions"] = links.decisions[unit.picture]
            pictures[unit.picture] = facts
    details = ",".join(records[place].details for place in run.records)
    parts = [f'{{"first":{run.records.start},"pictures":{script_json(pictures)},"records":[', details, "]}"]
    write_parts(folder / f"chunk-{number}.js", f"chunk-{number}", parts)


def filled_fields(row: Row) -> Row:
    """The fields of a record that hold something; of its value, too."""
    filled = {key: value for key, value in row.items() if value not in (None, [], "")}
    if "value" in filled:
        filled["value"] = {key: value for key, value in row["value"].items() if value is not None}
    return filled


def _details(place: int, row: Row, links: Links) -> Row:
    """The fields of a record that its columns don't hold, without empty ones; links as numbers of records."""
    shown = {key: value for key, value in filled_fields(row).items() if key not in IN_COLUMNS}
    if row["corrects"] is not None:
        shown["corrects"] = {"id": row["corrects"], "record": links.records.get(row["corrects"])}
    if place in links.corrected_by:
        shown["corrected_by"] = links.corrected_by[place]
    return shown
