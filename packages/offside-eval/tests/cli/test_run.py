from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from offside_eval.cli import main
from offside_eval.cli.run import summary


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
        (["--metrics", "value_mach"], "Did you mean 'value_match'"),
        (["--only", "subject=nobody"], "nobody"),
        (["--only", "colour=red"], "--only takes"),
        (["--batch-size", "0"], "batch_size must be at least 1"),
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


def test_the_table_leaves_out_what_says_the_same_twice() -> None:
    def entry(scope: str | None, metric: str, value: float) -> dict[str, object]:
        where = {"slice": "forget", "variant": "plain", "scope": scope, "metric": metric}
        return {**where, "value": value, "low": None, "high": None, "n_scored": 4}

    columns, rows = summary([entry(None, "bleu", 0.5), entry("private", "bleu", 0.5)], ["bleu"])
    assert columns == ["records", "n", "bleu"]
    assert rows == [["forget, private", "4", "0.50"]]
