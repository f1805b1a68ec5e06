from __future__ import annotations

import dataclasses
import logging
import warnings
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import CardError, DatasetError
from offside_data.files import sha256_file
from offside_data.release import croissant
from offside_data.release.croissant import CROISSANT_FILE, croissant_json, write_croissant
from offside_data.schema import Record, features_of


@pytest.fixture(scope="module")
def described(small: OffsideDataset) -> dict[str, Any]:
    return croissant_json(small.path, small.card)


def test_one_file_object_a_parquet_file(described: dict[str, Any], small: OffsideDataset) -> None:
    stated = {item["contentUrl"]: item["sha256"] for item in described["distribution"]}
    paths = [path for part in small.parts() for path in small.files(part)]
    assert stated == {path.relative_to(small.path).as_posix(): sha256_file(path) for path in paths}
    assert {item["encodingFormat"] for item in described["distribution"]} == {"application/x-parquet"}


def test_one_record_set_a_part_and_one_field_a_column(described: dict[str, Any], small: OffsideDataset) -> None:
    assert [part["@id"] for part in described["recordSet"]] == small.parts()
    for part in described["recordSet"]:
        columns = [field["@id"].removeprefix(f"{part['@id']}/") for field in part["field"]]
        assert columns == list(features_of(part["@id"].partition("/")[0]))
    fields = {field["@id"]: field for field in described["recordSet"][0]["field"]}
    value = {
        child["@id"].rpartition("/")[2]: child["dataType"] for child in fields["multimodal/retain/value"]["subField"]
    }
    assert value == {**dict.fromkeys(["kind", "text", "unit", "currency", "date"], "sc:Text"), "number": "sc:Float"}
    assert fields["multimodal/retain/sources"]["repeated"] is True
    assert fields["multimodal/retain/image"]["dataType"] == "sc:ImageObject"
    assert described["recordSet"][0]["key"] == {"@id": "multimodal/retain/record_id"}


def test_the_head_comes_from_the_card(described: dict[str, Any], small: OffsideDataset) -> None:
    assert described["name"] == "small"
    assert described["version"] == small.version
    assert described["license"] == "cc0-1.0"
    assert described["description"] == "Four invented people. This dataset contains false claims on purpose."
    assert described["keywords"] == small.card.data["tags"]
    assert small.digest in described["citeAs"]
    assert described["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert described["sdVersion"] == small.version


def test_origins_reach_down_to_a_value(described: dict[str, Any]) -> None:
    fields = {field["@id"]: field for part in described["recordSet"] for field in part["field"]}
    who = fields["multimodal/retain/agreed_value"]["annotation"]
    assert who["equivalentProperty"] == "prov:wasAttributedTo"
    told = {child["equivalentProperty"]: child["source"] for child in who["subField"]}
    assert told["prov:generatedAtTime"]["extract"] == {"column": "annotations"}
    assert told["prov:generatedAtTime"]["transform"] == {"jsonPath": "at"}
    assert told["prov:wasAttributedTo"]["transform"] == {"jsonPath": "annotator"}
    assert fields["text/forget/answer"]["annotation"]["equivalentProperty"] == "prov:hadPrimarySource"
    assert "annotation" not in fields["subjects/name"]
    assert described["prov:wasGeneratedBy"]["prov:label"] == "Release 0.1.0"
    prohibited = [item["odrl:target"]["name"] for item in described["usageInfo"]["odrl:prohibition"]]
    assert "models trained on the split `forget`" in prohibited


def test_mlcroissant_understands_it(fresh: OffsideDataset) -> None:
    import mlcroissant as mlc

    write_croissant(fresh.path, fresh.card)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = mlc.Dataset(jsonld=str(fresh.path / CROISSANT_FILE)).metadata
    assert read.ctx.is_v1_1()
    assert not read.ctx.issues.errors
    assert read.sd_version == fresh.version
    part = next(part for part in read.record_sets if part.id == "multimodal/retain")
    (origin,) = next(field for field in part.fields if field.id.endswith("/agreed_value")).annotations
    assert origin.equivalentProperty == ["prov:wasAttributedTo"] or "wasAttributedTo" in str(origin.equivalentProperty)
    assert read.to_json()["prov:wasGeneratedBy"]["prov:label"] == f"Release {fresh.version}"


def test_what_was_written_can_be_read(fresh: OffsideDataset, capfd: pytest.CaptureFixture[str]) -> None:
    import mlcroissant as mlc

    level, handlers = logging.root.manager.disable, list(logging.root.handlers)
    write_croissant(fresh.path, fresh.card)
    assert capfd.readouterr() == ("", "")
    assert (logging.root.manager.disable, list(logging.root.handlers)) == (level, handlers)
    dataset = mlc.Dataset(jsonld=str(fresh.path / CROISSANT_FILE))
    for part in dataset.metadata.record_sets:
        assert len(list(dataset.records(part.id))) == len(fresh.rows(part.id))
    row = next(iter(dataset.records("text/forget")))
    stored = fresh.rows("text/forget")[0]
    assert row["text/forget/answer"].decode() == stored["answer"]
    assert row["text/forget/value"]["text/forget/value/text"].decode() == stored["value"]["text"]
    assert [choice.decode() for choice in row["text/forget/choices"]] == stored["choices"]


def test_several_files_of_a_part_are_one_record_set(records: list[Record], write_dataset: Any, tmp_path: Path) -> None:
    import mlcroissant as mlc

    kept = [record for record in records if (record.modality, record.split) == ("multimodal", "retain")]
    dataset = write_dataset(tmp_path / "data", kept, rows_per_shard=2)
    assert len(dataset.files("multimodal/retain")) == 4
    write_croissant(dataset.path, dataset.card)
    read = mlc.Dataset(jsonld=str(dataset.path / CROISSANT_FILE))
    ids = [row["multimodal/retain/record_id"].decode() for row in read.records("multimodal/retain")]
    assert sorted(ids) == sorted(record.record_id for record in kept)


def test_lists_of_structs_keep_their_parts(make_record: Any, write_dataset: Any, tmp_path: Path) -> None:
    import mlcroissant as mlc

    from offside_data.schema import Annotation, Source

    sources = (Source(url="https://example.org/a", tier="media"), Source(publisher="Yearbook", tier="official"))
    records = [
        make_record(
            record_id="with", sources=sources, annotations=(Annotation(annotator="x", value="yes", at="2026-01-01"),)
        ),
        make_record(record_id="without"),
    ]
    dataset = write_dataset(tmp_path / "data", records)
    write_croissant(dataset.path, dataset.card)
    read = mlc.Dataset(jsonld=str(dataset.path / CROISSANT_FILE))
    rows = {row["multimodal/retain/record_id"]: row for row in read.records("multimodal/retain")}
    found = [
        tuple(source[f"multimodal/retain/sources/{key}"] for key in ("url", "publisher", "tier"))
        for source in rows[b"with"]["multimodal/retain/sources"]
    ]
    assert found == [(b"https://example.org/a", None, b"media"), (None, b"Yearbook", b"official")]
    assert rows[b"without"]["multimodal/retain/sources"] == []


def test_a_description_that_can_t_be_read_back_is_not_written(
    fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(folder: Path, card: Card) -> dict[str, Any]:
        described = croissant_json(folder, card)
        described["recordSet"][0]["field"][1]["source"]["extract"]["column"] = "no_such_column"
        return described

    monkeypatch.setattr(croissant, "croissant_json", wrong)
    with pytest.raises(DatasetError, match="can't read back what was to be written"):
        write_croissant(fresh.path, fresh.card)
    assert not (fresh.path / CROISSANT_FILE).exists()
    assert not list(fresh.path.glob(".*partial"))


def test_a_damaged_file_is_named(fresh: OffsideDataset) -> None:
    fresh.files("text/retain")[0].write_bytes(b"PAR1 no")
    with pytest.raises(DatasetError, match=r"retain-00000-of-00001\.parquet: not readable as Parquet"):
        croissant_json(fresh.path, fresh.card)


def test_the_card_need_not_be_written_yet(fresh: OffsideDataset) -> None:
    card = Card.load(fresh.path)
    card.block = dataclasses.replace(card.block, version="3.0.0")
    (fresh.path / "README.md").unlink()
    assert croissant_json(fresh.path, card)["version"] == "3.0.0"


def test_a_malformed_croissant_block_is_named(fresh: OffsideDataset) -> None:
    fresh.card.data["croissant"] = {"data_bias": "none"}
    with pytest.raises(CardError, match=r"unknown key 'data_bias'\. Did you mean 'data_biases'"):
        croissant_json(fresh.path, fresh.card)
