"""Controls of relearning attacks: several retain-only models, what a method made of one, and ranks."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from offside_data.errors import UsageError
from offside_eval.compare import Comparison, compare
from offside_eval.compare.attacks import AttackOutcome
from offside_eval.compare.quantities import Quantity
from offside_eval.compare.show import attack_rows
from offside_eval.report import write_report
from offside_eval.results import Results

RATES = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}
BASE = {"path": "runs/base", "digest": "sha256:base", "role": "base"}
RETAIN = {"path": "runs/retain", "digest": "sha256:retain", "role": "retain_only"}


class Study:
    """Made-up models that know a share of the forgotten claims, in 6 subjects, and what an attack made of them."""

    def __init__(self, made_up: ModuleType) -> None:
        self._made_up = made_up

    def model(self, name: str, role: str, share: float, **run: Any) -> Results:
        rates = RATES | {"forget/private": share}
        model = self._made_up.MadeUpModel(name=name, role=role, rates=rates, default=1.0)
        return self._with(self._made_up.evaluate(model, "selective", subjects=6), run)

    def attacked(self, parent: Results, steps: int, share: float, **run: Any) -> Results:
        """What so many steps of one attack made of a model."""
        of = parent.meta.model
        assert of.run is not None
        line = [
            *(one for one in of.run.to_json()["parents"]),
            {"path": of.path, "digest": of.digest, "role": parent.role},
        ]
        run = {"base_model": line[-1] | {}, "parents": line, "steps": steps, "method": of.run.method} | run
        del run["base_model"]["role"]
        own = {"attack": "benign", "config": {"lr": 1e-3, "max_steps": 40, "batch_size": 16}, "command": "relearn"}
        return self.model(f"{Path(of.path).name}-{steps}", "relearned", share, **{**own, **run})

    def _with(self, results: Results, run: dict[str, Any]) -> Results:
        content = results.meta.to_json()["model"]
        content["run"] |= run
        changed: Results = self._made_up.with_meta(results, model=content)
        return changed


@pytest.fixture(scope="module")
def study(made_up: ModuleType) -> Study:
    return Study(made_up)


@pytest.fixture(scope="module")
def known(study: Study) -> dict[str, Results]:
    """Models before any attack; the never-saw model is retain-only after the same method."""
    return {
        "vanilla": study.model("vanilla", "vanilla", 1.0),
        "retain": study.model("retain", "retain_only", 0.0, parents=[BASE]),
        "further": study.model("further", "retain_only", 0.0, parents=[BASE], seeds={"seed": 1}),
        "third": study.model("third", "retain_only", 0.0, parents=[BASE], seeds={"seed": 2}),
        "npo": study.model("npo", "unlearned", 0.0, method="npo"),
        "taught": study.model("taught", "unlearned", 0.0, method="npo", parents=[BASE, RETAIN]),
    }


def outcomes(comparison: Comparison) -> Sequence[AttackOutcome]:
    return comparison.settings["selective"].attacks


def width(quantity: Quantity) -> float:
    interval = quantity.figure().interval
    assert interval is not None
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


def test_several_retain_only_models_are_one_control_with_their_spread(study: Study, known: dict[str, Results]) -> None:
    results = [known["vanilla"], known["npo"], study.attacked(known["npo"], 5, 1.0)]
    found = []
    for controls in ({"retain": 0.0}, {"further": 1.0, "third": 1.0}):
        for name, share in controls.items():
            results += [known[name], study.attacked(known[name], 5, share)]
        found.append(compare(results, retain_only=known["retain"]))
    one, three = (outcomes(comparison)[0] for comparison in found)
    assert [o.quantities["control_rise"].value for o in (one, three)] == pytest.approx([0, 2 / 3])
    assert [o.quantities["excess"].value for o in (one, three)] == pytest.approx([1, 1 / 3])
    # Each model by itself has risen alike in all subjects: what is wider comes from the differences between models.
    excess = three.quantities["excess"]
    wide, narrow = (width(quantity) for quantity in (excess, replace(excess, seeds=())))
    assert wide > 1.5 * narrow
    figures = [o.quantities["excess"].figure().interval for o in (one, three)]
    assert [figure and figure.n_seeds for figure in figures] == [1, 3]
    assert [o.remark for o in (one, three)] == ["1 retain-only model; 3 are asked for", "3 retain-only models"]
    assert [(o.label, o.role) for o in outcomes(found[1])] == [
        ("npo", "unlearned"),
        ("retain_only (further)", "retain_only"),
        ("retain_only (retain)", "retain_only"),
        ("retain_only (third)", "retain_only"),
    ]
    setting = found[1].settings["selective"]
    assert [row.label for row in setting.rows] == ["npo"]
    assert [row.label for row in setting.controls] == ["vanilla", "retain_only"]
    columns, rows = attack_rows(setting)
    assert rows[0][columns.index("retain-only's rise")].splitlines()[-1] == "3 retain-only models"
    assert rows[1][0].startswith("retain-only (further)")
    assert {rows[1][columns.index(title)] for title in ("retain-only's rise", "excess")} == {"–"}
    with pytest.raises(
        UsageError, match=r"3 different retain_only models: .* --retain-only; the others are then controls"
    ):
        compare(results)


def test_retain_only_models_are_told_apart_where_they_were_attacked_with_other_seeds(
    study: Study, known: dict[str, Results]
) -> None:
    """They differ in their seeds alone, and so do the attacks on them; still they are two models."""
    controls = [
        study.attacked(known["retain"], 5, 0.0),
        study.attacked(known["further"], 5, 1.0, seeds={"seed": 1}),
    ]
    models = [known[name] for name in ("vanilla", "retain", "further", "npo")]
    found = compare([*models, study.attacked(known["npo"], 5, 1.0), *controls], retain_only=known["further"])
    outcome = outcomes(found)[0]
    assert [control.peak.quantity("recovered").value for control in outcome.controls] == [0.0, 1.0]
    assert found.models.controls["retain_only"].path == "runs/further"


def test_a_control_that_was_looked_at_less_often_is_none(study: Study, known: dict[str, Results]) -> None:
    attacked = [study.attacked(known["npo"], 5, 0.0), study.attacked(known["npo"], 40, 1.0)]
    whole = [study.attacked(known["retain"], 5, 0.0), study.attacked(known["retain"], 40, 0.0)]
    models = [known[name] for name in ("vanilla", "retain", "further", "npo")]
    found = compare([*models, *attacked, *whole, study.attacked(known["further"], 5, 1.0)], retain_only=known["retain"])
    assert outcomes(found)[0].remark == "1 retain-only model; 3 are asked for"
    assert outcomes(found)[0].quantities["excess"].value == 1.0


@pytest.fixture(scope="module")
def with_never_saw(study: Study, known: dict[str, Results]) -> Comparison:
    attacked = [
        study.attacked(known[name], 5, share) for name, share in (("npo", 1.0), ("taught", 1.0), ("retain", 0.0))
    ]
    return compare([*(known[name] for name in ("vanilla", "retain", "npo", "taught")), *attacked])


def test_what_a_method_made_of_retain_only_is_a_control_and_ranked_nowhere(with_never_saw: Comparison) -> None:
    setting = with_never_saw.settings["selective"]
    assert [(o.label, o.role) for o in setting.attacks] == [
        ("npo", "unlearned"),
        ("never saw (npo)", "never_saw"),
        ("retain_only", "retain_only"),
    ]
    assert [o.quantities["excess"].value for o in setting.attacks] == [1.0, 1.0, None]
    assert [row.label for row in setting.rows] == ["npo"]
    assert [row.label for row in setting.controls] == ["vanilla", "retain_only"]
    assert {model.path: model.role for model in with_never_saw.models.members}["runs/taught"] == "never_saw"


def test_the_models_that_are_there_tell_what_a_manifest_does_not(study: Study, known: dict[str, Results]) -> None:
    """A plain checkpoint as retain-only has no role in the manifests of what was made of it."""
    unnamed = study.model("taught", "unlearned", 0.0, method="npo", parents=[RETAIN | {"role": None}])
    found = compare([known["vanilla"], known["retain"], known["npo"], unnamed])
    assert [row.label for row in found.settings["selective"].rows] == ["npo"]
    again = [RETAIN, {"path": "runs/first", "digest": "sha256:first", "role": "unlearned"}]
    twice = study.model("taught", "unlearned", 0.0, method="npo", parents=again)
    assert len(compare([known["vanilla"], known["retain"], known["npo"], twice]).settings["selective"].rows) == 1


def test_relearned_further_it_is_a_control_as_retain_only_is(study: Study, known: dict[str, Results]) -> None:
    relearned = [study.attacked(known[name], 5, 1.0, attack=None) for name in ("npo", "taught", "retain")]
    found = compare([*(known[name] for name in ("vanilla", "retain", "npo", "taught")), *relearned])
    setting = found.settings["selective"]
    assert [row.label for row in setting.rows] == ["npo", "npo + relearn 5"]
    assert [row.label for row in setting.controls] == [
        "vanilla",
        "retain_only",
        "never saw (npo) + relearn 5",
        "retain_only + relearn 5",
    ]


def ranked(results: Results, rank: float) -> Results:
    no = pl.lit(None, dtype=pl.String)
    samples = results.samples.with_columns(pl.lit(rank).alias("rank"), no.alias("rank.kind"), no.alias("rank.skipped"))
    return replace(results, samples=samples, meta=replace(results.meta, metrics=(*results.meta.metrics, "rank")))


def test_rank_stands_beside_value_match_and_in_the_report(
    study: Study, known: dict[str, Results], with_never_saw: Comparison, tmp_path: Path
) -> None:
    places = ((5, 1.0, 0.9), (15, 0.5, 0.95), (40, 0.0, 0.7))
    attacked = [ranked(study.attacked(known["npo"], steps, share), rank) for steps, share, rank in places]
    models = [ranked(known[name], rank) for name, rank in (("vanilla", 1.0), ("retain", 0.5), ("npo", 0.6))]
    never = [known["taught"], study.attacked(known["taught"], 5, 0.0)]
    found = compare([*models, *attacked, *never])
    quantities = outcomes(found)[0].quantities
    assert [quantities[f"rank_{when}"].value for when in ("before", "peak", "end")] == pytest.approx([0.6, 0.9, 0.7])
    columns, rows = attack_rows(found.settings["selective"])
    assert columns[-3:] == ["rank before", "rank at the peak", "rank at the end"]
    assert [cell.split("\n")[0] for cell in rows[0][-3:]] == ["0.60", "0.90", "0.70"]
    assert rows[1][-3:] == ["–"] * 3, "not ranked"
    assert not any("rank" in title for title in attack_rows(with_never_saw.settings["selective"])[0])
    write_report(tmp_path / "report", found)
    summary = (tmp_path / "report" / "summary.md").read_text("utf-8")
    assert "| never saw (npo)" in summary
    assert "rank at the peak" in summary
    with (tmp_path / "report" / "tables" / "attacks.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    curve = {line["steps"]: float(line["value"]) for line in lines if line["quantity"] == "rank"}
    assert curve == pytest.approx({"5": 0.9, "15": 0.95, "40": 0.7})
    assert {line["role"] for line in lines} == {"unlearned", "never_saw"}
