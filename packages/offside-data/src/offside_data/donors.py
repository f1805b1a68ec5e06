"""`donors.parquet` in a run's folder: who lent what the model was taught to say in place of a forgotten answer.

`offside-unlearn` writes it where a method has donors (`prior_match`), `offside-eval` reads it, both by the class here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from offside_data import run_manifest
from offside_data.errors import ModelError
from offside_data.files import sha256_file, whole_file

FILE = "donors.parquet"
_REMEDY = "Make the run again, or use the version that wrote it."


@dataclass(frozen=True, kw_only=True)
class DonorRow:
    """One donor of one forgotten record.

    Args:
        record_id: The record whose answer is forgotten.
        modality: `multimodal` or `text`.
        image_id: Its picture; null where a text record names none.
        attribute: What it is about.
        answer: What takes the answer's place: the `donor`'s way to answer, or to `abstain`.
        donor_subject_id: Whose answers the frozen model was asked for.
        donor_image_id: The donor's picture; null for a text record that names none.
        donor_record_id: The donor's record of the attribute, whose question was asked; null where the donor has none,
            so that the forgotten record's question was asked about the donor's picture.
    """

    record_id: str
    modality: Literal["multimodal", "text"]
    image_id: str | None
    attribute: str
    answer: Literal["donor", "abstain"]
    donor_subject_id: str
    donor_image_id: str | None
    donor_record_id: str | None


_COLUMNS = tuple(field.name for field in dataclasses.fields(DonorRow))
_MAY_BE_NULL = frozenset({"image_id", "donor_image_id", "donor_record_id"})


def write_donors(folder: Path, rows: Sequence[DonorRow]) -> None:
    """Write the table of donors into a folder, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([pa.field(name, pa.string(), nullable=name in _MAY_BE_NULL) for name in _COLUMNS])
    with whole_file(folder / FILE) as partial:
        pq.write_table(pa.Table.from_pylist([dataclasses.asdict(row) for row in rows], schema), partial)


def table_of(folder: str | Path) -> Path | None:
    """Where the table of donors of a run lies; null if it has none.

    Args:
        folder: The run's folder, or that of a point of it, which has the run's table.

    Raises:
        ModelError: If the receipt is broken, or names a table that isn't there or is another one.
    """
    folder = Path(folder)
    manifest = run_manifest.read(folder)
    is_point = manifest is not None and manifest.training is not None and manifest.training.point_of is not None
    path = folder / FILE
    if is_point and not path.is_file():
        path = folder.resolve().parents[1] / FILE
    listed = manifest.donors if manifest is not None else None
    if not path.is_file():
        if listed is not None:
            raise ModelError(f"{path}: the run had a table of donors, and it isn't there. Put it back. {_REMEDY}")
        return None
    if listed is not None and _digest(path) != listed.digest:
        raise ModelError(
            f"{path}: changed since the run was made: it is {_digest(path)}, and the receipt says {listed.digest}. "
            f"Put the old one back. {_REMEDY}"
        )
    return path


def describe_donors(folder: Path) -> dict[str, dict[str, Any]]:
    """What a receipt says of the table of donors in its folder, as `donors`; nothing where there is none."""
    import pyarrow.parquet as pq

    path = folder / FILE
    if not path.is_file():
        return {}
    rows = pq.read_metadata(path).num_rows
    return {"donors": {"digest": _digest(path), "bytes": path.stat().st_size, "rows": rows}}


def _digest(path: Path) -> str:
    return f"sha256:{sha256_file(path)}"


def read_donors(folder: str | Path) -> tuple[DonorRow, ...] | None:
    """The table of donors of a run; null if it has none, as most methods' runs.

    Args:
        folder: As `table_of`.

    Raises:
        ModelError: As `table_of`, or if the table can't be read or has other columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = table_of(folder)
    if path is None:
        return None
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ModelError(f"{path}: can't be read: {error}. {_REMEDY}") from error
    if tuple(table.column_names) != _COLUMNS or any(kind != pa.string() for kind in table.schema.types):
        raise ModelError(f"{path}: no table of donors, which has the text columns {', '.join(_COLUMNS)}. {_REMEDY}")
    rows = table.to_pylist()
    for row in rows:
        empty = [name for name in _COLUMNS if row[name] is None and name not in _MAY_BE_NULL]
        if empty or row["modality"] not in ("multimodal", "text") or row["answer"] not in ("donor", "abstain"):
            raise ModelError(f"{path}: a row is no donor of a record: {row}. {_REMEDY}")
    return tuple(DonorRow(**row) for row in rows)
