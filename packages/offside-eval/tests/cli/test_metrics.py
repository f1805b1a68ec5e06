from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from offside_eval.cli import main
from offside_eval.metrics import metric_names
from offside_eval.model_metrics import model_metric_names


def test_every_metric_is_listed() -> None:
    done = CliRunner().invoke(main, ["metrics", "--json"])
    listed = json.loads(done.stdout)
    assert [m["name"] for m in listed] == [*metric_names(), *model_metric_names()]
    assert all(m["summary"].endswith(".") and m["paper"]["url"] for m in listed)
    assert next(m for m in listed if m["name"] == "refusal")["higher_is_better"] == {
        "forget": True,
        "keep": False,
    }
    assert "value_match" in CliRunner().invoke(main, ["metrics"]).stdout


def test_at_80_columns_no_word_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = CliRunner().invoke(main, ["metrics"]).stdout
    for metric in json.loads(CliRunner().invoke(main, ["metrics", "--json"]).stdout):
        words = [
            metric["name"],
            *metric["summary"].split(),
            *metric["needs"][: 0 if metric["of"] == "models" else None],
        ]
        words += metric["variants"] if metric["of"] == "records" else [*metric["reads"], *metric["controls"]]
        words = [word.replace("retain_only", "retain-only") for word in words]
        assert [word for word in words if word not in printed] == []
    assert max(map(len, printed.splitlines())) <= 80
