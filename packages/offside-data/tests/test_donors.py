"""The table of donors in a run's folder, written and read by one class."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from manifests import MANIFESTS

from offside_data import run_manifest
from offside_data.donors import FILE, DonorRow, describe_donors, read_donors, write_donors
from offside_data.errors import ModelError

ROW = DonorRow(
    record_id="r1",
    modality="text",
    image_id=None,
    attribute="club",
    answer="abstain",
    donor_subject_id="s2",
    donor_image_id="i2",
    donor_record_id=None,
)


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert read_donors(tmp_path) is None
    write_donors(tmp_path, [ROW])
    assert read_donors(tmp_path) == (ROW,)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_the_receipt_names_its_digest_and_another_table_is_refused(tmp_path: Path) -> None:
    write_donors(tmp_path, [ROW])
    told = describe_donors(tmp_path)
    assert told["donors"]["rows"] == 1
    assert told["donors"]["bytes"] == (tmp_path / FILE).stat().st_size
    (tmp_path / run_manifest.FILE).write_text(json.dumps({**MANIFESTS["unlearned"], **told}))
    point = tmp_path / "curve" / "step-000001"
    point.mkdir(parents=True)
    of_point = {**MANIFESTS["unlearned"], **told, "point_of": "sha256:run"}
    (point / run_manifest.FILE).write_text(json.dumps(of_point))
    assert read_donors(tmp_path) == read_donors(point) == (ROW,)
    write_donors(tmp_path, [dataclasses.replace(ROW, donor_subject_id="s3")])
    for place in (tmp_path, point):
        with pytest.raises(ModelError, match="changed since the run was made"):
            read_donors(place)
    (tmp_path / FILE).unlink()
    for place in (tmp_path, point):
        with pytest.raises(ModelError, match="had a table of donors, and it isn't there"):
            read_donors(place)
    assert describe_donors(tmp_path) == {}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda row: row.pop("attribute"), "no table of donors"),
        (lambda row: row.update(record_id=1), "no table of donors"),
        (lambda row: row.update(answer="guess"), "no donor of a record"),
        (lambda row: row.update(donor_subject_id=None), "no donor of a record"),
    ],
)
def test_what_is_no_table_of_donors_is_an_error(tmp_path: Path, change: object, says: str) -> None:
    write_donors(tmp_path, [ROW])
    table = pq.read_table(tmp_path / FILE)
    (row,) = table.to_pylist()
    change(row)  # type: ignore[operator]
    schema = pa.schema([pa.field(n, pa.int64() if row[n] == 1 else pa.string()) for n in row])
    pq.write_table(pa.Table.from_pylist([row], schema), tmp_path / FILE)
    with pytest.raises(ModelError, match=rf"{FILE}.*{says}.*Make the run again"):
        read_donors(tmp_path)


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"can't be read.*Make the run again"):
        read_donors(tmp_path)
