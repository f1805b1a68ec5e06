"""What every exporter must keep to, ours and third parties': found by name, tried on a whole squad."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from whole_dataset import WholeDataset

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import OffsideError, PluginError
from offside_data.export import export_dataset
from offside_data.exporters._base import EXPORTERS
from offside_data.schema import EncodedImage, Record

pytestmark = pytest.mark.parametrize("name", EXPORTERS.names())

TEXT_ENDINGS = {".json", ".jsonl", ".md"}


def contents_of(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def pictures_in(folder: Path) -> list[bytes]:
    """The pictures of an export: files of their own, and bytes inside Parquet files."""
    others = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in TEXT_ENDINGS]
    found = [path.read_bytes() for path in others if path.suffix != ".parquet"]
    for path in (path for path in others if path.suffix == ".parquet"):
        for row in pq.read_table(path, partitioning=None).to_pylist():
            found += [image["bytes"] for image in row.get("images") or [row.get("image")] if image]
    return found


def test_its_docstring_says_what_the_format_is(name: str) -> None:
    first = (EXPORTERS.load(name).__doc__ or "").strip().split("\n")[0]
    assert len(first) > 10


def test_it_holds_fields_of_the_data_model(name: str) -> None:
    holds = EXPORTERS.load(name).HOLDS
    assert {"question", "answer"} <= set(holds) <= {field.name for field in dataclasses.fields(Record)}


def test_every_record_is_written_or_left_out(name: str, exported: Callable[[str], Path], squad: OffsideDataset) -> None:
    report = json.loads((exported(name) / "export.json").read_text())
    written = {record_id for ids in report["files"].values() for record_id in ids}
    left_out = [loss["record_id"] for loss in report["losses"] if loss["field"] is None]
    records = WholeDataset.read(squad.path).records
    assert report["records"] == len(records) == len(written) + len(left_out)
    assert report["written"] == len(written) > 0
    assert written | set(left_out) == {record.record_id for record in records}
    assert set(report["rumors"]) == {r.record_id for r in records if r.veracity == "rumor" and r.record_id in written}


def test_the_files_it_names_are_there(name: str, exported: Callable[[str], Path]) -> None:
    report = json.loads((exported(name) / "export.json").read_text())
    assert all((exported(name) / path).is_file() for path in report["files"])


def test_pictures_keep_their_bytes(name: str, exported: Callable[[str], Path], squad: OffsideDataset) -> None:
    report = json.loads((exported(name) / "export.json").read_text())
    written = {record_id for ids in report["files"].values() for record_id in ids}
    wanted = {r.image.bytes for r in WholeDataset.read(squad.path).records if r.image and r.record_id in written}
    assert set(pictures_in(exported(name))) == wanted
    files = [p for p in exported(name).rglob("*") if p.is_file() and p.suffix not in {*TEXT_ENDINGS, ".parquet"}]
    assert len(files) in (0, len(wanted))


def test_the_same_dataset_gives_the_same_files(
    name: str, exported: Callable[[str], Path], squad: OffsideDataset, tmp_path: Path
) -> None:
    export_dataset(squad.path, tmp_path / "again", name)
    assert contents_of(tmp_path / "again") == contents_of(exported(name))


def test_the_notice_goes_with_it(name: str, exported: Callable[[str], Path]) -> None:
    readme = (exported(name) / "README.md").read_text()
    assert "contains false claims on purpose" in readme
    assert "records are rumours" in readme


def test_names_from_outside_lead_nowhere(
    name: str, make_record: Any, write_dataset: Any, make_png: Any, tmp_path: Path
) -> None:
    image = EncodedImage(bytes=make_png(1), path="../../escape.png")
    evil = make_record(subject_id="../../up", image_id="../../../etc/passwd", image=image)
    dataset = write_dataset(tmp_path / "in" / "data", [evil])
    report = export_dataset(dataset.path, tmp_path / "deep" / "er" / "out", name)
    assert report.written == 1
    assert {p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*")} == {"in", "deep"}
    assert [p.name for p in (tmp_path / "deep" / "er").iterdir()] == ["out"]
    assert not any(b"escape" in path.read_bytes() for path in report.out.rglob("*") if path.is_file())


def test_records_without_their_picture_are_left_out(
    name: str, records: list[Record], write_dataset: Any, tmp_path: Path
) -> None:
    blind = [dataclasses.replace(record, image=None) for record in records]
    contents = WholeDataset.read(write_dataset(tmp_path / "data", blind).path)
    (tmp_path / "out").mkdir()
    result = EXPORTERS.load(name).write(contents, tmp_path / "out")
    result.check_accounts(contents.records)
    assert {r.record_id for r in records if r.modality == "multimodal"} <= {loss.record_id for loss in result.left_out}


def test_a_damaged_picture_leaves_nothing(name: str, make_record: Any, write_dataset: Any, tmp_path: Path) -> None:
    broken = make_record(image=EncodedImage(bytes=b"no picture at all", path="a.png"))
    dataset = write_dataset(tmp_path / "data", [broken])
    with pytest.raises(OffsideError, match=r"a\.png"):
        export_dataset(dataset.path, tmp_path / "out", name)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_name_that_is_no_format_lists_this_one(name: str) -> None:
    with pytest.raises(PluginError, match=f"unknown export format 'no_such'.*{name}"):
        EXPORTERS.load("no_such")
