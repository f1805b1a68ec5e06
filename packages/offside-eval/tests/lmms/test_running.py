"""Tasks of lmms-eval on a model of ours: really run where it is installed, else a message that says what to do."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from offside_eval import EvaluationConfig, evaluate
from offside_eval import lmms as ways
from offside_eval.cli import main
from offside_eval.lmms.export import export_tasks

needs_lmms_eval = pytest.mark.skipif(importlib.util.find_spec("lmms_eval") is None, reason="needs lmms-eval")


def test_without_the_package_it_says_what_to_install(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["run-lmms-eval", str(tmp_path / "out"), "--model", str(models["raw"]), "--tasks", "mmbench_en_dev"]

    def absent(_: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    for version, message in (
        (absent, "isn't installed: pip install lmms-eval=="),
        (lambda _: "0.2.1", "0.2.1 is inst"),
    ):
        monkeypatch.setattr(ways, "version", version)
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 2
        assert message in done.stderr
        assert not (tmp_path / "out").exists()


def plain(text: str) -> str:
    return text.strip().rstrip(".").casefold()


@needs_lmms_eval
@pytest.mark.filterwarnings("ignore")
def test_exported_tasks_run_and_give_what_an_evaluation_gives(
    models: dict[str, Path], small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tasks = export_tasks(models["trained"], tmp_path / "tasks", data=small_data, setting="complete")
    group = "offside_small_complete"
    command = ["run-lmms-eval", "out", "--model", str(models["trained"]), "--include", "tasks", "--device", "cpu"]
    done = CliRunner().invoke(main, [*command, "--tasks", f"{group},{group}_likelihood", "--json"])
    assert done.exit_code == 0, done.output
    scores = {(s["task"], s["metric"]): s for s in json.loads(done.stdout)["scores"]}
    assert {task for task, _ in scores} == {task.name for task in tasks}
    assert all(scores[key]["n"] == task.records for task in tasks for key in scores if key[0] == task.name)
    samples = [json.loads(line) for line in (tmp_path / "out/samples.jsonl").read_text().splitlines()]
    metrics = ("value_match", "choice_accuracy")
    config = EvaluationConfig(device="cpu", metrics=metrics)
    ours = evaluate(models["trained"], None, small_data, "complete", config=config).samples
    for part, name in (("forget", "forget"), ("keep_multimodal_retain", "keep:multimodal/retain")):
        rows = {r["record_id"]: r for r in ours.iter_rows(named=True) if r["slice"] == name and r["variant"] == "plain"}
        told = [s for s in samples if s["task"] == f"{group}_{part}_open"]
        said = {s["doc"]["record_id"]: s["filtered_resps"][0] for s in told}
        assert said == {i: r["prediction"] for i, r in rows.items()}
        same = [plain(r["prediction"]) == plain(r["answer"]) for r in rows.values()]
        assert scores[f"{group}_{part}_open", "same_answer"]["value"] == pytest.approx(sum(same) / len(same))
        assert 0 < sum(same) < len(same)
        chosen = [r["choice_accuracy"] for r in rows.values() if r["choice_accuracy"] is not None]
        assert scores[f"{group}_{part}_choices", "right_choice"]["value"] == pytest.approx(sum(chosen) / len(chosen))
        assert 0 < sum(chosen) < len(chosen)
    assert scores[f"{group}_forget_open", "same_answer"]["higher_is_better"] is False
    again = CliRunner().invoke(main, [*command, "--tasks", group])
    assert again.exit_code == 2
    assert "already holds" in again.stderr


@needs_lmms_eval
@pytest.mark.filterwarnings("ignore")
def test_a_task_without_its_data_or_unknown_is_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    content = "task: elsewhere\ndataset_path: made-up/nowhere\ntest_split: test\noutput_type: generate_until\n"
    (tmp_path / "tasks" / "elsewhere.yaml").write_text(content)
    (tmp_path / "model").mkdir()
    command = ["run-lmms-eval", str(tmp_path / "out"), "--model", str(tmp_path / "model"), "--include"]
    done = CliRunner().invoke(main, [*command, str(tmp_path / "tasks"), "--tasks", "elsewhere"])
    assert done.exit_code == 2
    assert "nothing is downloaded unless asked" in done.stderr
    assert "elsewhere: made-up/nowhere" in done.stderr
    assert "hf download --repo-type dataset made-up/nowhere" in done.stderr
    assert not (tmp_path / "out").exists()
