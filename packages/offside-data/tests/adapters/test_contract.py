"""What every adapter must keep to, ours and third parties': found by name, tried on its own example."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from offside_data.adapters._base import ADAPTERS, Imported, ReadOptions, recognise
from offside_data.errors import MissingImagesError, PluginError
from offside_data.ingest import ingest
from offside_data.taxonomy import load_taxonomy
from offside_data.validation import validate_record

pytestmark = pytest.mark.parametrize("name", ADAPTERS.names())


def read_example(name: str, folder: Path) -> Imported:
    adapter = ADAPTERS.load(name)
    source = adapter.example(folder)
    imported: Imported = adapter.read(source, ReadOptions(taxonomy=load_taxonomy(adapter.TAXONOMY)))
    return imported


def test_its_docstring_says_what_the_format_is(name: str) -> None:
    first = (ADAPTERS.load(name).__doc__ or "").strip().split("\n")[0]
    assert len(first) > 10


def test_it_alone_recognises_its_example(name: str, tmp_path: Path) -> None:
    assert recognise(ADAPTERS.load(name).example(tmp_path)) == name


def test_it_recognises_nothing_else(name: str, tmp_path: Path) -> None:
    adapter = ADAPTERS.load(name)
    (tmp_path / "empty").mkdir()
    for text in ("", "[]", "{}", "null", "[1, 2]", '[{"a": 1}]', "\x00\xff", "[" * 100_000):
        (tmp_path / "other.json").write_text(text, encoding="latin-1")
        assert not adapter.recognises(tmp_path / "other.json")
    assert not adapter.recognises(tmp_path / "empty")
    assert not adapter.recognises(tmp_path / "missing")


def test_every_row_is_accounted_for(name: str, tmp_path: Path) -> None:
    imported = read_example(name, tmp_path)
    imported.check_accounts()
    assert imported.records


def test_records_keep_to_the_data_model(name: str, tmp_path: Path) -> None:
    imported = read_example(name, tmp_path)
    taxonomy = load_taxonomy(ADAPTERS.load(name).TAXONOMY)
    for record in imported.records:
        validate_record(record, taxonomy)
        assert record.source_record is not None
    ids = [record.record_id for record in imported.records]
    assert len(set(ids)) == len(ids)
    pictures = {picture.image_id for picture in imported.pictures}
    assert {r.image_id for r in imported.records if r.image_id is not None} <= pictures
    assert {r.subject_id for r in imported.records} - {None} <= {row["subject_id"] for row in imported.subjects}


def test_reading_twice_gives_the_same_records(name: str, tmp_path: Path) -> None:
    first, second = (read_example(name, tmp_path / sub) for sub in ("first", "second"))
    assert first.records == second.records
    strip = [[dataclasses.replace(p, paths=()) for p in i.pictures] for i in (first, second)]
    assert strip[0] == strip[1]


def test_a_whole_import(name: str, tmp_path: Path) -> None:
    source = ADAPTERS.load(name).example(tmp_path / "source")
    report = ingest(source, tmp_path / "out", name)
    assert report.records == report.rows - sum(report.count(k) for k in ("rejected", "duplicate", "merged"))
    assert report.count("unparsed") == 0
    assert ingest(source, tmp_path / "texts", with_images=False).records == report.records


def test_missing_pictures_are_counted(name: str, tmp_path: Path) -> None:
    source = ADAPTERS.load(name).example(tmp_path / "source")
    imported = read_example(name, tmp_path / "source")
    paths = {path for picture in imported.pictures for path in picture.paths if path.is_file()}
    if not paths:
        pytest.skip("pictures are embedded in this format")
    for path in paths:
        path.unlink()
    with pytest.raises(MissingImagesError, match=rf"{len(paths)} of {len(paths)} distinct pictures.*--without-images"):
        ingest(source, tmp_path / "out", name)
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_no_adapter_lists_this_one(name: str) -> None:
    with pytest.raises(PluginError, match=f"unknown format 'no_such'.*{name}"):
        ADAPTERS.load("no_such")
