"""Write the view of a dataset: a folder that opens from disk in any browser."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.dataset.access import reads
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.outputs import ensure_free, require_apart, whole_folder
from offside_data.progress import log, track
from offside_data.view.details import DATA, make_links, write_details
from offside_data.view.duplicates import Duplicates, find_clusters
from offside_data.view.layout import Layout, make_layout
from offside_data.view.pictures import BROWSER_FORMATS, Rendered, render_all
from offside_data.view.reading import image_rows, picture_groups, record_index, record_rows
from offside_data.view.scripts import write_script

if TYPE_CHECKING:
    import polars as pl

PAGE = "index.html"
_COLUMNS = ("part", "attribute", "scope", "veracity", "rumor_channel", "suspect")
"""Columns of all records that the page holds from the start; the rest comes with the details."""


@dataclass(frozen=True, kw_only=True)
class ViewReport:
    """What was written.

    Args:
        path: The page.
        records: How many records it shows.
        pictures: How many pictures, twins of visual rumours included.
        subjects: How many subjects.
        clusters: How many clusters of pictures that show the same.
        problems: Why pictures aren't shown, by image_id.
    """

    path: Path
    records: int
    pictures: int
    subjects: int
    clusters: int
    problems: dict[str, str]


@reads
def view_dataset(ref: str | Path, out: Path | None = None, *, force: bool = False) -> ViewReport:
    """Write the view of a dataset.

    Args:
        ref: The dataset.
        out: The folder to make; null makes `DATASET-view` beside the dataset.
        force: Replace a view that `out` already holds.

    Raises:
        DatasetReferenceError: If there is no such dataset.
        DatasetError: If a file of it isn't readable.
        OutputExistsError: If `out` holds something that may not be replaced.
        UsageError: If `out` overlaps the dataset.
    """
    dataset = open_dataset(ref)
    home = dataset.path.resolve()
    out = out or home.with_name(f"{home.name}-view")
    require_apart(out, home, "dataset")
    ensure_free(out, force=force)
    with whole_folder(out, force=force) as folder:
        report = write_view(dataset, folder)
    return ViewReport(**{**report, "path": out / PAGE})


def write_view(dataset: OffsideDataset, folder: Path, facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write the files of a view.

    Args:
        dataset: The dataset.
        folder: An empty folder.
        facts: What the page is told besides what it says of every dataset.

    Returns:
        The fields of `ViewReport` but `path`.

    Raises:
        DatasetError: If a file of the dataset isn't readable.
    """
    layout = make_layout(record_index(dataset), image_rows(dataset))
    links = make_links(layout, read_decisions(dataset.path))
    rows = track(record_rows(dataset), "records", total=len(layout.records))
    write_details(rows, layout, links, folder)
    rendered = render_all(picture_groups(dataset), layout.numbers, folder)
    shown = {r.number: r for r in track(rendered, "pictures", total=len(layout.pictures))}
    duplicates = find_clusters(dataset)
    if duplicates.note:
        log(duplicates.note)
    subjects = _subjects(dataset, layout)
    write_script(folder / DATA / "records.js", "records", _record_columns(layout))
    write_script(folder / DATA / "pictures.js", "pictures", _picture_columns(layout, shown, duplicates, subjects))
    told = _facts(dataset, layout, duplicates, subjects) | dict(facts or {})
    dataset.require_unchanged()
    write_script(folder / DATA / "dataset.js", "dataset", told)
    for source in (resources.files(__package__) / "page").iterdir():
        with resources.as_file(source) as file:
            shutil.copyfile(file, folder / file.name)
    return {
        "records": len(layout.records),
        "pictures": len(layout.pictures),
        "subjects": len(subjects),
        "clusters": len(duplicates.clusters),
        "problems": {layout.pictures[n]["image_id"]: r.problem for n, r in sorted(shown.items()) if r.problem},
    }


def _subjects(dataset: OffsideDataset, layout: Layout) -> list[dict[str, Any]]:
    """The table's rows, and a row for everybody whom only records or pictures name."""
    rows = {row["subject_id"]: row for row in dataset.table_rows("subjects")}
    named = dict.fromkeys(unit.subject_id for unit in layout.units if unit.subject_id is not None)
    return [
        {key: value for key, value in rows.get(subject, {"subject_id": subject}).items() if value}
        for subject in sorted(rows.keys() | named.keys())
    ]


def _facts(dataset: OffsideDataset, layout: Layout, duplicates: Duplicates, subjects: Sequence[Any]) -> dict[str, Any]:
    taxonomy, card = dataset.taxonomy, dataset.card
    return {
        "name": dataset.name,
        "title": card.data.get("pretty_name") or dataset.name,
        "version": dataset.version,
        "digest": dataset.digest,
        "license": card.data.get("license"),
        "settings": dataset.settings(),
        "noun": taxonomy.subject_noun,
        "attributes": taxonomy.names(),
        "parts": dataset.record_parts(),
        "subjects": list(subjects),
        "clusters": [[layout.numbers[key] for key in cluster] for cluster in duplicates.clusters],
        "note": duplicates.note,
        "chunks": [[run.units.start, run.records.start] for run in layout.chunks],
        "volumes": len(layout.volumes),
    }


def _record_columns(layout: Layout) -> dict[str, Any]:
    """Each column as a list of its values, and a record's place in that list."""
    columns = {}
    for name in _COLUMNS:
        values, codes = _coded(layout.records[name])
        columns[name] = {"values": values, "codes": codes}
    return {"count": len(layout.records), "columns": columns}


def _coded(column: pl.Series) -> tuple[list[str | None], list[int]]:
    values = list(Counter(column.to_list()))
    places = {value: place for place, value in enumerate(values)}
    return values, [places[value] for value in column.to_list()]


def _picture_columns(
    layout: Layout, shown: dict[int, Rendered], duplicates: Duplicates, subjects: Sequence[Any]
) -> dict[str, Any]:
    """Pictures by number, and the units: lists side by side, -1 for none."""
    people = {row["subject_id"]: place for place, row in enumerate(subjects)}
    endings = ["", *BROWSER_FORMATS.values()]
    numbers = range(len(layout.pictures))
    none = Rendered(number=-1)
    return {
        "ids": [row["image_id"] for row in layout.pictures],
        "subject": [people.get(row["subject_id"], -1) for row in layout.pictures],
        "split": [row["split"] for row in layout.pictures],
        "size": [[row.get("width"), row.get("height")] for row in layout.pictures],
        "twin": {n: row["twin"] for n, row in enumerate(layout.pictures) if row.get("twin_of")},
        "endings": endings,
        "ending": [endings.index(shown.get(number, none).ending) for number in numbers],
        "small": [int(shown.get(number, none).thumbnail) for number in numbers],
        "problem": {number: r.problem for number, r in sorted(shown.items()) if r.problem},
        "units": [
            [-1 if u.picture is None else u.picture, people.get(u.subject_id, -1), u.records] for u in layout.units
        ],
    }
