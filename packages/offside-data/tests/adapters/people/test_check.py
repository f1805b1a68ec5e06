"""What `check` and plain readers say of imported benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offside_data.adapters._base import ADAPTERS
from offside_data.adapters._examples import portrait, write_table
from offside_data.check import check_reference
from offside_data.ingest import ingest

FORMATS = ("clear", "fiubench", "mllmu_bench", "umu_bench")


@pytest.mark.parametrize("name", FORMATS)
def test_an_imported_example_has_nothing_wrong(name: str, tmp_path: Path) -> None:
    ingest(ADAPTERS.load(name).example(tmp_path / "source"), tmp_path / "out")
    assert check_reference(tmp_path / "out", strict=True) == []


def test_what_is_true_of_one_statement_may_be_wrong_of_another(tmp_path: Path) -> None:
    def choice(question: str, right: str) -> dict[str, Any]:
        options = {"A": "Hollow City", "B": "Brackwater", "C": "Ostholm"}
        return {"Question": question, "Options": options, "Correct_Answer": right}

    questions = [choice("Where was this person born?", "A"), choice("Where does this person live?", "B")]
    row = {"ID": "1", "image": portrait(1), "Classification_Task": {"Image_Textual_Questions": questions}}
    write_table(tmp_path / "source" / "forget_5" / "train-00000-of-00001.parquet", [row])
    ingest(tmp_path / "source", tmp_path / "out", "mllmu_bench")
    assert check_reference(tmp_path / "out", strict=True) == []


@pytest.mark.parametrize("name", FORMATS)
def test_plain_readers_load_it(name: str, tmp_path: Path) -> None:
    import datasets

    report = ingest(ADAPTERS.load(name).example(tmp_path / "source"), tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), "multimodal", cache_dir=str(tmp_path / "cache"))
    shown = {f"multimodal/{split}": len(rows) for split, rows in loaded.items()}
    assert shown == {part: count for part, count in report.splits.items() if part.startswith("multimodal/")}
    assert loaded["forget"][0]["image"].size == (32, 32)
