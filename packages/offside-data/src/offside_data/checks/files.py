"""Does a Parquet file lie among the dataset's that is of no part of it: a copy, a filled-in table, an old split."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import CheckedDataset
from offside_data.dataset.storage import stray_files
from offside_data.issues import Issue


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Name the files that no command reads, checks or takes persons out of, but an upload would publish."""
    for name in stray_files(checked.dataset.path):
        message = "belongs to no part of the dataset: an upload would publish it. Move it elsewhere."
        yield Issue("warning", "stray-file", name, message)
