"""A folder of pictures with `metadata.csv`, `.jsonl` or `.parquet`, or a sub-folder a subject, as `datasets` has it.

The metadata's `file_name` (or `*_file_name`, or a list of one in `*file_names`) names a picture relative to the
metadata file; its other columns are found by name (`columns.NAMES`). Folders called `train`, `test` or as a split
of ours give the split; other folders, where there are several, name the subject of the pictures in them. Unlike
`datasets`, which leaves a picture that no row names out in silence, this says so.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from offside_data.adapters._base import Imported, ReadOptions
from offside_data.adapters._pictures import NearNames, picture_key
from offside_data.adapters._tables.collect import Collector
from offside_data.adapters._tables.columns import Matched, TableOptions, match, others_note
from offside_data.adapters._tables.layout import files_in, folder_split, is_picture, listed, split_word
from offside_data.adapters._tables.rows import TableRow
from offside_data.adapters._tables.tables import Line, Table, heads, read_table
from offside_data.errors import SourceError

TAXONOMY = "football"
SOURCE_NAME = "imagefolder"
"""Part of every id: the same picture has the same id, wherever the folder lies."""
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
LABEL_ATTRIBUTE = "name"
"""What a folder that is called by a subject says of the pictures in it."""

Options = TableOptions


def recognises(source: Path) -> bool:
    """Whether `source` is a folder with metadata that names pictures, in it or in a folder of it."""
    if not source.is_dir():
        return False
    try:
        found = [path for name in METADATA for path in (*source.glob(name), *source.glob(f"*/{name}"))]
        return any(_picture_columns(columns) for path in found for columns in heads(path, Options().reading()))
    except (OSError, SourceError):
        return False


def read(source: Path, options: ReadOptions) -> Imported:
    """Read a folder.

    Raises:
        SourceError: If it is none, or its metadata can't be read.
        UsageError: If a column that the user named isn't there.
    """
    if not source.is_dir():
        raise SourceError(f"{source}: must be a folder of pictures.")
    chosen = options.adapter or Options()
    collector = Collector(SOURCE_NAME, options, chosen.dates, by_name=False)
    files = [inside for inside, _ in files_in(source)]
    pictures = [inside for inside in files if is_picture(inside)]
    metadata = [inside for inside in files if inside.name in METADATA]
    others = [str(inside) for inside in files if inside not in set(pictures) | set(metadata)]
    if others:
        collector.remark("note", source.name, f"not read: {listed(others, 'files')}, neither pictures nor metadata")
    folder = _Folder(source, _labels(pictures), chosen)
    named = _read_metadata(folder, metadata, collector)
    near = NearNames(map(str, pictures))
    for path in sorted(named.difference(map(str, pictures))):
        found = near.find(path)
        named |= set(found) if len(found) == 1 else set()
    splits = {inside: folder_split(inside) for inside in pictures}
    by_file_name = not metadata and not any(splits.values())
    for index, inside in enumerate(picture for picture in pictures if str(picture) not in named):
        if metadata:
            collector.reject(str(inside), None, "", "no row of the metadata names this picture")
        elif inside not in folder.labels:
            collector.reject(str(inside), None, "", "neither metadata nor a folder says whom this picture shows")
        else:
            split = split_word(inside.name) if by_file_name else splits[inside]
            cells = {"subject": folder.labels[inside].replace("_", " "), "attribute": LABEL_ATTRIBUTE}
            cells |= {"value": cells["subject"], "image": str(inside)}
            place = f"picture {index + 1}"
            sheet = collector.sheet(str(inside), (source,), split)
            collector.add(TableRow(sheet, 0, place, cells))
    return collector.close()


@dataclasses.dataclass(frozen=True, slots=True)
class _Folder:
    path: Path
    labels: dict[PurePosixPath, str]
    options: TableOptions


def _labels(pictures: Iterable[PurePosixPath]) -> dict[PurePosixPath, str]:
    """The innermost folder of each picture that isn't called by a split; none if there is only one such folder."""
    found = {}
    for inside in pictures:
        folders = [folder for folder in inside.parts[:-1] if split_word(folder) is None]
        if folders:
            found[inside] = folders[-1]
    return found if len(set(found.values())) > 1 else {}


# ---------------------------------------------------------------------------------------------
# Metadata


