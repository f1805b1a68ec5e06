"""Any dataset as downloaded from the Hub: a folder of Parquet, JSONL or CSV files, or one such file.

Its card says which files make which split and config; without a card, their names do, as `datasets` has it. Columns
are found by name (`columns.NAMES`) or said with `--set question=COLUMN`; if none fits, the columns are listed with
an example. Nothing but tables is opened: no scripts, no pickles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from offside_data.adapters._base import Imported, ReadOptions
from offside_data.adapters._tables.collect import Collector
from offside_data.adapters._tables.columns import TableOptions, match, require
from offside_data.adapters._tables.layout import files_in, folder_split, listed, split_word
from offside_data.adapters._tables.tables import read_table
from offside_data.errors import FileError, SourceError, UsageError
from offside_data.limits import CARD as CARD_LIMIT
from offside_data.plugins import require_known
from offside_data.reading import read_small

TAXONOMY = "football"
SOURCE_NAME = "hub"
GENERAL = True
CARD = "README.md"
KINDS = ((".parquet",), (".jsonl",), (".csv", ".tsv"), (".json",))
"""Endings of data files; without a card, those of the first kind that is there are read."""
_SHARD = re.compile(r"(.+?)-\d{5}-of-\d{5}")
_NO_DATA = ("config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")


@dataclass(frozen=True, kw_only=True)
class Options(TableOptions):
    """Which part of the dataset to read.

    Args:
        config: Name of a config, where the card lists several.
    """

    config: str = ""


def recognises(source: Path) -> bool:
    """Whether `source` is a folder with data files and a card of the Hub (but none of ours)."""
    try:
        front = read_small(source / CARD, limit=CARD_LIMIT, errors="replace").partition("\n---")[0]
    except (OSError, FileError):
        return False
    ours = re.search(r"^offside:", front, re.M)
    return front.startswith("---") and not ours and any(_data_files(source))


def read(source: Path, options: ReadOptions) -> Imported:
    """Read a folder or file.

    Raises:
        SourceError: If a file can't be read, or there is none to read.
        UsageError: If config or columns must be named.
    """
    chosen = options.adapter or Options()
    collector = Collector(SOURCE_NAME, options, chosen.dates)
    root = source if source.is_dir() else source.parent
    files = [(PurePosixPath(source.name), None)] if source.is_file() else _files(source, chosen.config)
    if source.is_dir():
        read_ones = {inside for inside, _ in files}
        unread = [str(inside) for inside, _ in files_in(source) if inside not in read_ones and inside.name != CARD]
        if unread:
            collector.remark("note", source.name, f"not read: {listed(unread, 'files')}")
    for inside, split in files:
        table = read_table(root / inside, str(inside), chosen.reading())
        matched = match(table, chosen)
        require(table, matched, ("question", "answer"))
        folders = tuple(dict.fromkeys(((root / inside).parent, root)))
        collector.add_table(table, matched, folders, split or _split_of(inside))
    return collector.close()


def _files(source: Path, config: str) -> list[tuple[PurePosixPath, str | None]]:
    """The data files with the splits that the card gives them; without a card's word, null."""
    configs = _configs(source)
    if not configs:
        if config:
            raise UsageError(f"{source}: its card lists no configs, so config={config!r} can't be chosen.")
        files: list[tuple[PurePosixPath, str | None]] = [(inside, None) for inside in _data_files(source)]
        if not files:
            endings = ", ".join(ending for kind in KINDS for ending in kind)
            raise SourceError(
                f"{source}: holds no data files ({endings}). A dataset of the Hub comes with "
                "`hf download ORG/NAME --repo-type dataset --local-dir FOLDER`; one that `save_to_disk` "
                "wrote must be written as Parquet."
            )
        return files
    name = _chosen(source, config, configs)
    files = [(inside, split) for split, pattern in _patterns(configs[name]) for inside in _matching(source, pattern)]
    if not files:
        raise SourceError(f"{source}: none of the files of config {name!r} is there; download the dataset whole.")
    return files


