"""The meta-evaluation: its plans can be run, its page says what its script prints, a killed one ends with the same."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from offside_eval.audited import FAITHFUL, grounds, shipped
from offside_eval.compare.views import VIEWS
from offside_eval.config import HEADLINE_METRIC
from offside_unlearn.stages import check_command

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "tools" / "meta" / "audit.py"
SHIPPED = ROOT / "packages" / "offside-eval" / "src" / "offside_eval" / "audited.json"
PLANS = sorted(path.stem for path in SCRIPT.parent.glob("*.yaml"))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("meta_audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Where the types of its plan are looked for.
    spec.loader.exec_module(module)
    return vars(module)


@pytest.mark.parametrize("name", PLANS)
def test_each_command_of_a_plan_would_be_taken(script: dict[str, Any], name: str) -> None:
    plan = script["read_plan"](name)
    leagues = [script["League"](plan, seed) for seed in plan.leagues]
    stages = [s for league in leagues for s in (league.data(), *league.training(), *league.evaluations())]
    for stage in stages:
        check_command(stage.command)
    stages.append(script["rating"](leagues))
    names = [stage.name for stage in stages]
    assert len(set(names)) == len(names)
    assert all(needed in names[: names.index(stage.name)] for stage in stages for needed in stage.needs)
    seeds = [list(league.models().values()) for league in leagues]
    assert all(len(set(given)) == len(given) for given in seeds), "each model has a seed of its own"


def test_controls_are_none_of_the_rated_models(script: dict[str, Any]) -> None:
    plan = script["read_plan"]("full")
    leagues = [script["League"](plan, seed) for seed in plan.leagues]
    command = script["rating"](leagues).command
    given: dict[str, set[str]] = {}
    for option, place in zip(command[3::2], command[4::2], strict=True):
        given.setdefault(option, set()).add(place)
    rated = given["--learnt"] | given["--never"]
    assert len(given["--learnt"]) >= 8
    assert len(given["--never"]) >= 8
    assert not rated & (given["--vanilla"] | given["--retain-only"] | given["--faint"])
    assert {pair.split(":")[1].split("=")[0] for pair in given["--changed"]} == rated
    trained = {stage.out: stage.command for league in leagues for stage in league.training()}
    for place in given["--never"] | given["--retain-only"]:
        if "/plain/" in place:
            model = trained[place.replace("results/plain", "models")]
            assert "general,retain" in model, "never saw the forget set"


def test_the_page_is_what_the_script_prints_of_the_shipped_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], script: dict[str, Any]
) -> None:
    monkeypatch.setattr("sys.argv", ["audit.py", "show", str(SHIPPED)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(printed) > 25
    page = set((ROOT / "docs" / "metrics" / "meta.md").read_text(encoding="utf-8").splitlines())
    assert [line for line in printed if line not in page] == []
    plan = json.loads(json.dumps({"name": "full", **asdict(script["read_plan"]("full"))}))
    assert shipped()["plan"] == plan, "the figures are of the plan as it stands"


def test_what_leads_the_report_is_faithful() -> None:
    """The scores of the headline and of its views of forgetting, and ours beside them."""
    found = {m["metric"]: m for m in shipped()["metrics"]}
    leading = [HEADLINE_METRIC, *(view.metric for view in VIEWS if view.metric)]
    weak = [name for name in (*leading, *OURS) if found[name]["faithfulness"]["value"] < FAITHFUL]
    assert weak == []
    assert "value_match in " in grounds(["value_match"])
    assert "less than" not in grounds(["value_match"])
    assert "third_party was not rated" in grounds(["third_party"])


OURS = ("value_match", "rank", "selectivity", "specific_forgetting", "forgetting")


def started(out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), "run", str(out), "--plan", "quick"]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def lines_until(process: subprocess.Popen[str], words: str) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if words in line:
            return


@pytest.mark.full
def test_a_killed_one_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """Killed three times; then a model and all that came of it is lost, and made again to the byte."""
    out, before = tmp_path / "out", 0
    for words in ("✓ seed-0.league", "✓ seed-0.models.never-0", "✓ seed-0.results.plain.learnt-1"):
        process = started(out)
        made = sum("✓" in line for line in lines_until(process, words))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        finished = len(list((out / "stages").glob("*.json")))
        assert made == finished - before, "none is made twice"
        before = finished
    told, _ = (process := started(out)).communicate()
    assert process.returncode == 0, told[-4000:]
    assert "| value_match |" in told
    whole, model = (out / "audit.json").read_bytes(), out / "seed-0" / "models" / "never-2"
    weights = (model / "model.safetensors").read_bytes()
    for lost in (model, out / "seed-0" / "int4" / "never-2"):
        shutil.rmtree(lost)
    told, _ = (process := started(out)).communicate()
    assert process.returncode == 0, told[-4000:]
    assert (model / "model.safetensors").read_bytes() == weights
    assert (out / "audit.json").read_bytes() == whole