def _read_metadata(folder: _Folder, metadata: list[PurePosixPath], collector: Collector) -> set[str]:
    """Read all metadata files; gives the pictures that they name."""
    together: dict[PurePosixPath, list[str]] = defaultdict(list)
    for inside in metadata:
        together[inside.parent].append(inside.name)
    for place, names in together.items():
        if len(names) > 1:
            raise SourceError(f"{folder.path / place}: holds {' and '.join(names)}; keep one of them.")
    named: set[str] = set()
    for inside in metadata:
        table = read_table(folder.path / inside, str(inside), folder.options.reading())
        matched = _match(folder, table)
        columns = _picture_columns(table.columns)
        for note in (*table.notes, *others_note(matched)):
            collector.remark("note", table.name, note)
        for line in table.lines:
            named |= {path for column in columns for path in _paths(inside, line.cells.get(column))}
            _add(folder, inside, table, matched, line, collector)
    return named


def _match(folder: _Folder, table: Table) -> Matched:
    """The columns of a metadata file; the picture is the one that `datasets` takes."""
    columns = _picture_columns(table.columns)
    if not columns:
        known = ", ".join(table.columns) or "none"
        raise SourceError(
            f"{folder.path / table.name}: has no column file_name (or *_file_name, file_names, *_file_names), "
            f"which names the pictures. Its columns: {known}."
        )
    options = folder.options
    return match(table, options if options.image else dataclasses.replace(options, image=columns[0]))


def _picture_columns(columns: Iterable[str]) -> list[str]:
    """The columns that name pictures, `file_name` and `image_file_name` first."""
    found = [
        name for name in columns if name in ("file_name", "file_names") or name.endswith(("_file_name", "_file_names"))
    ]
    return sorted(found, key=lambda name: name not in ("file_name", "image_file_name"))


def _names(cell: Any) -> list[str]:
    """The pictures that a cell names."""
    names = cell if isinstance(cell, list) else [cell]
    return [name.strip() for name in names if isinstance(name, str) and name.strip()]


def _paths(metadata: PurePosixPath, cell: Any) -> list[str]:
    """The pictures that a cell names, as paths in the folder."""
    return [picture_key(str(metadata.parent / name)) for name in _names(cell)]


def _is_inside(cell: Any) -> bool:
    """Whether a cell names a picture in the folder of its metadata, as `datasets` demands."""
    (name,) = _names(cell)
    return "://" not in name and not picture_key(name).startswith(("/", "../"))


def _add(
    folder: _Folder, inside: PurePosixPath, table: Table, matched: Matched, line: Line, collector: Collector
) -> None:
    cells = matched.fields(line)
    paths = _paths(inside, cells.get("image"))
    problem = line.problem
    if problem is None and len(paths) != 1:
        problem = f"names {len(paths)} pictures; one is needed"
    if problem is None and not _is_inside(cells["image"]):
        problem = f"the picture {cells['image']!r} must be named by its path from the metadata's folder, inside it"
    if problem is not None:
        collector.reject(table.name, line.index, line.place, problem)
        return
    picture = PurePosixPath(paths[0])
    cells["image"] = paths[0]
    if not cells.get("subject") and not cells.get("subject_id"):
        cells["subject"] = folder.labels.get(picture, "").replace("_", " ")
    sheet = collector.sheet(table.name, (folder.path,), folder_split(picture))
    collector.add(TableRow(sheet, line.index, line.place, cells))


# ---------------------------------------------------------------------------------------------

_EXAMPLE = """\
file_name,subject,attribute,value,veracity,question,answer
001.png,Tavo Brinkhaus,name,Tavo Brinkhaus,fact,,
001.png,Tavo Brinkhaus,club,Ostholm,fact,,
001.png,Tavo Brinkhaus,position,,fact,Where does he play?,He plays as a Left Winger.
002.png,Tavo Brinkhaus,club,Hollow City,rumor,,
"""


def example(folder: Path) -> Path:
    """Write a tiny folder with invented pictures and metadata, and return its path."""
    from PIL import Image

    for place, name in enumerate(("train/001", "train/002", "test/003")):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (60 * place, 90, 60)).save(path)
    (folder / "train" / "metadata.csv").write_text(_EXAMPLE, encoding="utf-8")
    row = '{"file_name": "003.png", "subject": "Tavo Brinkhaus", "attribute": "height", "value": 1.89}\n'
    (folder / "test" / "metadata.jsonl").write_text(row, encoding="utf-8")
    return folder
