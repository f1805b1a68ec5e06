"""The bench of evaluation: both ways answer the same, and it says what it is there to say."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest


def test_both_ways_agree_and_every_figure_is_there(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(root / "tools/bench"))
    spec = importlib.util.spec_from_file_location("bench_eval", root / "tools/bench/eval.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["eval.py", "--quick", "--json", str(out)])
    module.main()
    results = json.loads(out.read_text(encoding="utf-8"))
    assert [row["task"] for row in results["rows"]] == ["generation", "multiple choice"]
    for row in results["rows"]:
        assert row["questions"] == 8
        assert row["ratio"] > 0
        assert row["ratio_multiplied"] > 1, "prompts and pictures are shared, so fewer numbers are multiplied"
        for way in ("ours", "plain"):
            assert 0 < row["answers_a_second"][way] < row["limit_a_second"][way]
    assert results["rows"][0]["texts_differ"] == 0
    assert results["rows"][1]["scores_differ"] < 1e-5
    assert capsys.readouterr().out.count("\n| ") == 4
