from __future__ import annotations

import json

from click.testing import CliRunner

from offside_eval.cli import main
from offside_eval.metrics import metric_names


def test_every_metric_is_listed() -> None:
    done = CliRunner().invoke(main, ["metrics", "--json"])
    listed = json.loads(done.stdout)
    assert [m["name"] for m in listed] == metric_names()
    assert all(m["summary"].endswith(".") and m["paper"]["url"] for m in listed)
    assert next(m for m in listed if m["name"] == "refusal")["higher_is_better"] == {
        "forget": True,
        "keep": False,
    }
    assert "value_match" in CliRunner().invoke(main, ["metrics"]).stdout
