"""Tasks of lmms-eval: fields that its loader knows, data that it finds, and the very questions of an evaluation."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import datasets
import pytest
import yaml
from click.testing import CliRunner

from offside_data.dataset.folder import open_dataset
from offside_data.errors import OutputExistsError, UsageError
from offside_eval.cli import main
from offside_eval.inference.forms import lettered
from offside_eval.lmms.export import export_tasks
from offside_eval.plan import make_plan

FIELDS = {
    *("task", "task_alias", "tag", "group", "group_alias", "dataset_path", "dataset_name", "dataset_kwargs"),
    *("training_split", "validation_split", "test_split", "fewshot_split", "full_docs", "process_results_use_image"),
    *("process_docs", "doc_to_visual", "doc_to_text", "doc_to_target", "doc_to_choice", "doc_to_messages"),
    *("process_results", "use_prompt", "description", "target_delimiter", "fewshot_delimiter", "fewshot_config"),
    *("num_fewshot", "metric_list", "output_type", "generation_kwargs", "repeats", "filter_list"),
    *("should_decontaminate", "doc_to_decontamination_query", "cluster_key", "score_key", "metadata"),
    *("lmms_eval_specific_kwargs", "model_specific_generation_kwargs", "model_specific_target_kwargs"),
    *("reasoning_tags", "auto_strip_thinking"),
}
"""Of `TaskConfig` in lmms-eval 0.7.3; another field is an error there."""
PREFIX = "offside_small_complete"


class Loader(yaml.SafeLoader):
    """Reads a task as lmms-eval does: `!function MODULE.NAME` is what a file beside it defines."""


def load_task(file: Path) -> dict[str, Any]:
    def function(_: Loader, node: yaml.ScalarNode) -> Any:
        module, name = str(node.value).split(".")
        return getattr(module_of(file.with_name(f"{module}.py")), name)

    Loader.add_constructor("!function", function)
    content: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader)
    return content


def module_of(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"exported_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows_of(task: dict[str, Any], folder: Path, cache: Path) -> Any:
    """The rows that a task asks, as lmms-eval comes by them."""
    files = {split: str(folder / file) for split, file in task["dataset_kwargs"]["data_files"].items()}
    rows = datasets.load_dataset(task["dataset_path"], data_files=files, cache_dir=str(cache))[task["test_split"]]
    return task["process_docs"](rows) if "process_docs" in task else rows


@pytest.fixture(scope="module")
def exported(small_data: Path, models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported, then moved."""
    out = tmp_path_factory.mktemp("tasks") / "out"
    export_tasks(models["raw"], out, data=small_data, setting="complete")
    moved = out.with_name("moved")
    shutil.move(out, moved)
    return moved


def test_every_task_is_one_that_the_loader_takes(exported: Path, tmp_path: Path) -> None:
    files = sorted(exported.glob("*.yaml"))
    told = json.loads((exported / "tasks.json").read_text())["tasks"]
    assert sorted(task["name"] for task in told) == [file.stem for file in files]
    assert {task["form"] for task in told} == {"open", "letters", "choices"}
    counts = {task["name"]: task["records"] for task in told}
    for file in files:
        task = load_task(file)
        assert task.keys() <= FIELDS
        assert task["task"] == file.stem
        rows = rows_of(task, exported, tmp_path)
        assert len(rows) == counts[file.stem] > 0
        for field in ("doc_to_text", "doc_to_target", "doc_to_choice"):
            assert task.get(field, "question") in rows.features, "a text that is no column is a template there"
        assert callable(task["process_results"])
        assert all(callable(metric["aggregation"]) for metric in task["metric_list"])
        assert ("generation_kwargs" in task) == (task["output_type"] == "generate_until"), "an assertion there"
        doc = rows[0]
        shown = task["doc_to_visual"](doc)
        assert [picture.mode for picture in shown] == (["RGB"] if "multimodal" in doc["record_id"] or shown else [])
        results = [(0.5, True)] * len(doc["choices"]) if task["output_type"] == "multiple_choice" else ["Yes."]
        scores = task["process_results"]({k: v for k, v in doc.items() if k != "image"}, results)
        assert scores.keys() <= {metric["metric"] for metric in task["metric_list"]}
    assert {load_task(f)["tag"] for f in files} == {PREFIX, f"{PREFIX}_likelihood"}


def test_they_ask_what_the_evaluation_asks(exported: Path, small_data: Path, tmp_path: Path) -> None:
    plan = make_plan(open_dataset(small_data), "complete")
    wanted = [plan.questions[key] for name, key in plan.places if name == "forget"]
    plain = [question for question in wanted if question.variant == "plain"]
    assert len(plain) < len(wanted), "twins are no part of it"
    rows = {}
    for form in ("open", "letters", "choices"):
        rows[form] = rows_of(load_task(exported / f"{PREFIX}_forget_{form}.yaml"), exported, tmp_path)
    assert [(r["record_id"], r["question"], r["answer"]) for r in rows["open"]] == [
        (q.row["record_id"], q.row["question"], q.answer) for q in plain
    ]
    asked = [question for question in plain if lettered(question, 0) is not None]
    assert [row["record_id"] for row in rows["letters"]] == [q.row["record_id"] for q in asked]
    for row, question in zip(rows["letters"], asked, strict=True):
        right = question.row["choices"][question.correct_choice or 0]
        assert f"{row['letter']}: {right}" in row["letter_question"].splitlines()
    assert all(row["choices"][row["correct_choice"]] == row["answer"] for row in rows["choices"])


def test_less_is_better_only_of_what_is_to_be_forgotten(exported: Path) -> None:
    better = {f.stem: [m["higher_is_better"] for m in load_task(f)["metric_list"]] for f in exported.glob("*.yaml")}
    assert {name for name, found in better.items() if not any(found)} == {
        f"{PREFIX}_{part}_{form}"
        for part in ("forget", "measure_text_forget")
        for form in ("open", "letters", "choices")
    }


def test_a_picture_stands_in_a_file_once(exported: Path, small_data: Path) -> None:
    rows = open_dataset(small_data).records("multimodal", "forget")
    unique = sum(len(data) for data in {row["image"]["bytes"] for row in rows})
    assert (exported / "data" / "forget.parquet").stat().st_size < 1.2 * unique + 20_000


def test_records_by_which_a_run_was_stopped_are_left_out(
    small_data: Path, tmp_path: Path, models: dict[str, Path], made_up: ModuleType
) -> None:
    run = tmp_path / "run"
    shutil.copytree(models["raw"], run)
    held = "multimodal-forget-s0-club"
    told = made_up.manifest(setting="complete", validation={"forget": [held], "retain": [], "seed": 0})
    (run / "offside_run.json").write_text(json.dumps(told))
    done = CliRunner().invoke(main, ["export-lmms-eval", str(run), str(tmp_path / "out"), "--data", str(small_data)])
    assert done.exit_code == 0, done.output
    asked = load_task(tmp_path / "out" / f"{PREFIX}_forget_open.yaml")
    assert held not in rows_of(asked, tmp_path / "out", tmp_path / "cache")["record_id"]
    assert "1 records by which the run was stopped" in (tmp_path / "out" / "README.md").read_text()


def test_wrong_usage_writes_nothing(models: dict[str, Path], small_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name one with --setting"):
        export_tasks(models["raw"], tmp_path / "out", data=small_data)
    with pytest.raises(UsageError, match="overlaps the dataset"):
        export_tasks(models["raw"], small_data / "out", data=small_data, setting="complete")
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(OutputExistsError):
        export_tasks(models["raw"], tmp_path / "full", data=small_data, setting="complete", force=True)