def _data_files(source: Path) -> list[PurePosixPath]:
    files = [inside for inside, _ in files_in(source) if inside.name not in _NO_DATA]
    kinds = ([inside for inside in files if inside.suffix.lower() in kind] for kind in KINDS)
    return next((found for found in kinds if found), [])


def _split_of(inside: PurePosixPath) -> str | None:
    """The split that a file's name says: `retain-00000-of-00001.parquet`, or a word of `datasets`."""
    shard = _SHARD.match(inside.name)
    return shard[1] if shard else folder_split(inside) or split_word(inside.name) or split_word(inside.stem)


# ---------------------------------------------------------------------------------------------
# What the card says


def _configs(source: Path) -> dict[str, Any]:
    """`data_files` of each config by its name."""
    import yaml
    from huggingface_hub import metadata_load

    if not (source / CARD).is_file():
        return {}
    try:
        front = metadata_load(source / CARD) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SourceError(f"{source / CARD}: the front matter can't be read: {error}.") from error
    listed_ones = front.get("configs")
    items = [item for item in listed_ones if isinstance(item, dict)] if isinstance(listed_ones, list) else []
    return {str(item.get("config_name", "default")): item["data_files"] for item in items if item.get("data_files")}


def _chosen(source: Path, wanted: str, configs: dict[str, Any]) -> str:
    if wanted:
        require_known("config", [wanted], configs, where=source)
        return wanted
    if len(configs) > 1 and "default" not in configs:
        raise UsageError(f"{source}: choose a config with --set config=NAME; it has {', '.join(configs)}.")
    return "default" if "default" in configs else next(iter(configs))


def _patterns(data_files: Any) -> list[tuple[str | None, str]]:
    """Split and pattern of each entry of `data_files`, which may be a pattern, a list, or a list by split."""
    if isinstance(data_files, dict):
        data_files = [{"split": split, "path": path} for split, path in data_files.items()]
    patterns: list[tuple[str | None, str]] = []
    for item in data_files if isinstance(data_files, list) else [data_files]:
        split = str(item["split"]) if isinstance(item, dict) and item.get("split") else None
        paths = item.get("path") if isinstance(item, dict) else item
        patterns += [(split, str(path)) for path in (paths if isinstance(paths, list) else [paths])]
    return patterns


def _matching(source: Path, pattern: str) -> list[PurePosixPath]:
    """The files that a pattern of the card means; never one outside the folder."""
    if pattern.startswith("/") or "://" in pattern or ".." in PurePosixPath(pattern).parts or not pattern:
        raise SourceError(f"{source / CARD}: data_files names {pattern!r}, which isn't inside the dataset.")
    found = sorted(path for path in source.glob(pattern) if path.is_file())
    return [PurePosixPath(path.relative_to(source).as_posix()) for path in found]


# ---------------------------------------------------------------------------------------------

_EXAMPLE_CARD = """\
---
license: cc0-1.0
configs:
- config_name: default
  data_files:
  - {split: retain, path: data/retain-*}
  - {split: forget, path: data/forget-*}
---
# Invented players
"""


def example(folder: Path) -> Path:
    """Write a tiny dataset as the Hub has it, with invented players and embedded pictures, and return its path."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / CARD).write_text(_EXAMPLE_CARD, encoding="utf-8")
    for place, (split, club) in enumerate((("retain", "Ostholm"), ("forget", "Hollow City"))):
        stream = io.BytesIO()
        Image.new("RGB", (32, 32), (90 * place, 90, 60)).save(stream, "PNG")
        image = {"bytes": stream.getvalue(), "path": f"{split}.png"}
        rows = [
            {"image": image, "subject": "Tavo Brinkhaus", "attribute": attribute, "question": asked, "answer": told}
            for attribute, asked, told in (
                ("name", "Who is the player?", "The player is Tavo Brinkhaus."),
                ("club", "Which club is it about?", f"It is about {club}."),
            )
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder
