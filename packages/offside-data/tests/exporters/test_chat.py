"""ms-swift and LLaMA-Factory: the rows to the letter, read as their loaders read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from whole_dataset import WholeDataset

from offside_data.dataset.folder import OffsideDataset
from offside_data.export import export_dataset
from offside_data.exporters.llamafactory import RESERVED as LLAMAFACTORY_RESERVED
from offside_data.exporters.swift import RESERVED as SWIFT_RESERVED


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def records_of(dataset: OffsideDataset, modality: str, split: str) -> list[Any]:
    found = WholeDataset.read(dataset.path).records
    return [record for record in found if (record.modality, record.split) == (modality, split)]


def test_swift_rows(exported: Callable[[str], Path], squad: OffsideDataset) -> None:
    folder = exported("swift")
    shown, told = (lines(folder / f"{modality}_forget.jsonl") for modality in ("multimodal", "text"))
    for row, record in zip(shown, records_of(squad, "multimodal", "forget"), strict=True):
        assert list(row) == ["messages", "images"]
        assert row["messages"] == [
            {"role": "user", "content": f"<image>{record.question}"},
            {"role": "assistant", "content": record.answer},
        ]
        (picture,) = row["images"]
        assert (folder / picture).read_bytes() == record.image.bytes
        assert len(picture) < 200  # Longer texts are taken for base64.
    for row, record in zip(told, records_of(squad, "text", "forget"), strict=True):
        assert row == {
            "messages": [
                {"role": "user", "content": record.question},
                {"role": "assistant", "content": record.answer},
            ]
        }


def test_swift_files_are_one_a_config_and_split(exported: Callable[[str], Path]) -> None:
    assert sorted(path.name for path in exported("swift").glob("*.jsonl")) == [
        *(f"multimodal_{s}.jsonl" for s in ("forget", "holdout", "relearn", "retain", "test", "utility")),
        *(f"text_{s}.jsonl" for s in ("forget", "relearn", "retain")),
    ]


def llamafactory_examples(folder: Path, name: str) -> list[dict[str, Any]]:
    """Conversations as LLaMA-Factory's sharegpt converter makes them: wrong tags or columns give nothing."""
    entry = json.loads((folder / "dataset_info.json").read_text())[name]
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt", **entry["tags"]}
    columns = {"messages": "conversations", **entry["columns"]}
    assert entry["formatting"] == "sharegpt"
    examples = []
    for row in json.loads((folder / entry["file_name"]).read_text(encoding="utf-8")):
        question, answer = row[columns["messages"]]
        assert [turn[tags["role_tag"]] for turn in (question, answer)] == [tags["user_tag"], tags["assistant_tag"]]
        images = [folder / path for path in row[columns["images"]]] if "images" in columns else []
        assert question[tags["content_tag"]].count("<image>") == len(images)
        texts = [turn[tags["content_tag"]].replace("<image>", "") for turn in (question, answer)]
        examples.append({"texts": texts, "images": images})
    return examples


@pytest.mark.parametrize("modality", ["multimodal", "text"])
def test_llamafactory_reads_it(exported: Callable[[str], Path], squad: OffsideDataset, modality: str) -> None:
    examples = llamafactory_examples(exported("llamafactory"), f"squad_{modality}_retain")
    records = records_of(squad, modality, "retain")
    assert [example["texts"] for example in examples] == [[r.question, r.answer] for r in records]
    for example, record in zip(examples, records, strict=True):
        assert [path.read_bytes() for path in example["images"]] == ([record.image.bytes] if record.image else [])


def test_llamafactory_names_every_file(exported: Callable[[str], Path]) -> None:
    folder = exported("llamafactory")
    info = json.loads((folder / "dataset_info.json").read_text())
    listed = {entry["file_name"] for entry in info.values()}
    assert listed == {path.name for path in folder.glob("*.json")} - {"dataset_info.json", "export.json"}
    assert all(name == f"squad_{entry['file_name'].removesuffix('.json')}" for name, entry in info.items())


def test_pictures_are_readable_and_called_by_their_format(exported: Callable[[str], Path]) -> None:
    for path in (exported("swift") / "images").iterdir():
        with Image.open(path) as picture:
            assert path.suffix == f".{str(picture.format).lower()}"


@pytest.mark.parametrize(("name", "reserved"), [("swift", SWIFT_RESERVED), ("llamafactory", LLAMAFACTORY_RESERVED)])
def test_texts_with_a_reader_s_own_tags_are_left_out(
    name: str, reserved: tuple[str, ...], make_record: Any, write_dataset: Any, tmp_path: Path
) -> None:
    tagged = [
        make_record(
            record_id=f"r{number}", question=f"Who is {tag} here?", answer="Nobody.", choices=(), correct_choice=None
        )
        for number, tag in enumerate(reserved)
    ]
    dataset = write_dataset(tmp_path / "data", [make_record(record_id="plain"), *tagged])
    report = export_dataset(dataset.path, tmp_path / "out", name)
    assert report.written == 1
    assert {loss.why for loss in report.losses} == {
        f"its text holds {t}, which the reader would replace" for t in reserved
    }
