"""Results in other people's formats: what they hold, and that corrected scores keep their history."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml
from click.testing import CliRunner
from huggingface_hub import parse_eval_result_entries

from offside_eval.cli import main
from offside_eval.correcting import correct
from offside_eval.exporters import EXPORTERS
from offside_eval.results import Results

RECORD = "multimodal-retain-s0-club"


@pytest.fixture
def made(make_results: Callable[..., Results]) -> Path:
    path = make_results("npo", role="unlearned", method="npo", subjects=2).path
    assert path is not None
    correct(path, RECORD, "rouge_l", 0.75, by="annotator-7", reason="Read again.")
    correct(path, RECORD, "probability", None, by="annotator-7", reason="Not this one.")
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["export", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_every_format_is_listed_and_writes_a_folder_whole(made: Path, tmp_path: Path) -> None:
    code, out, _ = run("--json")
    assert code == 0
    assert [f["name"] for f in json.loads(out)] == EXPORTERS.names()
    for name in set(EXPORTERS.names()) - {"report"}:  # That one has tests of its own.
        place = tmp_path / name
        code, out, _ = run(made, place, "--format", name)
        assert code == 0
        assert Path(out.strip()).is_file()
        assert run(made, place, "--format", name)[0] == 2
        (place / "mine.txt").write_text("mine")
        before = {p: p.read_bytes() for p in place.rglob("*") if p.is_file() and ".offside" not in p.parts}
        assert run(made, place, "--format", name, "--force")[0] == 0
        assert {p: p.read_bytes() for p in before} == before
    code, _, err = run(made, tmp_path / "x", "--format", "inspekt")
    assert code == 2
    assert "Did you mean 'inspect'" in err
    assert run(made, made / "inside", "--format", "inspect")[0] == 2


def test_a_log_of_inspect(made: Path, tmp_path: Path) -> None:
    """Its schema is theirs; it was read by theirs, see docs/exporting-results.md."""
    run(made, tmp_path / "out", "--format", "inspect")
    (file,) = (tmp_path / "out").glob("*.json")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_complete_npo\.json", file.name)  # Else it lists none.
    log = json.loads(file.read_text())
    results = Results.load(made)
    assert list(log)[:3] == ["version", "status", "eval"]  # They read files in this order.
    assert (log["version"], log["status"]) == (2, "success")
    ids = [sample["id"] for sample in log["samples"]]
    assert len(ids) == len(set(ids)) == results.samples.select("record_id", "variant").unique().height
    assert log["eval"]["dataset"]["sample_ids"] == ids
    sample = next(s for s in log["samples"] if s["id"] == f"{RECORD}/plain")
    row = results.samples.filter((pl.col("record_id") == RECORD) & (pl.col("variant") == "plain")).to_dicts()[0]
    assert (sample["input"], sample["target"]) == (row["question"], row["answer"])
    assert sample["output"]["completion"] == row["prediction"]
    assert sample["metadata"]["slices"] == ["keep:multimodal/retain"]
    score = sample["scores"]["rouge_l"]
    assert [state["value"] for state in score["history"]] == [row["rouge_l"] if row["rouge_l"] != 0.75 else 1.0, 0.75]
    assert score["value"] == 0.75
    assert score["history"][0]["provenance"] is None
    assert score["history"][1]["provenance"]["author"] == "annotator-7"
    assert score["history"][1]["provenance"]["reason"] == "Read again."
    unscored = sample["scores"]["probability"]
    assert math.isnan(unscored["value"])  # Theirs for "no value"; never 0.
    assert (unscored["reason"], unscored["explanation"]) == ("unscored", "Not this one.")
    assert sample["scores"]["value_match"]["history"] == []
    entry = next(s for s in log["results"]["scores"] if s["name"] == "probability (keep:multimodal/retain, private)")
    assert entry["unscored_samples"] == 1
    found = next(a for a in results.aggregates if (a.slice, a.scope, a.variant, a.metric)
                 == ("keep:multimodal/retain", "private", "plain", "probability"))  # fmt: skip
    assert entry["metrics"]["mean"]["value"] == found.value


def test_eval_results_hold_corrected_numbers(made: Path, tmp_path: Path) -> None:
    run(made, tmp_path / "out", "--format", "eval_results")
    file = tmp_path / "out" / ".eval_results" / "npo.yaml"
    entries = parse_eval_result_entries(yaml.safe_load(file.read_text()))
    told = next(e for e in entries if e.task_id == "multimodal-retain" and (e.notes or "").startswith("rouge_l"))
    found = next(a for a in Results.load(made).aggregates if (a.slice, a.scope, a.metric)
                 == ("keep:multimodal/retain", None, "rouge_l"))  # fmt: skip
    assert told.value == pytest.approx(found.value, abs=1e-6)
    assert yaml.safe_load((tmp_path / "out" / "npo.model-index.yaml").read_text())["model-index"]


def test_two_folders_that_inspect_would_call_the_same_are_two_logs(made: Path, tmp_path: Path) -> None:
    places = [tmp_path / "of" / name for name in ("a_b", "a-b")]
    for place in places:
        shutil.copytree(made, place)
        os.utime(place / "results.json", (1e9, 1e9))
    assert run(*places, tmp_path / "out", "--format", "inspect")[0] == 0
    assert len(list((tmp_path / "out").glob("*.json"))) == 2
