"""Digests of what a dataset says, whatever its files look like.

A *leaf* a row: SHA-256 of the row's canonical JSON, in which a picture is replaced by the SHA-256 of
its encoded bytes (decoders differ between machines) and its file name is left out. A *root* a table:
SHA-256 over the leaves in the order of the rows' ids. The *digest* of a dataset: SHA-256 over the
named roots. Shards, row groups, column order and the program that wrote the files don't matter.

Canonical JSON: sorted keys, no spaces, strings in Unicode NFC, floats by `repr`, null and [] distinct.
A struct of nulls is the same as null, because some writers can't tell them apart.
"""

from __future__ import annotations

import functools
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from offside_data.errors import RecordError

if TYPE_CHECKING:
    import pyarrow as pa

    from offside_data.taxonomy import Taxonomy

PREFIX = "sha256:"
"""How every digest starts that people see: cards, manifests, messages."""

_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def canonical_json(value: Any) -> str:
    """The one JSON text of `value`: sorted keys, no spaces, NFC, floats by `repr`.

    Raises:
        ValueError: If it holds NaN or infinity.
    """
    text = _encode(value)
    if not unicodedata.is_normalized("NFC", text):
        # String by string: next to each other, two strings could compose across their border.
        text = _encode(_nfc(value))
    return text


def _nfc(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        return {_nfc(key): _nfc(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_nfc(item) for item in value]
    return value


@functools.lru_cache(maxsize=32)  # A picture is shared by some 14 records that follow one another.
def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def row_leaf(row: Mapping[str, Any], image_sha256: str | None) -> bytes:
    """The leaf of a row of any table, its picture given by hash.

    Args:
        row: The row; `content_hash` and `image` in it are ignored.
        image_sha256: Hex SHA-256 of the encoded picture, null where there is none.

    Raises:
        RecordError: If the row holds a number that JSON can't.
    """
    content = {key: _plain(value) for key, value in row.items() if key not in ("content_hash", "image")}
    content["image"] = image_sha256
    try:
        return hashlib.sha256(canonical_json(content).encode()).digest()
    except ValueError as error:
        name = row.get("record_id") or row.get("image_id") or row.get("subject_id")
        raise RecordError(f"record {name}: {error}; every number must be finite, every string valid.") from error


def _plain(value: Any) -> Any:
    """A field as any writer would give it back."""
    if not isinstance(value, Mapping):
        return value
    if all(item is None for item in value.values()):
        return None
    if isinstance(value.get("number"), int):
        return {**value, "number": float(value["number"])}  # As Parquet stores it.
    return value


def record_content_hash(row: Mapping[str, Any]) -> str:
    """Hex leaf of a record as a plain row (`Record.to_row`); `content_hash` holds it."""
    image = row["image"]
    return row_leaf(row, None if image is None else _sha256(image["bytes"])).hex()


def hashed_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table as `storage.read_table` gives it, pictures by hash.

    A row's `image` is `{"sha256", "path"}` or null; `sha256` is null where only a path is stored. Each
    distinct picture is hashed once.
    """
    if "image" not in table.column_names:
        return table.to_pylist()  # type: ignore[no-any-return]
    images: list[dict[str, str | None] | None] = []
    for chunk in table.column("image").chunks:
        pictures, paths = chunk.flatten()
        known = [_sha256(value) for value in pictures.dictionary.to_pylist()]
        for pick, path in zip(pictures.indices.to_pylist(), paths.to_pylist(), strict=True):
            there = pick is not None or path is not None
            images.append({"sha256": None if pick is None else known[pick], "path": path} if there else None)
    rows = table.drop_columns(["image"]).to_pylist()
    return [{**row, "image": image} for row, image in zip(rows, images, strict=True)]


def hashed_row_leaf(row: Mapping[str, Any]) -> bytes:
    """The leaf of one of the `hashed_rows`.

    Raises:
        RecordError: As `row_leaf`.
    """
    image = row.get("image")
    return row_leaf(row, None if image is None else image["sha256"])


def distinct_pictures(table: pa.Table) -> dict[str, bytes]:
    """Encoded bytes of each distinct picture of a table, by SHA-256."""
    if "image" not in table.column_names:
        return {}
    chunks = [chunk.field("bytes").dictionary.to_pylist() for chunk in table.column("image").chunks]
    return {_sha256(value): value for values in chunks for value in values}


def table_root(leaves: Iterable[tuple[str, bytes]]) -> str:
    """`sha256:…` over the leaves of a table, in the order of the rows' ids."""
    root = hashlib.sha256()
    for _, leaf in sorted(leaves):
        root.update(leaf)
    return PREFIX + root.hexdigest()


def rows_root(rows: Iterable[Mapping[str, Any]], id_column: str) -> str:
    """The root of a table given as `hashed_rows`.

    Raises:
        RecordError: As `row_leaf`.
    """
    return table_root((row[id_column] or "", hashed_row_leaf(row)) for row in rows)


def taxonomy_digest(taxonomy: Taxonomy) -> str:
    """`sha256:…` of what a taxonomy says; comments and layout of its file don't count."""
    import dataclasses

    return PREFIX + hashlib.sha256(canonical_json(dataclasses.asdict(taxonomy)).encode()).hexdigest()


def ids_digest(ids: Iterable[str]) -> str:
    """`sha256:…` of a set of ids, e.g. the records of a request."""
    return PREFIX + hashlib.sha256(canonical_json(sorted(set(ids))).encode()).hexdigest()


def dataset_digest(roots: Mapping[str, str]) -> str:
    """The digest of a dataset: `sha256:…` over its roots by name.

    Args:
        roots: By `config/split`, `subjects`, `images` and `taxonomy`.
    """
    return PREFIX + hashlib.sha256(canonical_json(dict(roots)).encode()).hexdigest()
