"""Plans of studies: read strictly, and turned into commands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from offside_data.errors import UsageError
from offside_data.settings import SETTINGS as SETTINGS_THERE_ARE
from offside_unlearn import METHODS
from offside_unlearn.stages import check_command
from offside_unlearn.study import Study, read_plan
from offside_unlearn.study_options import check_options

SETTINGS = ["complete", "selective", "corrective", "unimodal"]
PLAN: dict[str, Any] = {
    "data": "league",
    "controls": {
        "vanilla": {"start": "base", "splits": ["general", "retain", "forget"], "options": {"epochs": 2}},
        "base": {"start": "tiny", "splits": ["general"], "arguments": {"full": True}},
        "retain_only": "models/retain-only",
    },
    "methods": {"grad_ascent": None, "npo": {"beta": 0.2, "lr": "1e-4"}},
    "options": {"lr": 1e-3, "retain_slices": ["multimodal/retain", "rest"]},
    "settings": ["complete", "selective"],
    "seeds": [0, 1],
    "curve_steps": [5, 10],
    "until": "forgetting=0.9",
    "arguments": {"tune": "all"},
    "relearn": {"methods": ["npo"], "settings": ["complete"], "curve_steps": [3], "options": {"max_steps": 6}},
    "evaluate": {"batch_size": 8},
    "device": {"device": "cpu"},
    "at": [0.5, 0.8],
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in {**PLAN, **changes}.items() if value != "left out"}))
    return path


def commands(folder: Path, **changes: Any) -> dict[str, str]:
    for name in ("league", "models/retain-only"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    plan = read_plan(written(folder, **changes), ["grad_ascent", "npo"])
    stages = Study(plan, folder, folder / "out", SETTINGS).stages()
    names = [stage.name for stage in stages]
    for place, stage in enumerate(stages):
        assert set(stage.needs) <= set(names[:place]), "each stands after those that it needs"
    return {stage.name: shlex.join(stage.command) for stage in stages}


def test_a_plan_is_a_grid_of_commands(tmp_path: Path) -> None:
    made = commands(tmp_path)
    cells = [f"{m}.{s}.seed-{n}" for s in PLAN["settings"] for m in PLAN["methods"] for n in (0, 1)]
    assert [name for name in made if name in cells] == cells
    assert made["npo.complete.seed-1"] == (
        "offside-unlearn run npo runs/npo.complete.seed-1 --model models/vanilla --data ../league --setting complete "
        "--seed 1 --curve-steps 5,10 --until forgetting=0.9 --set lr=1e-4 "
        "--set retain_slices=multimodal/retain,rest --set beta=0.2 --device cpu --tune all"
    )
    assert made["evaluate npo.complete.seed-1"] == (
        "offside-eval run results/npo.complete.seed-1 --model runs/npo.complete.seed-1 --data ../league "
        "--setting complete --suite light --device cpu --batch-size 8 --curve"
    )
    assert made["vanilla"] == (
        "offside-unlearn finetune models/vanilla --model models/base --data ../league --splits general,retain,forget "
        "--role vanilla --set epochs=2 --device cpu"
    )
    assert made["base"].endswith("--model tiny --data ../league --splits general --role base --device cpu --full")
    assert "--model ../models/retain-only" in made["evaluate retain_only.corrective"]


def test_further_cells_stand_beside_the_grid(tmp_path: Path) -> None:
    unimodal, seeds = {"settings": ["unimodal"]}, {"settings": ["complete"], "seeds": [1, 7]}
    further = [{"method": "npo", **unimodal}, {"method": "npo", **seeds}]
    made, grid = commands(tmp_path, further=further), commands(tmp_path)
    assert {name for name in made.keys() - grid.keys() if not name.startswith("evaluate ")} == {
        "npo.unimodal.seed-0",
        "npo.unimodal.seed-1",
        "npo.complete.seed-7",
    }
    assert "--setting unimodal --seed 1" in made["npo.unimodal.seed-1"]


def test_controls_are_asked_in_every_setting_where_none_asks_for_all(tmp_path: Path) -> None:
    (tmp_path / "league").mkdir()
    further = [{"method": "npo", "settings": ["unimodal"]}]
    plan = read_plan(written(tmp_path, further=further, relearn="left out"), ["grad_ascent", "npo"])
    offered = [name for name in SETTINGS if name != "corrective"]
    names = [stage.name for stage in Study(plan, tmp_path, tmp_path / "out", offered).stages()]
    asked = {f"evaluate vanilla.{setting}" for setting in (*PLAN["settings"], "unimodal")}
    assert {name for name in names if name.startswith("evaluate vanilla.")} == asked


def test_relearning_stands_beside_the_same_of_retain_only(tmp_path: Path) -> None:
    made = commands(tmp_path)
    again = "--curve-steps 3 --set max_steps=6 --device cpu"
    assert made["npo.complete.seed-1.relearned"] == (
        "offside-unlearn relearn runs/npo.complete.seed-1.relearned --model runs/npo.complete.seed-1 "
        f"--data ../league --seed 1 {again}"
    )
    assert made["retain_only.seed-1.relearned"].endswith(f"--seed 1 {again}")
    assert "--setting corrective" in made["evaluate npo.complete.seed-1.before"]
    assert not any("--allow-mismatch" in command for command in made.values())  # The records are the same.
    assert "grad_ascent.complete.seed-0.relearned" not in made


def test_relearning_starts_at_a_point_and_the_model_before_is_the_same(tmp_path: Path) -> None:
    made = commands(tmp_path, relearn={**PLAN["relearn"], "point": "forgetting=0.8"})
    for name in ("npo.complete.seed-0.relearned", "evaluate npo.complete.seed-0.before"):
        assert "--point forgetting=0.8" in made[name]
    assert "--point" not in made["retain_only.seed-0.relearned"]


def test_rates_may_be_written_without_a_point(tmp_path: Path) -> None:
    """YAML 1.1 reads `1e-3` as text."""
    plan = {**PLAN, "attack": {"kinds": ["benign"], "rates": ["3e-4", "1e-3"], "steps": [5]}}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan).replace("'", ""), encoding="utf-8")
    attack = read_plan(tmp_path / "plan.yaml", METHODS.names()).attack
    assert attack is not None
    assert attack.rates == (3e-4, 1e-3)


def test_attacks_stand_beside_the_same_of_retain_only(tmp_path: Path) -> None:
    attack = {"kinds": ["benign", "direct-subject"], "rates": [3e-4, 1e-3], "steps": [5, 15]}
    attack |= {"options": {"batch_size": 8}}
    made = commands(tmp_path, attack={**attack, "methods": ["npo"], "settings": ["selective"]})
    how = "--rates 0.0003,0.001 --steps 5,15 --setting selective --set batch_size=8 --device cpu"
    assert made["npo.selective.seed-1.direct-subject"] == (
        "offside-unlearn relearn runs/npo.selective.seed-1.direct-subject --model runs/npo.selective.seed-1 "
        f"--data ../league --seed 1 --attack direct-subject {how}"
    )
    assert made["retain_only.selective.seed-0.benign"].endswith(
        f"--model ../models/retain-only --data ../league --seed 0 --attack benign {how}"
    )
    assert made["evaluate npo.selective.seed-1.direct-subject.rate-0.0003"] == (
        "offside-eval run results/npo.selective.seed-1.direct-subject.rate-0.0003 "
        "--model runs/npo.selective.seed-1.direct-subject/rate-0.0003 --data ../league --setting selective "
        "--suite light --device cpu --batch-size 8 --curve"
    )
    attacked = [name for name in made if name.endswith((".benign", ".direct-subject"))]
    assert len(attacked) == 2 * (1 + 1) * 2, "kinds x (method and control) x seeds"
    narrowed = commands(tmp_path, attack={**attack, "settings": ["selective"]}, arguments={"only": "subject=s1"})
    assert all("--only subject=s1" in line for name, line in narrowed.items() if name.endswith(".benign"))
    made = commands(tmp_path, attack={**attack, "point": "forgetting=0.8"})
    for name in ("npo.complete.seed-0.benign", "evaluate npo.complete.seed-0.attacked"):
        assert "--point forgetting=0.8" in made[name]
    assert "--point" not in made["retain_only.complete.seed-0.benign"]


def test_further_controls_are_attacked_alike(tmp_path: Path) -> None:
    for name in ("a/retain", "b/retain"):
        (tmp_path / name).mkdir(parents=True)
    attack: dict[str, Any] = {"kinds": ["benign"], "rates": [1e-3], "steps": [5], "methods": ["npo"]}
    attack |= {"settings": ["selective"], "retain_only": ["a/retain", "b/retain"], "never_saw": True}
    made = commands(tmp_path, attack={**attack, "point": "forgetting=0.8"})
    how = "--rates 0.001 --steps 5 --setting selective --device cpu"
    for name, model in (
        ("retain_only.selective.seed-1", "../models/retain-only"),
        ("retain_only-2.selective.seed-1", "../a/retain"),
        ("retain_only-3.selective.seed-1", "../b/retain"),
        ("npo.selective.seed-1.never_saw", "runs/npo.selective.seed-1.never_saw"),
    ):
        assert made[f"{name}.benign"] == (
            f"offside-unlearn relearn runs/{name}.benign --model {model} --data ../league --seed 1 "
            f"--attack benign {how}"
        )
        assert f"evaluate {name}.benign.rate-0.001" in made
    assert "--model ../b/retain " in made["evaluate retain_only-3.selective"]
    of_vanilla, of_retain = (made[f"npo.selective.seed-1{end}"] for end in ("", ".never_saw"))
    assert of_retain == (
        of_vanilla.replace("npo.selective.seed-1", "npo.selective.seed-1.never_saw")
        .replace("models/vanilla", "../models/retain-only")
        .replace("--until forgetting=0.9 ", "")
    )
    asked = made["evaluate npo.selective.seed-1.never_saw"]
    assert "--point" not in asked, "retain-only has nothing to forget by which a point could be found"
    for end in ("report", "compare"):
        assert "--retain-only results/retain_only.corrective" in made[end]
        assert "results/retain_only-3.selective " in made[end]
    made = commands(tmp_path, attack={**attack, "retain_only": [], "point": "5"})
    assert "--point 5" in made["npo.selective.seed-1.never_saw.benign"]
    assert "--point 5" in made["evaluate npo.selective.seed-1.never_saw"]
    assert "--retain-only" not in made["compare"]
    controls = {name: made for name, made in PLAN["controls"].items() if name != "retain_only"}
    for extra in ({"never_saw": True}, {"retain_only": ["a/retain"]}):
        alone = {"kinds": ["benign"], "rates": [1e-3], "steps": [5], **extra}
        plan = read_plan(written(tmp_path, controls=controls, attack=alone), ["grad_ascent", "npo"])
        with pytest.raises(UsageError, match="attack: retain_only and never_saw stand beside controls: retain_only"):
            check_options(plan)


@pytest.mark.parametrize("point", [None, "forgetting=0.5"])
def test_what_is_attacked_is_evaluated_by_itself_where_only_points_of_its_curve_are(
    tmp_path: Path, point: str | None
) -> None:
    attack = {"kinds": ["benign"], "rates": [1e-3], "steps": [5], "methods": ["npo"], "settings": ["selective"]}
    made = commands(tmp_path, attack={**attack, "point": point})
    asked = made["evaluate npo.selective.seed-1.attacked"]
    assert "--model runs/npo.selective.seed-1 " in asked
    assert "--curve" not in asked
    assert asked.endswith(f"--point {point}") == (point is not None)
    alone = commands(tmp_path, attack=attack, curve_steps="left out", until="left out", relearn="left out")
    assert not any(name.endswith(".attacked") for name in alone), "the cell's own evaluation is of the run's end"


def test_everything_is_compared_and_reported(tmp_path: Path) -> None:
    made = commands(tmp_path)
    places = [line.split()[2] for name, line in made.items() if name.startswith("evaluate ")]
    for name in ("compare", "report"):
        assert [word for word in made[name].split() if word.startswith("results/")] == places
        assert made[name].endswith("--at forgetting=0.5,0.8")


def test_without_doses_each_cell_is_one_model(tmp_path: Path) -> None:
    made = commands(tmp_path, curve_steps="left out", until="left out", relearn=None, at="left out")
    assert "--curve" not in " ".join(made.values())
    assert not any("relearn" in name for name in made)


def test_the_large_plan_is_one(tmp_path: Path) -> None:
    file = Path(__file__).parents[3] / "tools" / "large_study.yaml"
    plan = read_plan(file, METHODS.names())
    stages = Study(plan, tmp_path, tmp_path / "out", list(SETTINGS_THERE_ARE)).stages()
    assert sum(stage.group == "unlearn" for stage in stages) == 5 * 4 * 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": {}}, "unknown key 'method'. Did you mean 'methods'"),
        ({"methods": {"npoo": {}}}, "unknown method 'npoo'. Did you mean 'npo'"),
        ({"methods": {}}, "methods is empty"),
        ({"further": [{"method": "po"}]}, "unknown method of the study 'po'"),
        ({"seeds": "0"}, "key 'seeds'"),
        ({"controls": {"base": "b"}}, "vanilla is missing"),
        ({"controls": {"vanila": "b"}}, "unknown control 'vanila'"),
        ({"data": "left out"}, "key 'data' is missing"),
        ({"relearn": {"methods": ["po"]}}, "unknown method of the study 'po'"),
        ({"curve_steps": []}, "until is looked at after the steps of a curve"),
        ({"settings": ["visual-rumor"], "relearn": None}, "unknown setting 'visual-rumor'"),
        (
            {
                "controls": {
                    n: {"start": o, "splits": ["retain"]} for n, o in (("vanilla", "base"), ("base", "vanilla"))
                }
            },
            "base, vanilla start from one another",
        ),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        commands(tmp_path, **changes)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": [0, 0]}, "seeds: 0 stands there twice"),
        ({"settings": ["complete", "complete"]}, "settings: 'complete' stands there twice"),
        ({"seeds": [-1]}, "a seed is a whole number from 0"),
        ({"at": [0.5, 1.5]}, "at takes shares of forgetting above 0"),
        ({"controls": {"vanilla": ""}}, "controls: vanilla: the model's name is empty"),
        ({"until": "forgetting=1.2"}, "methods: grad_ascent: --until takes"),
        ({"curve_steps": [0, 5]}, "methods: grad_ascent: --curve-steps: 0 is no step"),
        ({"options": {"lrr": 1}}, "methods: grad_ascent: unknown option 'lrr'"),
        ({"methods": {"npo": {"betta": 1}}}, "methods: npo: unknown option 'betta'"),
        ({"controls": {"vanilla": {"start": "tiny", "splits": ["retan"]}}}, "controls: vanilla: unknown split"),
        ({"controls": {"vanilla": {"start": "t", "splits": ["retain"], "options": {"epoch": 1}}}}, "unknown option"),
        ({"relearn": {"methods": ["npo"], "curve_steps": [0]}}, "relearn: curve_steps start at 1"),
        ({"relearn": {"methods": ["npo"], "point": "3"}}, "relearn: point: 3 is none of the study's curve_steps"),
        ({"relearn": {"methods": ["npo"], "point": "keeping=1"}}, "relearn: --point takes a number of steps"),
        (
            {"attack": {"kinds": ["benign"], "rates": [1e-3], "steps": [5]}, "arguments": {"limit": 4}},
            "attack: an attack must know what was to be forgotten, and arguments: limit draws it",
        ),
        ({"attack": {"kinds": ["benin"], "rates": [1e-3], "steps": [5]}}, "Did you mean 'benign'"),
        ({"attack": {"kinds": [], "rates": [1e-3], "steps": [5]}}, "attack: kinds is empty"),
        ({"attack": {"kinds": ["benign"], "rates": [0.0], "steps": [5]}}, "attack: --rates takes positive numbers"),
        ({"attack": {"kinds": ["benign"], "rates": [1e-3], "steps": [0]}}, "attack: --steps takes numbers of steps"),
        (
            {"attack": {"kinds": ["benign"], "rates": [1e-3], "steps": [5], "options": {"lr": 1}}},
            "attack: lr: an attack takes --rates",
        ),
        ({"attack": {"kinds": ["benign"], "rates": [1e-3], "steps": [5], "point": "3"}}, "attack: point: 3 is none"),
        ({"attack": {"kinds": ["benign", "benign"], "rates": [1e-3], "steps": [5]}}, "'benign' stands there twice"),
        ({"methods": {"npo": {}, "npo+sma": {}}}, r"methods: npo\+sma: unknown wrapper 'sma'. Did you mean 'sam'"),
        (
            {"methods": {"npo": {}, "npo+undo": {}}},
            r"methods: npo\+undo: --until: a run with undo is several trainings",
        ),
        (
            {"relearn": {"methods": ["npo"], "point": "forgetting=0.9"}, "until": None},
            "relearn: point: forgetting=0.9: what a point had forgotten is looked at where the study says until",
        ),
    ],
)
def test_what_a_command_would_refuse_is_found_before_any_runs(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        check_options(read_plan(written(tmp_path, **changes), ["grad_ascent", "npo"]))


def test_a_command_is_read_as_its_program_would() -> None:
    run = ("offside-unlearn", "run", "npo", "out", "--model", "m", "--data", "d", "--setting", "complete")
    check_command((*run, "--set", "lr=1", "--set", "beta=1"))
    for more, words in (
        (("--tunne", "all"), "--tunne"),
        (("--dtype", "float8"), "float8"),
        (("--model", "x"), "--model is given twice"),
        (("--force",), "anew after every interruption"),
    ):
        with pytest.raises(UsageError, match=words):
            check_command((*run, *more))
