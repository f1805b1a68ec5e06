"""Rows as `datasets` gives them: in memory with each picture once where they fit, else through its cache on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.dataset.storage import read_table, unpacked_size
from offside_data.files import sha256_file

if TYPE_CHECKING:
    import datasets

IN_MEMORY_BYTES = 2**30
"""A split that takes more is read through the cache of `datasets` on disk, not into memory."""


def decoded(rows: datasets.Dataset) -> datasets.Dataset:
    """Rows that give pictures as images."""
    from datasets import Image

    return rows.cast_column("image", Image()) if "image" in rows.column_names else rows


def dataset_of(paths: list[Path], features: datasets.Features) -> datasets.Dataset:
    """The rows of Parquet files, pictures undecoded.

    Raises:
        DatasetError: If a file isn't readable, or its columns aren't those of `features`.
    """
    import datasets

    table = read_table(paths, features)
    if unpacked_size(table) > IN_MEMORY_BYTES:
        rows = datasets.Dataset.from_parquet([str(path) for path in paths], features=features)
    else:
        fingerprint = hashlib.sha256("".join(map(sha256_file, paths)).encode()).hexdigest()[:16]
        rows = datasets.Dataset(table, info=datasets.DatasetInfo(features=features), fingerprint=fingerprint)
    return undecoded(rows)


def undecoded(rows: datasets.Dataset) -> datasets.Dataset:
    """Rows that give pictures as `{"bytes", "path"}`."""
    from datasets import Image

    return rows.cast_column("image", Image(decode=False)) if "image" in rows.column_names else rows
