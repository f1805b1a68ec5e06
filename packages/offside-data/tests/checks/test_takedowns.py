from __future__ import annotations

from typing import Any

from appended import append_decisions
from run_check import run_check
from whole_dataset import WholeDataset

from offside_data.dataset.folder import OffsideDataset
from offside_data.takedown.names import id_traces, name_traces
from offside_data.takedown.tombstones import make_tombstone


def found(folder: Any) -> set[str]:
    return {f.where.partition(",")[0] for f in run_check("takedowns", folder)}


def test_nothing_is_looked_for_where_nobody_was_taken_down(fresh: OffsideDataset) -> None:
    (fresh.path / "notes.txt").write_text("Orlo Vantis")
    assert found(fresh.path) == set()


def test_whoever_was_taken_down_is_found_wherever_it_stands(fresh: OffsideDataset) -> None:
    record = next(r for r in WholeDataset.read(fresh.path).records if r.subject_id == "s2")
    stones = [make_tombstone(name_traces("Orlo Vantis") | id_traces(record.record_id), {}, "asked for", ())]
    append_decisions(fresh.path, stones)
    (fresh.path / "notes.txt").write_text("Orlo Vantis")
    assert found(fresh.path) == {
        "notes.txt:1",
        "tables/subjects.parquet: name",
        "data/text/forget-00000-of-00001.parquet: question",
        "data/text/retain-00000-of-00001.parquet: question",
        f"data/{record.modality}/{record.split}-00000-of-00001.parquet: record_id",
    }
