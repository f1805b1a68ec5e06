"""MLLMU-Bench: the published columns to the letter, read as its evaluator reads them, and the way back."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from whole_dataset import WholeDataset

from offside_data.dataset.folder import OffsideDataset
from offside_data.export import export_dataset
from offside_data.ingest import ingest
from offside_data.schema import Record

COLUMNS = ["ID", "biography", "question", "answer", "Classification_Task", "Generation_Task", "Mask_Task"]


def table(folder: Path, config: str) -> pd.DataFrame:
    """A config as the published scripts read it."""
    return pd.read_parquet(folder / config / "train-00000-of-00001.parquet")


def test_configs_and_columns(exported: Callable[[str], Path]) -> None:
    folder = exported("mllmu_bench")
    found = {
        p.parent.relative_to(folder).as_posix(): list(pd.read_parquet(p).columns) for p in folder.rglob("*.parquet")
    }
    assert found == {
        "Full_Set": ["image", "ID", "Directory", *COLUMNS[1:]],
        "Retain_Set": ["image", *COLUMNS],
        "Test_Set": ["images", *COLUMNS],
        "forget_25": ["image", *COLUMNS],
        "retain_75": ["image", *COLUMNS],
        "ft_Data": ["image", "metadata"],
        "baseline_train_split/forget_25": ["image", "ID", "metadata"],
        "baseline_train_split/retain_75": ["image", "ID", "metadata"],
    }


def test_nested_structs_have_the_published_keys_in_order(exported: Callable[[str], Path]) -> None:
    schema = pq.read_schema(exported("mllmu_bench") / "forget_25" / "train-00000-of-00001.parquet")
    tasks = schema.field("Classification_Task").type
    assert [tasks.field(i).name for i in range(tasks.num_fields)] == ["Image_Textual_Questions", "Pure_Text_Questions"]
    choice = tasks.field(0).type.value_type
    assert [choice.field(i).name for i in range(choice.num_fields)] == ["Correct_Answer", "Options", "Question"]
    options = choice.field("Options").type
    assert [options.field(i).name for i in range(options.num_fields)] == ["A", "B", "C", "D"]
    for name in ("Generation_Task", "Mask_Task"):
        asked = schema.field(name).type.value_type
        assert [asked.field(i).name for i in range(asked.num_fields)] == ["Ground_Truth", "Question", "Type"]
    assert b"huggingface" in schema.metadata


def test_the_evaluator_s_steps(exported: Callable[[str], Path]) -> None:
    folder = exported("mllmu_bench")
    for _, row in table(folder, "forget_25").iterrows():
        assert Image.open(io.BytesIO(row["image"]["bytes"])).size == (32, 32)
        for question in row["Classification_Task"].get("Image_Textual_Questions", []):
            assert question["Correct_Answer"] in question["Options"]
            assert all(question["Options"][letter] for letter in "ABCD")
        for question in row["Mask_Task"]:
            blanked = question["Question"].replace("__", "[Blank]")
            assert blanked.count("[Blank]") == 1
            assert "_" not in blanked
            assert question["Ground_Truth"]
        assert {question["Type"] for question in row["Generation_Task"]} == {"Image_Textual", "Pure_Text"}
        assert json.loads(row["biography"])["Name"] in ("Orlo Vantis", "Bremi Kaldo", "Tavin Merrow")
    for _, row in table(folder, "Test_Set").iterrows():
        assert Image.open(io.BytesIO(row["images"][0]["bytes"])).size == (32, 32)


def test_a_row_says_what_its_records_say(exported: Callable[[str], Path], squad: OffsideDataset) -> None:
    row = table(exported("mllmu_bench"), "forget_25").iloc[0]
    records = [r for r in WholeDataset.read(squad.path).records if r.image_id == row["ID"] and r.split == "forget"]
    shown = [record for record in records if record.modality == "multimodal"]
    asked = [q for q in row["Generation_Task"] if q["Type"] == "Image_Textual"]
    assert [(q["Question"], q["Ground_Truth"]) for q in asked] == [(r.question, r.answer) for r in shown]
    assert (row["question"], row["answer"]) == (shown[0].question, shown[0].answer)
    name = next(q for q in row["Mask_Task"] if q["Question"] == "The player is __.")
    assert name == {"Ground_Truth": shown[0].value.text, "Question": "The player is __.", "Type": "Image_Textual"}
    text = next(q for q in row["Mask_Task"] if q["Type"] == "Pure_Text")
    first = next(record for record in records if record.modality == "text")
    assert text["Question"] == f"{first.question} The player will join __."  # Else it would name nobody.


def test_every_row_is_somebody_else(exported: Callable[[str], Path]) -> None:
    folder = exported("mllmu_bench")
    forget, retain, test = (table(folder, name)["ID"].tolist() for name in ("forget_25", "retain_75", "Test_Set"))
    assert len({*forget, *retain}) == len(forget) + len(retain) == 12
    assert table(folder, "Full_Set")["ID"].tolist() == retain + forget
    assert len(set(test)) == len(test) == 6
    assert len(set(test) & set(retain)) == 3  # The copies of retain pictures; the others are new.


def test_one_picture_a_subject_keeps_the_subject_s_name(
    records: list[Record], write_dataset: Any, tmp_path: Path
) -> None:
    kept = [
        r for r in records if r.split == ("forget" if r.subject_id == "s1" else "retain") and r.modality == "multimodal"
    ]
    export_dataset(write_dataset(tmp_path / "data", kept).path, tmp_path / "out", "mllmu_bench")
    assert table(tmp_path / "out", "forget_25")["ID"].tolist() == ["s1"]
    assert sorted(table(tmp_path / "out", "retain_75")["ID"]) == ["s2", "s3", "s4"]


def test_training_rows_ask_about_the_picture(exported: Callable[[str], Path], squad: OffsideDataset) -> None:
    folder = exported("mllmu_bench")
    asked = Counter(
        (pair["Question"], pair["Answer"])
        for metadata in table(folder, "ft_Data")["metadata"]
        for pair in json.loads(metadata)
    )
    records = WholeDataset.read(squad.path).records
    trained = [r for r in records if r.modality == "multimodal" and r.split in ("retain", "forget")]
    assert asked == Counter((record.question, record.answer) for record in trained)


def test_what_has_no_place_is_counted(exported: Callable[[str], Path]) -> None:
    report = json.loads((exported("mllmu_bench") / "export.json").read_text())
    whole = Counter(loss["why"] for loss in report["losses"] if loss["field"] is None)
    assert whole == {"the format has no split holdout": 3 * 14, "the format has no split relearn": 3 * (14 + 13 - 7)}
    choices = Counter(loss["why"] for loss in report["losses"] if loss["field"] == "choices")
    assert choices["the format has four options, not 2"] == 3
    assert choices["the format has four options, not 3"] == 3 * (3 + 1 + 2) + 3


def test_a_cloze_that_can_t_be_told_is_counted(make_record: Any, write_dataset: Any, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "none": {"cloze": "No blank at all."},
        "two": {"cloze": "From ____ to ____."},
        "unknown": {"cloze": "It is ____ there.", "value": None},
        "odd": {"cloze": "Their country is ____.", "answer": "Avaria it is."},
    }
    records = [make_record(record_id=name, **change) for name, change in changes.items()]
    report = export_dataset(write_dataset(tmp_path / "data", records).path, tmp_path / "out", "mllmu_bench")
    assert {loss.record_id for loss in report.losses if loss.field == "cloze"} == {"none", "two", "unknown"}
    (question,) = table(tmp_path / "out", "retain_99")["Mask_Task"].iloc[0]
    assert (question["Question"], question["Ground_Truth"]) == ("Their country is __.", "Avaria")


def test_a_question_that_is_a_cloze_is_asked_as_one_only(make_record: Any, write_dataset: Any, tmp_path: Path) -> None:
    cloze = make_record(question="The country is ____.", answer="The country is Avaria.", cloze="The country is ____.")
    export_dataset(write_dataset(tmp_path / "data", [cloze]).path, tmp_path / "out", "mllmu_bench")
    row = table(tmp_path / "out", "retain_99").iloc[0]
    assert len(row["Generation_Task"]) == 0
    assert [q["Question"] for q in row["Mask_Task"]] == ["The country is __."]


def test_text_without_a_picture_beside_it_is_left_out(
    records: list[Record], write_dataset: Any, tmp_path: Path
) -> None:
    kept = [r for r in records if not (r.subject_id == "s2" and r.modality == "multimodal")]
    report = export_dataset(write_dataset(tmp_path / "data", kept).path, tmp_path / "out", "mllmu_bench")
    lost = {loss.record_id for loss in report.losses if loss.why.startswith("text stands beside a picture")}
    assert lost == {r.record_id for r in records if r.subject_id == "s2" and r.modality == "text"}


def test_datasets_loads_the_configs(
    exported: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    for config in ("forget_25", "Test_Set", "ft_Data"):
        rows = datasets.load_dataset(str(exported("mllmu_bench")), config, split="train", cache_dir=str(tmp_path))
        picture = rows[0]["images"][0] if config == "Test_Set" else rows[0]["image"]
        assert picture.size == (32, 32)


def test_our_adapter_reads_it_back(exported: Callable[[str], Path], squad: OffsideDataset, tmp_path: Path) -> None:
    report = json.loads((exported("mllmu_bench") / "export.json").read_text())
    written = {record_id for ids in report["files"].values() for record_id in ids}
    records = [record for record in WholeDataset.read(squad.path).records if record.record_id in written]
    ingest(exported("mllmu_bench"), tmp_path / "back", "mllmu_bench")
    returned = WholeDataset.read(tmp_path / "back").records

    def said(record: Record) -> Any:
        return record.modality, record.split, record.question, record.answer, record.image and record.image.bytes

    assert Counter(map(said, records)) - Counter(map(said, returned)) == Counter()
    # The benchmark asks a cloze sentence as a question of its own.
    assert all("____" in r.question for r in returned if said(r) not in set(map(said, records)))
    four = {said(r): (r.choices, r.correct_choice) for r in records if len(r.choices) == 4}
    assert four.items() <= {said(r): (r.choices, r.correct_choice) for r in returned}.items()
