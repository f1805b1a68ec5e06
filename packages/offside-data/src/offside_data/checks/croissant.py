"""Does `croissant.json` describe the files that are there: names, hashes, columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from offside_data.checks._base import CheckedDataset
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.replacing import dataset_files
from offside_data.dataset.versions import parse_version
from offside_data.files import sha256_file
from offside_data.issues import Issue
from offside_data.parsing import parse_json
from offside_data.reading import read_small
from offside_data.release.croissant import CROISSANT_FILE
from offside_data.schema import columns_of

_REWRITE = "`offside-data release` writes it anew."


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Compare the description with the Parquet files."""
    dataset = checked.dataset
    path = dataset.path / CROISSANT_FILE
    if not path.is_file():
        if parse_version(dataset.version).major > 0 or dataset.card.block.parent is not None:
            message = f"a released version has one, so that other tools can read it. {_REWRITE}"
            yield Issue("warning", "croissant-missing", CROISSANT_FILE, message)
        return
    try:
        described = parse_json(read_small(path))
        stated, columns = _files(described), _columns(described)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"it can't be read as a description of a dataset ({type(error).__name__}: {error}). {_REWRITE}"
        yield Issue("error", "croissant-unreadable", CROISSANT_FILE, message)
        return
    for what, differing in (
        ("files that are no longer what it says", _differing(stated, _stored(dataset))),
        ("parts whose columns are no longer what it says", _differing(columns, _stored_columns(dataset))),
    ):
        if differing:
            message = f"it names {what}: {', '.join(differing)}. {_REWRITE}"
            yield Issue("warning", "croissant-outdated", CROISSANT_FILE, message)
    if described.get("version") != dataset.version:
        message = f"it says version {described.get('version')!r}, the card {dataset.version!r}. {_REWRITE}"
        yield Issue("warning", "croissant-outdated", CROISSANT_FILE, message)


def _files(described: Mapping[str, Any]) -> dict[str, Any]:
    """SHA-256 by path, as stated."""
    return {item["contentUrl"]: item["sha256"] for item in described["distribution"] if "contentUrl" in item}


def _columns(described: Mapping[str, Any]) -> dict[str, Any]:
    """Columns by part, as stated; those inside a column as `column/key`."""
    return {
        part["@id"]: {
            field["@id"].removeprefix(f"{part['@id']}/")
            for column in part["field"]
            for field in (column.get("subField") or [column])
        }
        for part in described["recordSet"]
    }


def _stored(dataset: OffsideDataset) -> dict[str, Any]:
    return {name: sha256_file(dataset.path / name) for name in dataset_files(dataset.path)}


def _stored_columns(dataset: OffsideDataset) -> dict[str, Any]:
    return {part: set(_names(columns_of(part.partition("/")[0]))) for part in dataset.parts()}


def _names(features: Mapping[str, Any]) -> Iterator[str]:
    for column, feature in features.items():
        inner = feature[0] if isinstance(feature, list) else feature
        yield from [f"{column}/{key}" for key in inner] if isinstance(inner, Mapping) else [column]


def _differing(stated: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in stated.keys() | stored.keys() if stated.get(name) != stored.get(name))
