from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offside_data.errors import OutputExistsError
from offside_eval.output import PROGRESS, Output

META: dict[str, Any] = {
    "model": {"path": "a", "digest": "d", "run": None},
    "setting": "complete",
    "only": ("x",),
}


def test_a_moved_model_is_the_same_evaluation(tmp_path: Path) -> None:
    Output(tmp_path / "out", META).begin()
    Output(tmp_path / "out", META | {"model": META["model"] | {"path": "b"}})
    with pytest.raises(OutputExistsError, match='setting: "complete" -> "selective"'):
        Output(tmp_path / "out", META | {"setting": "selective"})


def test_a_kill_before_the_beginning_leaves_the_folder_free(tmp_path: Path) -> None:
    (tmp_path / PROGRESS).mkdir()
    (tmp_path / PROGRESS / ".evaluation.json.1.partial").write_text("{")
    Output(tmp_path, META).begin()
    assert [p.name for p in (tmp_path / PROGRESS).iterdir()] == ["evaluation.json"]


def test_what_others_keep_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / PROGRESS).mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="something else"):
        Output(tmp_path, META)
    assert (tmp_path / PROGRESS).exists()
    with pytest.raises(OutputExistsError, match="is a file"):
        Output(tmp_path / "notes.txt", META, force=True).begin()
    assert (tmp_path / "notes.txt").read_text() == "mine"
