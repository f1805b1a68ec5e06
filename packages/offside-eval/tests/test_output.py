from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from offside_data.errors import OutputExistsError
from offside_eval.meta import EvaluationMeta
from offside_eval.output import PROGRESS, OutputFolder


@pytest.fixture
def meta(made_up: ModuleType) -> EvaluationMeta:
    found: EvaluationMeta = made_up.meta_of("a", "unlearned", "complete", run=None, only=["x"])
    return found


def test_a_moved_model_is_the_same_evaluation(meta: EvaluationMeta, tmp_path: Path) -> None:
    OutputFolder(tmp_path / "out", meta).begin()
    OutputFolder(tmp_path / "out", replace(meta, model=replace(meta.model, path="b")))
    with pytest.raises(OutputExistsError, match='setting: "complete" -> "selective"'):
        OutputFolder(tmp_path / "out", replace(meta, setting="selective"))


def test_a_kill_before_the_beginning_leaves_the_folder_free(meta: EvaluationMeta, tmp_path: Path) -> None:
    (tmp_path / PROGRESS).mkdir()
    (tmp_path / PROGRESS / ".evaluation.json.1.partial").write_text("{")
    OutputFolder(tmp_path, meta).begin()
    assert [p.name for p in (tmp_path / PROGRESS).iterdir()] == ["evaluation.json"]


def test_what_others_keep_there_is_not_touched(meta: EvaluationMeta, tmp_path: Path) -> None:
    (tmp_path / PROGRESS).mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="something else"):
        OutputFolder(tmp_path, meta)
    assert (tmp_path / PROGRESS).exists()
    with pytest.raises(OutputExistsError, match="is a file"):
        OutputFolder(tmp_path / "notes.txt", meta, force=True).begin()
    assert (tmp_path / "notes.txt").read_text() == "mine"
