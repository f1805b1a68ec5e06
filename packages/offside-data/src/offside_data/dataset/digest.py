"""Digests of what a dataset says, whatever its files look like.

A *leaf* a row: SHA-256 of the row's canonical JSON, in which a picture is replaced by the SHA-256 of
its encoded bytes (decoders differ between machines) and its file name is left out. A *root* a table:
SHA-256 over the leaves in the order of the rows' ids. The *digest* of a dataset: SHA-256 over the
named roots. Shards, row groups, column order and the program that wrote the files don't matter.

Canonical JSON: sorted keys, no spaces, strings in Unicode NFC, floats by `repr`, null and [] distinct.
A struct of nulls is the same as null, because some writers can't tell them apart.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from offside_data.errors import RecordError

if TYPE_CHECKING:
    import polars as pl
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


def leaves(frame: pl.DataFrame, pictures: pl.Series | None = None) -> pl.Series:
    """The leaves of many rows at once, as `row_leaf` gives them, in hex.

    Args:
        frame: Rows of any table; `content_hash` and `image` in them are ignored.
        pictures: Hex SHA-256 of the encoded picture of each row, null where there is none; null for no pictures.

    Returns:
        One text a row.

    Raises:
        RecordError: As `row_leaf`.
    """
    import polars as pl

    rows = frame.drop("content_hash", "image", strict=False)
    rows = rows.with_columns(
        pictures.alias("image") if pictures is not None else pl.lit(None, pl.String).alias("image")
    )
    # polars writes the same JSON as `canonical_json`, except for floats that it or `repr` writes with an exponent,
    # and it neither normalises nor orders a struct's fields: the last is done here, the first row by row below.
    fields = [_sorted_struct(pl.col(name), rows.schema[name]).alias(name) for name in sorted(rows.columns)]
    texts: list[str] = rows.select(pl.struct(fields).struct.json_encode()).to_series().to_list()
    other = set(rows.select(_not_plain(rows.schema)).to_series().arg_true().to_list())
    found = []
    for place, text in enumerate(texts):
        if place not in other and (text.isascii() or unicodedata.is_normalized("NFC", text)):
            found.append(hashlib.sha256(text.encode()).hexdigest())
        else:
            found.append(row_leaf(rows.row(place, named=True), rows["image"][place]).hex())
    return pl.Series("leaf", found, pl.String)


def _sorted_struct(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """A column whose structs have their fields in order; a struct of nulls is null."""
    import polars as pl

    if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct):
        names = sorted(field.name for field in kind.inner.fields)
        return column.list.eval(pl.struct(pl.element().struct.field(name) for name in names))
    if isinstance(kind, pl.Struct):
        fields = [column.struct.field(name) for name in sorted(field.name for field in kind.fields)]
        return pl.when(pl.any_horizontal(field.is_not_null() for field in fields)).then(pl.struct(fields))
    return column


_LEAST_PLAIN, _MOST_PLAIN = 1e-4, 1e15
"""Magnitudes between which every program writes a float without an exponent."""


def _not_plain(schema: pl.Schema) -> pl.Expr:
    """Which rows hold what polars may write in another way: tiny and huge numbers, null items of lists."""
    import polars as pl

    odd = [pl.lit(False)]
    for name, kind in schema.items():
        if isinstance(kind, pl.List):
            odd.append(pl.col(name).list.eval(pl.element().is_null()).list.any())
        numbers = [pl.col(name)] if kind.is_float() else []
        if isinstance(kind, pl.Struct):
            numbers = [pl.col(name).struct.field(field.name) for field in kind.fields if field.dtype.is_float()]
        odd += [(n != 0) & ~n.abs().is_between(_LEAST_PLAIN, _MOST_PLAIN) for n in numbers]
    return pl.any_horizontal(expression.fill_null(False) for expression in odd)


def sha256_of(pictures: pa.DictionaryArray) -> pl.Series:
    """Hex SHA-256 of each row's encoded picture, null where there is none; each distinct one is hashed once."""
    import polars as pl

    hashes = pl.Series([None if v is None else _sha256(v) for v in pictures.dictionary.to_pylist()], dtype=pl.String)
    return hashes.gather(pl.Series(pictures.indices.to_pylist(), dtype=pl.UInt32)).alias("sha256")


def frame_root(names: pl.Series, found: pl.Series) -> str:
    """`sha256:…` over the leaves of a table.

    Args:
        names: The rows' ids.
        found: Their `leaves`.
    """
    import polars as pl

    ordered = pl.DataFrame({"name": names.fill_null(""), "leaf": found}).sort("name", "leaf")["leaf"]
    return PREFIX + hashlib.sha256(bytes.fromhex("".join(ordered.to_list()))).hexdigest()


def taxonomy_digest(taxonomy: Taxonomy) -> str:
    """`sha256:…` of what a taxonomy says; comments and layout of its file don't count."""
    import dataclasses

    said = dataclasses.asdict(taxonomy)
    for told, attribute in zip(said["attributes"], taxonomy.attributes, strict=True):
        if attribute.plausible is None:  # It came later: those who don't have it keep their digests.
            del told["plausible"]
    return PREFIX + hashlib.sha256(canonical_json(said).encode()).hexdigest()


def ids_digest(ids: Iterable[str]) -> str:
    """`sha256:…` of a set of ids, e.g. the records of a request."""
    return PREFIX + hashlib.sha256(canonical_json(sorted(set(ids))).encode()).hexdigest()


def dataset_digest(roots: Mapping[str, str]) -> str:
    """The digest of a dataset: `sha256:…` over its roots by name.

    Args:
        roots: By `config/split`, `subjects`, `images` and `taxonomy`.
    """
    return PREFIX + hashlib.sha256(canonical_json(dict(roots)).encode()).hexdigest()
