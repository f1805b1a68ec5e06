from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from offside_data.config import build
from offside_eval import config
from offside_eval.aggregate import Aggregate
from offside_eval.cli import main, run
from offside_eval.cli.run import curve_summary, kinds, summary
from offside_eval.config import EvaluationConfig
from offside_eval.results import Results

CONFIG_FIELDS = dataclasses.fields(EvaluationConfig)


@pytest.fixture
def command(models: dict[str, Path], small_data: Path, tmp_path: Path) -> list[str]:
    where = ["--model", str(models["raw"]), "--data", str(small_data), "--setting", "complete"]
    fast = ["--limit", "1", "--max-new-tokens", "2", "--metrics", "value_match,refusal", "--device", "cpu"]
    return ["run", str(tmp_path / "out"), *where, *fast]


def test_results_go_to_stdout_and_the_rest_to_stderr(command: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert "value_match" in done.stdout
    assert "keep:multimodal/utility" in done.stdout
    assert "warning" in done.stderr
    assert "warning" not in done.stdout
    asked = json.loads(CliRunner().invoke(main, [*command, "--json"]).stdout)
    assert asked["metrics"] == ["value_match", "refusal", "degenerate"]
    assert asked["out"] == str(tmp_path / "out")
    assert asked["aggregates"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--metrics", "value_mach"], "--metrics is given 2 times, and takes one value"),
        (["--role", "vanila"], "'vanila' is not one of"),
        (["--only", "subject=nobody"], "nobody"),
        (["--only", "colour=red"], "--only takes"),
        (["--batch-size", "0"], "batch_size must be at least 1"),
        (["--curve"], "so it has no curve"),
        (["--point", "5"], "so it has no curve"),
        (["--point", "five"], "--point takes a number of steps, or forgetting=LEVEL"),
        (["--point", "5", "--curve"], "--curve evaluates every point of the run, --point a single one"),
    ],
)
def test_wrong_usage_exits_2_without_a_traceback(
    command: list[str], tmp_path: Path, extra: list[str], message: str
) -> None:
    done = CliRunner().invoke(main, [*command, *extra])
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_metric_is_named(command: list[str]) -> None:
    command[command.index("--metrics") + 1] = "value_mach"
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2, done.output
    assert "Did you mean 'value_match'" in done.stderr


def test_the_table_leaves_out_what_says_the_same_twice() -> None:
    def entry(scope: str | None) -> Aggregate:
        place = {"setting": "complete", "role": "forget", "config": "text", "split": "forget", "modality": "text"}
        counts = {"n_scored": 4, "n_skipped": 0, "n_subjects": 1, "kinds": {}}
        number = {"metric": "bleu", "value": 0.5, "low": None, "high": None}
        return Aggregate(slice="forget", variant="plain", scope=scope, **place, **counts, **number)

    columns, rows = summary([entry(None), entry("private")], ["bleu"])
    assert columns == ["records", "n", "bleu"]
    assert rows == [["forget, private", "4", "0.50"]]


def test_defaults_live_in_the_config_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command offers whatever the config's defaults are: it has none of its own."""
    other = dataclasses.make_dataclass(
        "Other",
        [(field.name, field.type, dataclasses.field(default=f"other {field.name}")) for field in CONFIG_FIELDS],
    )
    with monkeypatch.context() as patch:
        patch.setattr(config, "EvaluationConfig", other)
        changed = importlib.reload(run).command.params
    command = importlib.reload(run).command
    names = {field.name for field in CONFIG_FIELDS}
    assert {p.name: p.default for p in changed if p.name in names} == {
        p.name: f"other {p.name}" for p in command.params if p.name in names
    }
    defaults = EvaluationConfig()
    shown = {p.name: p.get_default(click.Context(command)) for p in command.params if p.name in names}
    assert len(shown) == len(names)
    assert build(EvaluationConfig, shown) == defaults


def test_the_kinds_of_answers_stand_apart(make_results: Callable[..., Results]) -> None:
    rates = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0, "forget/private": 0.25}
    columns, rows = kinds(make_results("npo", role="unlearned", rates=rates, degenerate=0.25).aggregates)
    assert columns == ["records", "correct", "wrong_value", "empty"]
    told = {row[0]: row[1:] for row in rows}
    assert told["forget, private"] == ["6", "12", "6"]
    assert "forget" not in told  # its scopes say the same


def test_scores_without_kinds_have_no_table_of_kinds() -> None:
    assert kinds([]) == (["records"], [])


def test_a_curve_is_a_table_of_points() -> None:
    def entry(where: str, scope: str | None, value: float, metric: str = "value_match") -> Aggregate:
        return Aggregate(
            setting="complete", role="keep", slice=where, config="multimodal", split="forget", modality="multimodal",
            variant="plain", scope=scope, metric=metric, value=value, low=None, high=None, n_scored=4, n_skipped=0,
            n_subjects=2, kinds={},
        )  # fmt: skip

    points = {
        5: [entry("forget", None, 0.8), entry("forget", "private", 0.75), entry("keep:utility", None, 1.0)],
        10: [entry("forget", "private", 0.25), entry("forget", "private", 0.5, "probability")],
    }
    columns, rows = curve_summary(points)
    assert columns == ["step", "forget, private", "keep:utility"]
    assert rows == [["5", "0.75", "1.00"], ["10", "0.25", "-"]]
    assert curve_summary({5: [entry("forget", "private", 0.5, "bleu")]})[1] == [["5", "0.50"]]
