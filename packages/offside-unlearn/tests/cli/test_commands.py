"""The commands: thin, with clear errors, exit codes and nothing half-written."""

from __future__ import annotations

import ast
import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import offside_unlearn.cli
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.run_manifest import RunManifest
from offside_unlearn import Run, RunOptions, finetune, make_tiny, merge, relearn, unlearn
from offside_unlearn.cli import main
from offside_unlearn.cli._common import print_run

QUICK = ["--set", "max_steps=1", "--set", "batch_size=2", "--device", "cpu"]


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def test_the_whole_line(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    data = ["--data", league.path]
    made = call("tiny", tmp_path / "tiny", *data)
    assert made.exit_code == 0
    learn = ["--model", tmp_path / "tiny", *data, "--full", "--splits", "retain,forget", *QUICK]
    vanilla = call("finetune", tmp_path / "van", *learn)
    assert vanilla.exit_code == 0, vanilla.stderr
    assert "vanilla model of small (vanilla)" in vanilla.stdout
    config = tmp_path / "config.yaml"
    config.write_text("beta: 0.5\nlr: 1e-4\nmax_steps: 3\n")
    run = call(
        "run", "npo", tmp_path / "npo", "--model", tmp_path / "van", *data, "--setting", "selective",
        "--only", "subject=s1", "--tune", "all", "--config", config, *QUICK, "--json",
    )  # fmt: skip
    assert run.exit_code == 0, run.stderr
    manifest = json.loads(run.stdout)["manifest"]
    assert manifest == json.loads((tmp_path / "npo" / "offside_run.json").read_text())
    assert manifest["config"]["beta"] == 0.5
    assert manifest["config"]["max_steps"] == 1
    assert len(manifest["forget"]["record_ids"]) == 1
    relearnt = call("relearn", tmp_path / "re", "--model", tmp_path / "npo", *data, "--curve-steps", "0,1", *QUICK)
    assert relearnt.exit_code == 0, relearnt.stderr
    assert (tmp_path / "re" / "curve" / "step-000001" / "offside_run.json").is_file()
    further = call("relearn", tmp_path / "re2", "--model", tmp_path / "re", *data, "--point", "1", *QUICK, "--json")
    assert further.exit_code == 0, further.stderr
    parent = json.loads(further.stdout)["manifest"]["parents"][-1]
    assert parent["path"] == str(tmp_path / "re" / "curve" / "step-000001")
    merged = call("merge", tmp_path / "re", tmp_path / "merged", "--json")
    assert merged.exit_code == 0, merged.stderr
    assert json.loads(merged.stdout)["manifest"]["merged_from"]["path"] == str(tmp_path / "re")


def test_a_run_a_seed(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    where = ["--model", tiny, "--data", league.path, "--setting", "complete", "--curve-steps", "1"]
    done = call("run", "grad_ascent", tmp_path / "out", *where, "--seeds", "3,1", *QUICK, "--json")
    assert done.exit_code == 0, done.stderr
    runs = json.loads(done.stdout)
    assert [Path(run["path"]).name for run in runs] == ["seed-3", "seed-1"]
    assert [run["manifest"]["seeds"]["seed"] for run in runs] == [3, 1]
    assert [run["manifest"]["curve"] for run in runs] == [[1], [1]]
    again = call("run", "grad_ascent", tmp_path / "out", *where, "--seeds", "3,1", *QUICK)
    assert [line.partition(":")[0] for line in again.stdout.splitlines()] == [run["path"] for run in runs]
    assert again.stderr.count("finished already") == 2


def test_a_plan_reads_well_at_80_columns(tiny: Path, league: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    where = ["--model", tiny, "--data", league.path, "--setting", "complete"]
    for method in ("npo", "rmu"):
        shown = call("plan", method, *where)
        assert shown.exit_code == 0, shown.stderr
        assert max(map(len, shown.stdout.splitlines())) <= 80
        for said in (f"{method}, complete", "tokens p50/p95/max", "language", "optimizer", "together"):
            assert said in shown.stdout
    planned = json.loads(call("plan", "npo", *where, "--json").stdout)
    assert planned["memory_total"] == pytest.approx(sum(planned["memory"].values()))
    refused = call("plan", "npo", *where, "--set", "bete=1")
    assert (refused.exit_code, "Did you mean 'beta'" in refused.stderr) == (2, True)


def test_an_attack_is_a_run_a_rate(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    where = ["relearn", tmp_path / "out", "--model", tiny, "--data", league.path, "--device", "cpu"]
    quick = ["--set", "batch_size=2", "--rates", "1e-3,3e-3", "--steps", "0,1"]
    done = call(*where, "--attack", "direct-subject", "--setting", "selective", *quick, "--json")
    assert done.exit_code == 0, done.stderr
    runs = json.loads(done.stdout)
    assert [Path(run["path"]).name for run in runs] == ["rate-0.001", "rate-0.003"]
    assert [run["manifest"]["attack"] for run in runs] == ["direct_subject"] * 2
    for more, message in (
        (["--rates", "1e-3"], "--rates: for an attack only"),
        (["--attack", "benign", "--rates", "fast"], "--rates takes learning rates"),
        (["--attack", "benign", "--steps", "few"], "--steps takes numbers of steps"),
        (["--attack", "benign", "--curve-steps", "1"], "an attack takes --steps instead"),
        (["--attack", "benin"], "Did you mean 'benign'"),
    ):
        refused = call(*where, *more)
        assert refused.exit_code == 2, refused.stderr
        assert message in " ".join(refused.stderr.split())


def test_several_runs_do_not_come_into_a_run(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    where = ["--model", tiny, "--data", league.path, "--setting", "complete"]
    out = tmp_path / "out"
    assert call("run", "grad_ascent", out, *where, *QUICK).exit_code == 0
    before = sorted(path.name for path in out.iterdir())
    for command in (
        ["run", "grad_ascent", out, *where, *QUICK, "--seeds", "0,1"],
        ["relearn", out, *where, "--attack", "benign", "--rates", "1e-3", "--steps", "1", "--force", "--device", "cpu"],
    ):
        refused = call(*command)
        assert refused.exit_code == 2, refused.stderr
        assert "is a run itself" in " ".join(refused.stderr.split())
    assert sorted(path.name for path in out.iterdir()) == before


def test_every_loss_term_is_shown_whatever_its_name(
    tiny: Path, league: OffsideDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = unlearn("npo", tiny, None, league, "complete", {"max_steps": 1}, tmp_path / "npo", RunOptions(device="cpu"))
    content = run.manifest.to_json()
    content["loss_history"][-1]["margin"] = 0.25
    print_run(Run(run.path, RunManifest.from_json(content, run.path)), as_json=False)
    shown = capsys.readouterr().out
    for term in ("loss ", "forget_npo ", "forget_log_ratio ", "retain_ce ", "margin 0.25"):
        assert f", {term}" in shown
    assert "learning_rate" not in shown


@pytest.mark.parametrize(
    ("work", "arguments"),
    [
        (finetune, ["finetune", "out", "--model", "m", "--data", "d"]),
        (relearn, ["relearn", "out", "--model", "m", "--data", "d"]),
        (unlearn, ["run", "npo", "out", "--model", "m", "--data", "d", "--setting", "complete"]),
        (merge, ["merge", "run", "out"]),
        (make_tiny, ["tiny", "out", "--data", "d"]),
    ],
)
def test_defaults_are_those_of_the_python_functions(
    work: Callable[..., Run], arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, Any]] = []

    def note(*args: Any, **kwargs: Any) -> Run:
        calls.append(inspect.signature(work).bind(*args, **kwargs).arguments)
        raise UsageError("that is all")

    monkeypatch.setattr(f"{work.__module__}.{work.__name__}", note)
    assert call(*arguments).exit_code == 2
    defaults = {name: parameter.default for name, parameter in inspect.signature(work).parameters.items()}
    for name, value in calls[0].items():
        default = RunOptions() if name == "options" else defaults[name]
        if default is not inspect.Parameter.empty:
            assert (tuple(value) if isinstance(value, list) else value) == default, name


def test_no_command_states_a_default_of_its_own() -> None:
    stated = [
        f"{file.name}:{call.lineno} {keyword.value.value!r}"
        for file in Path(offside_unlearn.cli.__file__).parent.glob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "click.option"
        for keyword in call.keywords
        if keyword.arg == "default"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value not in (None, "")
    ]
    assert stated == []


def test_methods_lists_names_summaries_and_papers() -> None:
    rows = json.loads(call("methods", "--json").stdout)
    assert {"grad_ascent", "grad_diff", "kl_min", "npo", "po"} <= {row["name"] for row in rows}
    assert all(row["summary"] and row["paper"]["url"].startswith("https://") for row in rows)
    assert next(row for row in rows if row["name"] == "npo")["options"]["beta"] == 0.1
    assert {row["name"] for row in rows if row["kind"] == "wrapper"} >= {"layered", "sam", "undo"}


def test_methods_read_well_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = json.loads(call("methods", "--json").stdout)
    shown = call("methods").stdout
    assert max(map(len, shown.splitlines())) <= 80
    for row in rows:
        whole = [
            row["name"],
            *row["summary"].split(),
            row["paper"]["url"],
            *(word for k, v in row["options"].items() for word in f"{k}={v}".split()),
        ]
        assert set(whole) <= set(shown.split()), "no word is broken"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--setting", "complet"], 2, "Did you mean 'complete'"),
        (["--setting", "visual-rumor"], 2, "doesn't offer the setting"),
        (["--setting", "complete", "--only", "subject=nobody"], 2, "'nobody'"),
        (["--setting", "complete", "--set", "alpha=1"], 2, "unknown option 'alpha'"),
        (["--setting", "complete", "--set", "alpha"], 2, "--set takes key=value"),
        (["--setting", "complete", "--config", "nowhere.yaml"], 2, "no such config file"),
        (["--setting", "complete", "--set", "max_length=30"], 1, "more than max_length=30"),
        (["--setting", "complete", "--tune", "nowhere"], 2, "matches no module"),
        (["--setting", "complete", "--full", "--dtype", "float16"], 2, "bfloat16 or float32"),
        (["--setting", "complete", "--curve-steps", "a"], 2, "--curve-steps takes numbers of steps"),
        (["--setting", "complete", "--curve-steps", "1", "--until", "forgetting=2"], 2, "takes forgetting=LEVEL"),
        (["--setting", "complete", "--until", "forgetting=0.9"], 2, "give them with --curve-steps"),
        (["--setting", "complete", "--seeds", "0,0"], 2, "each once"),
        (["--setting", "complete", "--seed", "1", "--seeds", "0"], 2, "give one of them"),
    ],
)  # fmt: skip
def test_mistakes_have_an_exit_code_and_no_traceback(
    arguments: list[str], code: int, message: str, tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["run", "grad_ascent", out, "--model", tiny, "--data", league.path, *QUICK[:4], *arguments]
    result = call(*command, *QUICK[4:])
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == [], "nothing half-written stays behind"


def test_models_that_cannot_be_used_are_named(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny, bare)
    (bare / "processor_config.json").unlink()
    rest = ["--data", league.path, "--setting", "complete", *QUICK]
    result = call("run", "npo", tmp_path / "out", "--model", bare, *rest)
    assert result.exit_code == 1
    assert "no processor in this folder" in result.stderr
    result = call("run", "npo", tmp_path / "out", "--model", tmp_path / "nowhere", *rest)
    assert result.exit_code == 1
    assert "no such model folder" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_output_folder_of_somebody_else_is_left_alone(tiny: Path, league: OffsideDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    rest = ["--model", tiny, "--data", league.path, "--setting", "complete", *QUICK]
    for force in ([], ["--force"]):
        result = call("run", "grad_ascent", out, *rest, *force)
        assert result.exit_code == 2
        assert "already holds something else (thesis.tex), and nothing in it is ours to replace" in result.stderr
        assert [path.name for path in out.iterdir()] == ["thesis.tex"]
