"""`offside-eval compare`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from offside_eval.cli import main


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_tables_a_setting_and_the_findings(study: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, out, err = run(*study)
    assert code == 0
    for said in (
        "complete: Forget everything",
        "grad_ascent",
        "collapsed",
        "control",
        "can't tell",
        "published findings",
    ):
        assert said in out
    assert "\u0336" in out  # what the collapsed model forgot is struck through
    assert err == ""


def test_at_80_columns_no_word_is_broken(study: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, printed, _ = run(*study)
    content = json.loads(run(*study, "--json")[1])
    words = [word for f in content["findings"] for word in (f["statement"] + " " + f["why"]).split()]
    words += [row["label"] for s in content["settings"].values() for row in s["models"]]
    words += ["modality gap", "old on swapped", "collapsed"]
    said = " ".join(printed.split())
    assert [word for word in words if word not in said] == []
    assert max(len(line.replace("\u0336", "")) for line in printed.splitlines()) <= 80


def test_json_for_programs(study: list[Path]) -> None:
    code, out, _ = run(*study, "--json")
    content = json.loads(out)
    assert code == 0
    assert content["metric"] == "value_match"
    assert set(content["settings"]) == {"complete", "selective", "corrective", "unimodal", "visual-rumor"}
    rows = {r["label"]: r for r in content["settings"]["complete"]["models"]}
    assert rows["grad_ascent"]["collapsed"]
    forgetting = rows["kl_min"]["figures"]["forgetting"]
    assert forgetting["low"] < forgetting["value"] < forgetting["high"]
    assert [f["verdict"] for f in content["findings"]]


def test_another_metric(study: list[Path]) -> None:
    code, out, _ = run(*study, "--metric", "rouge_l", "--json")
    assert code == 0
    assert json.loads(out)["metric"] == "rouge_l"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--metric", "nothing"], "unknown metric 'nothing'"),
        (["--relearned", "no-equals-sign"], "CHILD=PARENT"),
        (["--vanilla", "/nowhere"], "no finished evaluation here"),
    ],
)
def test_wrong_options_end_without_a_traceback(study: list[Path], options: list[str], said: str) -> None:
    code, _, err = run(*study[:3], *options)
    assert code in (1, 2)
    assert err.startswith("error: ")
    assert said in err


def test_a_folder_without_results_says_so(tmp_path: Path) -> None:
    code, _, err = run(tmp_path)
    assert code == 1
    assert "no finished evaluation here" in err
