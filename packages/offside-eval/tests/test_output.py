from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
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


def test_two_at_once_are_refused(meta: EvaluationMeta, tmp_path: Path) -> None:
    """By another process; one that begins in the same moment sees a free folder as well."""
    first, second = (OutputFolder(tmp_path / "out", meta) for _ in range(2))
    forced = OutputFolder(tmp_path / "out", replace(meta, setting="selective"), force=True)
    with first.alone():
        first.begin()
        (tmp_path / "out" / PROGRESS / "answering-000000.json").write_text("[]")
        for other in (second, forced, OutputFolder(tmp_path / "out", meta)):
            with ThreadPoolExecutor(1) as elsewhere, pytest.raises(OutputExistsError, match="another process"):
                elsewhere.submit(other.alone().__enter__).result()
        assert (tmp_path / "out" / PROGRESS / "answering-000000.json").exists()
    other = OutputFolder(tmp_path / "out", meta)
    with other.alone():
        assert other.finished() is None


def test_what_another_one_made_meanwhile_is_looked_at_again(meta: EvaluationMeta, tmp_path: Path) -> None:
    late = OutputFolder(tmp_path / "out", replace(meta, setting="selective"))
    with (first := OutputFolder(tmp_path / "out", meta)).alone():
        first.begin()
    with pytest.raises(OutputExistsError, match="setting"), late.alone():
        pass


def test_a_kill_while_the_folder_is_held_leaves_it_free(meta: EvaluationMeta, tmp_path: Path) -> None:
    progress = tmp_path / "out" / PROGRESS
    progress.mkdir(parents=True)
    for name in ("lock", "lock.json", "answering-000000.json"):
        (progress / name).write_text("")
    with (output := OutputFolder(tmp_path / "out", meta)).alone():
        output.begin()
        assert sorted(path.name for path in progress.iterdir()) == ["evaluation.json", "lock", "lock.json"]
    assert [path.name for path in progress.iterdir()] == ["evaluation.json"]


def test_what_others_keep_there_is_not_touched(meta: EvaluationMeta, tmp_path: Path) -> None:
    (tmp_path / PROGRESS).mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="something else"):
        OutputFolder(tmp_path, meta)
    assert (tmp_path / PROGRESS).exists()
    with pytest.raises(OutputExistsError, match="is a file"):
        OutputFolder(tmp_path / "notes.txt", meta, force=True).begin()
    with pytest.raises(OutputExistsError, match=r"\.progress, notes\.txt.*nothing in it is ours"):
        OutputFolder(tmp_path, meta, force=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_force_replaces_the_evaluation_and_nothing_beside_it(meta: EvaluationMeta, tmp_path: Path) -> None:
    OutputFolder(tmp_path, meta).begin()
    for name in ("notes.txt", ".progress/mine.txt"):
        (tmp_path / name).write_text("mine")
    (tmp_path / PROGRESS / "generation-000001.json").write_text("[]")
    for name in ("samples.parquet", "corrections.jsonl"):
        (tmp_path / name).write_text("old")
    OutputFolder(tmp_path, replace(meta, setting="selective"), force=True).begin()
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == [".progress/evaluation.json", ".progress/mine.txt", "notes.txt"]


def test_a_folder_of_progress_that_is_somebody_elses_stays(meta: EvaluationMeta, tmp_path: Path) -> None:
    (tmp_path / PROGRESS).mkdir()
    (tmp_path / PROGRESS / "diary.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="already holds something else"):
        OutputFolder(tmp_path, meta)
    assert (tmp_path / PROGRESS / "diary.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "names", [["results.json"], ["results.json", "timing.json", "samples.parquet"], ["timing.json"]]
)
def test_files_of_others_that_are_called_like_ours_stay(meta: EvaluationMeta, tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("{}")
    for force in (False, True):
        with pytest.raises(OutputExistsError, match="nothing in it is ours"):
            OutputFolder(tmp_path, meta, force=force)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_an_interrupted_replacement_goes_on(meta: EvaluationMeta, tmp_path: Path) -> None:
    """A study whose plan has changed replaces what it had with `--force`, and is killed meanwhile."""
    changed = replace(meta, setting="selective")
    OutputFolder(tmp_path / "out", meta).begin()
    OutputFolder(tmp_path / "out", changed, force=True).begin()
    batch = tmp_path / "out" / PROGRESS / "answering-000000.json"
    batch.write_text("[]")
    (tmp_path / "out" / "results.json").write_text(json.dumps(meta.to_json()))  # Killed before it was taken away.
    OutputFolder(tmp_path / "out", changed, force=True).begin()
    assert batch.exists()
    assert not (tmp_path / "out" / "results.json").exists()
    OutputFolder(tmp_path / "out", meta, force=True).begin()
    assert not batch.exists()
