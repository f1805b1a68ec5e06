"""Methods that change no weights, from the command that makes a run to the results that say what was applied."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from offside_unlearn.stages import program

ASKED = ("--data", "league", "--setting", "selective")
QUICK = {"max_steps": 1, "batch_size": 4}


def call(place: Path, *arguments: str, fails: int = 0) -> str:
    """Run a command in this process, which has loaded torch already; what it says, on both streams."""
    with contextlib.chdir(place):
        done = CliRunner(env={"COLUMNS": "200"}).invoke(program(arguments[0]), arguments[1:])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == fails, done.output[-4000:]
    return done.output


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a league, a tiny model, and a run of each method."""
    folder = tmp_path_factory.mktemp("interventions")
    call(folder, "offside-data", "fictional", "league", "--subjects", "4")
    call(folder, "offside-unlearn", "tiny", "models/tiny", "--data", "league")
    run = ("offside-unlearn", "run")
    call(folder, *run, "guardrail", "runs/guardrail", "--model", "models/tiny", *ASKED)
    steered = ("--set", "retain_share=0.5", "--set", "coefficient=3", "--curve-steps", "1,2", "--limit", "20")
    call(folder, *run, "steering", "runs/steering", "--model", "models/tiny", *ASKED, *steered)
    return folder


def evaluated(place: Path, model: str, *more: str) -> dict[str, Any]:
    out = f"results/{Path(model).name}"
    said = ("--suite", "light", "--limit", "2", "--max-new-tokens", "4", "--json")
    call(place, "offside-eval", "run", out, "--model", model, *ASKED, *said, *more)
    found = place / out / "step-000002" if more else place / out
    content: dict[str, Any] = json.loads((found / "results.json").read_text())["model"]
    return content


@pytest.mark.parametrize("method", ["guardrail", "steering"])
def test_a_run_is_evaluated_as_any_other(method: str, place: Path) -> None:
    told = evaluated(place, f"runs/{method}", *(["--curve", "--allow-mismatch"] if method == "steering" else []))
    assert told["intervention"]["kind"] == told["run"]["method"] == method
    receipt = json.loads((place / "runs" / method / "offside_run.json").read_text())
    if method == "guardrail":
        assert told["intervention"] == receipt["intervention"]
    assert receipt["base_model"]["path"] == "models/tiny"
    assert not list((place / "runs" / method).rglob("model*.safetensors"))


@pytest.mark.parametrize(
    "command",
    [
        ("merge", "runs/guardrail", "out"),
        ("relearn", "out", "--model", "runs/steering", "--data", "league"),
        ("relearn", "out", "--model", "runs/steering", "--point", "1", "--data", "league"),
        ("run", "npo", "out", "--model", "runs/guardrail", *ASKED),
        ("finetune", "out", "--model", "runs/steering", "--data", "league"),
        ("publish", "runs/guardrail", "org/name", "--data", "org/data"),
        ("run", "guardrail", "out", "--model", "models/tiny", *ASKED, "--curve-steps", "1,2"),
    ],
    ids=" ".join,
)
def test_what_can_not_be_done_is_refused(command: tuple[str, ...], place: Path) -> None:
    said = call(place, "offside-unlearn", *command, fails=2)
    assert "changes no weights" in said or "holds no weights" in said or "one dose" in said
    assert not (place / "out").exists()


def test_a_study_has_them_beside_methods_that_train(place: Path) -> None:
    plan = {
        "data": "league",
        "controls": {"vanilla": {"start": "models/tiny", "splits": ["retain", "forget"], "options": QUICK}},
        "methods": {"guardrail": None, "steering": {"retain_share": 0.5}, "npo": None},
        "settings": ["selective"],
        "curve_steps": [1, 2],
        "until": "forgetting=0.9",
        "relearn": {"options": QUICK},
    }
    (place / "plan.yaml").write_text(yaml.safe_dump(plan))
    said = call(place, "offside-unlearn", "study", "plan.yaml", "study", "--dry-run")
    runs = {line.split()[2]: line for line in said.splitlines() if line.startswith("offside-unlearn run")}
    assert "--curve-steps" not in runs["guardrail"]
    assert "--until" not in runs["guardrail"]
    assert all("--curve-steps 1,2 --until forgetting=0.9" in runs[name] for name in ("steering", "npo"))
    asked = [line for line in said.splitlines() if "results/guardrail." in line and "offside-eval run" in line]
    assert len(asked) == 1
    assert "--curve" not in asked[0]
    relearned = [line for line in said.splitlines() if line.startswith("offside-unlearn relearn")]
    assert [line.split()[2] for line in relearned] == ["runs/npo.selective.seed-0.relearned"]
    plan["relearn"] = {"options": QUICK, "methods": ["steering"]}
    (place / "plan.yaml").write_text(yaml.safe_dump(plan))
    said = call(place, "offside-unlearn", "study", "plan.yaml", "study", "--dry-run", fails=2)
    assert "relearn: methods: steering changes no weights" in said
    attack = {"kinds": ["benign"], "steps": [1], "rates": [1e-3]}
    plan["relearn"], plan["attack"] = None, {**attack, "methods": ["guardrail"]}
    (place / "plan.yaml").write_text(yaml.safe_dump(plan))
    said = call(place, "offside-unlearn", "study", "plan.yaml", "study", "--dry-run", fails=2)
    assert "attack: methods: guardrail changes no weights" in said
    plan["attack"] = attack
    (place / "plan.yaml").write_text(yaml.safe_dump(plan))
    said = call(place, "offside-unlearn", "study", "plan.yaml", "study", "--dry-run")
    attacked = [line.split()[2] for line in said.splitlines() if line.startswith("offside-unlearn relearn")]
    assert attacked
    assert all(name.startswith("runs/npo.") for name in attacked)
