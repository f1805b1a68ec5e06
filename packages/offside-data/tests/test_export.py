from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import DatasetError, OutputExistsError, PluginError, UsageError
from offside_data.export import export_dataset, formats
from offside_data.exporters import Exported
from offside_data.exporters._base import EXPORTERS


def test_the_report_lies_in_the_export(small: OffsideDataset, tmp_path: Path) -> None:
    report = export_dataset(small.path, tmp_path / "out", "swift")
    assert json.loads((tmp_path / "out" / "export.json").read_text()) == json.loads(json.dumps(report.to_json()))
    assert report.dataset == {
        "name": "small",
        "version": "0.1.0",
        "digest": small.digest,
        "license": "cc0-1.0",
    }
    assert report.records == report.written == 40
    assert str(tmp_path) not in (tmp_path / "out" / "export.json").read_text()


def test_what_is_lost_is_counted_by_field(small: OffsideDataset, tmp_path: Path) -> None:
    report = export_dataset(small.path, tmp_path / "out", "swift", splits=["forget"])
    assert report.records == 12
    assert report.fields == {
        "subject_id": 12,
        "image_id": 12,
        "attribute": 12,
        "scope": 12,
        "veracity": 12,
        "rumor_channel": 8,
        "value": 12,
        "perturbed_answers": 4,
        "choices": 12,
        "correct_choice": 12,
    }
    assert ("value", 12, "the format has no place for it") in report.lost()
    assert ("rows of tables/images", 16, "the format has no place for it") in report.lost()


def test_only_some_configs_and_splits(small: OffsideDataset, tmp_path: Path) -> None:
    report = export_dataset(small.path, tmp_path / "out", "swift", configs=["text"], splits=["forget", "retain"])
    assert {name: len(ids) for name, ids in report.files.items()} == {
        "text_retain.jsonl": 4,
        "text_forget.jsonl": 4,
    }


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"format": "swfit"}, PluginError, "unknown export format 'swfit'. Did you mean 'swift'. Known: .*offside"),
        ({"splits": ["retian"]}, UsageError, "unknown split 'retian'. Did you mean 'retain'"),
        ({"configs": ["images"]}, UsageError, "unknown config 'images'.* Known: multimodal, text"),
        (
            {"configs": ["text"], "splits": ["test"]},
            DatasetError,
            "no such records to export; the dataset has multimodal/retain",
        ),
        ({"format": "offside", "splits": ["utility"]}, DatasetError, "no such records"),
    ],
)
def test_wrong_usage(
    small: OffsideDataset, tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        export_dataset(small.path, tmp_path / "out", **{"format": "swift", **options})
    assert not list(tmp_path.iterdir())


def test_a_format_that_holds_nothing_of_it_says_why(small: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match="mllmu_bench holds none of these records:\n  8 because the format has no split"
    ):
        export_dataset(small.path, tmp_path / "out", "mllmu_bench", splits=["relearn"])
    assert not list(tmp_path.iterdir())


def test_an_output_that_holds_something_stays(small: OffsideDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("x")
    for force in (False, True):
        with pytest.raises(OutputExistsError, match=r"already holds something else \(mine.txt\)"):
            export_dataset(small.path, out, "swift", force=force)
    (out / "mine.txt").unlink()
    first = export_dataset(small.path, out, "swift")
    (out / "mine.txt").write_text("x")
    with pytest.raises(OutputExistsError, match="pass --force"):
        export_dataset(small.path, out, "swift")
    second = export_dataset(small.path, out, "swift", splits=["retain"], force=True)
    assert (out / "mine.txt").read_text() == "x"
    assert not [name for name in first.files if name not in second.files and (out / name).exists()]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_another_dataset_is_not_replaced_by_an_export(small: OffsideDataset, fresh: OffsideDataset) -> None:
    with pytest.raises(OutputExistsError, match="Choose another output folder"):
        export_dataset(small.path, fresh.path, "swift", force=True)
    assert open_dataset(fresh.path).verify() == fresh.digest


@pytest.mark.parametrize("place", [".", "export", ".."])
def test_dataset_and_export_lie_apart(fresh: OffsideDataset, place: str) -> None:
    with pytest.raises(UsageError, match="overlaps the dataset"):
        export_dataset(fresh.path, fresh.path / place, "swift", force=True)
    assert OffsideDataset(fresh.path, fresh.card).digest == fresh.digest


def test_an_exporter_that_loses_records_leaves_nothing(
    small: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Careless:
        HOLDS = ("question", "answer")

        @staticmethod
        def write(contents: Any, folder: Path) -> Exported:
            (folder / "some.txt").write_text("x")
            return Exported(files={"some.txt": [contents.records[0].record_id]})

    monkeypatch.setattr(type(EXPORTERS), "load", lambda self, name: Careless)
    with pytest.raises(DatasetError, match="lost in silence"):
        export_dataset(small.path, tmp_path / "out", "careless")
    assert not list(tmp_path.iterdir())


def test_formats_are_listed() -> None:
    assert {"offside", "swift", "llamafactory", "mllmu_bench"} <= set(formats())
