"""Relearning attacks: the peak over rates and steps, beside retain-only's own peak."""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offside_eval.compare import Comparison, compare
from offside_eval.compare.show import attack_rows
from offside_eval.report import write_report
from offside_eval.report.heat import attack_heat
from offside_eval.results import Results

RATES = {"forget": 1.0, "retain": 1.0, "test": 1.0, "utility": 1.0}


def known(made_up: ModuleType, name: str, role: str, share: float, **more: Any) -> Results:
    """A model that knows this share of the forgotten claims, in 6 subjects, exactly."""
    model = made_up.MadeUpModel(name=name, role=role, rates=RATES | {"forget/private": share}, default=1.0, **more)
    found: Results = made_up.evaluate(model, "selective", subjects=6)
    return found


def attacked(
    made_up: ModuleType, parent: str, attack: str, steps: int, lr: float, share: float, **more: Any
) -> Results:
    method = None if parent == "retain" else parent
    name = f"{parent}-{attack}-{lr:g}-{steps}"
    results = known(made_up, name, "relearned", share, parent=parent, steps=steps, method=method)
    content = results.meta.to_json()["model"]
    content["run"] |= {"attack": attack, "config": {"lr": lr, "max_steps": 40, "batch_size": 16}, **more}
    changed: Results = made_up.with_meta(results, model=content)
    return changed


@pytest.fixture(scope="module")
def comparison(made_up: ModuleType) -> Comparison:
    return compare(
        [
            known(made_up, "vanilla", "vanilla", 1.0),
            known(made_up, "retain", "retain_only", 0.0),
            known(made_up, "npo", "unlearned", 0.0, method="npo"),
            attacked(made_up, "npo", "benign", 5, 1e-3, 0.0),
            attacked(made_up, "npo", "benign", 40, 1e-3, 0.5),
            attacked(made_up, "npo", "benign", 5, 3e-3, 1.0),
            attacked(made_up, "npo", "benign", 40, 3e-3, 0.25),
            attacked(made_up, "npo", "direct_subject", 40, 3e-3, 1.0),
            attacked(made_up, "retain", "benign", 5, 1e-3, 0.0),
            attacked(made_up, "retain", "benign", 40, 1e-3, 0.0),
            attacked(made_up, "retain", "benign", 5, 3e-3, 0.0),
            attacked(made_up, "retain", "benign", 40, 3e-3, 1.0),
        ]
    )


def test_an_attacked_model_that_is_given_another_role_is_no_attack(made_up: ModuleType) -> None:
    taken = attacked(made_up, "npo", "benign", 5, 1e-3, 0.5)
    given = made_up.with_meta(taken, role="unlearned")
    assert given.role == "unlearned"
    controls = [known(made_up, "vanilla", "vanilla", 1.0), known(made_up, "retain", "retain_only", 0.0)]
    setting = compare([*controls, given]).settings["selective"]
    assert setting.attacks == []
    assert [row.label for row in setting.rows] == ["npo"]


def test_the_peak_is_the_most_at_any_rate_and_after_any_number_of_steps(comparison: Comparison) -> None:
    outcomes = comparison.settings["selective"].attacks
    assert [(o.label, o.attack) for o in outcomes] == [
        ("npo", "benign"),
        ("npo", "direct subject"),
        ("retain_only", "benign"),
    ]
    npo = outcomes[0]
    peak = npo.peak.model
    assert peak.run is not None
    assert (peak.steps, peak.run.config["lr"]) == (5, 3e-3)
    values = {name: quantity.value for name, quantity in npo.quantities.items()}
    assert 0 < (values.pop("end") or 0) < 0.5, "at the rate of the peak, after 40 steps"
    assert values == {"before": 0.0, "peak": 1.0, "rise": 1.0, "control_rise": 1.0, "excess": 0.0}
    assert len(npo.to_dict()["curve"]) == 4
    assert npo.to_dict()["at"] == "5 steps at 0.003"


def test_another_attack_is_no_control(comparison: Comparison) -> None:
    direct = comparison.settings["selective"].attacks[1]
    assert direct.quantities["rise"].value == 1.0
    assert direct.quantities["excess"].value is None
    assert "retain-only after the same attack is missing" in (direct.quantities["excess"].reason or "")


def test_another_batch_is_another_attack(made_up: ModuleType) -> None:
    config = {"config": {"lr": 3e-3, "max_steps": 40, "batch_size": 8}}
    found = compare(
        [
            known(made_up, "vanilla", "vanilla", 1.0),
            known(made_up, "retain", "retain_only", 0.0),
            known(made_up, "npo", "unlearned", 0.0, method="npo"),
            attacked(made_up, "npo", "benign", 40, 3e-3, 1.0),
            attacked(made_up, "retain", "benign", 40, 3e-3, 0.0, **config),
        ]
    )
    assert found.settings["selective"].attacks[0].quantities["excess"].value is None


def test_a_control_counts_where_the_model_was_looked_at(made_up: ModuleType) -> None:
    """Of more places the most is more: neither side may have some that the other hasn't."""
    known_ones = [
        known(made_up, "vanilla", "vanilla", 1.0),
        known(made_up, "retain", "retain_only", 0.0),
        known(made_up, "npo", "unlearned", 0.0, method="npo"),
        attacked(made_up, "npo", "benign", 5, 1e-3, 0.5),
        attacked(made_up, "npo", "benign", 40, 1e-3, 1.0),
    ]
    fewer = attacked(made_up, "retain", "benign", 5, 1e-3, 0.0)
    (outcome, _) = compare([*known_ones, fewer]).settings["selective"].attacks
    for name in ("control_rise", "excess"):
        assert outcome.quantities[name].value is None
        assert "wasn't attacked at all of these rates" in (outcome.quantities[name].reason or "")
    more = [attacked(made_up, "retain", "benign", 40, rate, share) for rate, share in ((1e-3, 0.0), (3e-3, 1.0))]
    (outcome, control) = compare([*known_ones, fewer, *more]).settings["selective"].attacks
    assert control.quantities["rise"].value == 1.0
    assert (outcome.quantities["control_rise"].value, outcome.quantities["excess"].value) == (0.0, 1.0)


def unlearned(made_up: ModuleType, name: str, share: float, **run: Any) -> Results:
    results = known(made_up, name, "unlearned", share, method="npo")
    content = results.meta.to_json()["model"]
    content["run"] |= run
    changed: Results = made_up.with_meta(results, model=content)
    return changed


def of(made_up: ModuleType, parent: str, share: float, seed: int = 0) -> Results:
    return attacked(made_up, parent, "benign", 5, 1e-3, share, seeds={"seed": seed}, method="npo")


def labels_and_rises(found: Comparison) -> dict[str, float | None]:
    return {o.label: o.quantities["rise"].value for o in found.settings["selective"].attacks}


def test_two_models_of_one_method_are_attacked_each_by_itself(made_up: ModuleType) -> None:
    """A manifest names the method that a model was unlearned by, not its options."""
    controls = [known(made_up, "vanilla", "vanilla", 1.0), known(made_up, "retain", "retain_only", 0.0)]
    for other in (0, 1):  # Trained further with the same seed and with another one.
        found = compare(
            [
                *controls,
                unlearned(made_up, "one", 0.0, config={"lr": 1e-4}),
                unlearned(made_up, "two", 0.0, config={"lr": 1e-3}, seeds={"seed": other}),
                of(made_up, "one", 0.0),
                of(made_up, "two", 1.0, seed=other),
            ]
        )
        assert labels_and_rises(found) == {"npo (one)": 0.0, "npo (two)": 1.0}


def test_points_of_one_run_are_attacked_each_by_itself(made_up: ModuleType) -> None:
    found = compare(
        [
            known(made_up, "vanilla", "vanilla", 1.0),
            known(made_up, "retain", "retain_only", 0.0),
            unlearned(made_up, "early", 0.0, steps=5, point_of="sha256:run"),
            unlearned(made_up, "late", 0.0, steps=80, point_of="sha256:run"),
            of(made_up, "early", 1.0),
            of(made_up, "late", 0.0),
        ]
    )
    assert labels_and_rises(found) == {"npo after 5 steps": 1.0, "npo after 80 steps": 0.0}


def test_seeds_of_one_method_are_one_attack_and_not_those_of_another(made_up: ModuleType) -> None:
    found = compare(
        [
            known(made_up, "vanilla", "vanilla", 1.0),
            known(made_up, "retain", "retain_only", 0.0),
            *(unlearned(made_up, f"npo-{seed}", 0.0, seeds={"seed": seed}) for seed in (0, 1)),
            *(of(made_up, f"npo-{seed}", share, seed) for seed, share in ((0, 1.0), (1, 0.0))),
        ]
    )
    (outcome,) = found.settings["selective"].attacks
    assert (outcome.label, outcome.peak.seeds, outcome.quantities["rise"].value) == ("npo", (0, 1), 0.5)
    ragged = compare(
        [
            known(made_up, "vanilla", "vanilla", 1.0),
            known(made_up, "retain", "retain_only", 0.0),
            *(unlearned(made_up, f"npo-{seed}", 0.0, seeds={"seed": seed}) for seed in (0, 1)),
            *(of(made_up, f"npo-{seed}", share) for seed, share in ((0, 1.0), (1, 0.0))),
        ]
    )
    assert labels_and_rises(ragged) == {"npo (npo-0)": 1.0, "npo (npo-1)": 0.0}


def test_attacked_models_stand_in_no_other_table(comparison: Comparison) -> None:
    setting = comparison.settings["selective"]
    assert [row.label for row in setting.rows] == ["npo"]
    assert [row.label for row in setting.controls] == ["vanilla", "retain_only"]
    assert len(comparison.to_dict()["settings"]["selective"]["attacks"]) == 3


def test_what_an_attack_taught_does_not_count(made_up: ModuleType) -> None:
    """The model knows nothing but what it was told: one subject's claims, on which it is always right."""
    vanilla, retain = known(made_up, "vanilla", "vanilla", 1.0), known(made_up, "retain", "retain_only", 0.0)
    npo = known(made_up, "npo", "unlearned", 0.0, method="npo")
    whole = attacked(made_up, "npo", "direct_subject", 40, 3e-3, 0.5)
    right = whole.samples.filter((whole.samples["slice"] == "forget") & (whole.samples["value_match"] == 1))
    taught = {"taught": sorted(set(right["record_id"]))}
    assert taught["taught"]
    other = attacked(made_up, "npo", "direct_subject", 40, 3e-3, 0.5, **taught)
    (counted,) = compare([vanilla, retain, npo, whole]).settings["selective"].attacks
    (left,) = compare([vanilla, retain, npo, other]).settings["selective"].attacks
    assert (counted.quantities["peak"].value or 0) > 0.3
    assert left.quantities["peak"].value == 0
    assert (
        left.quantities["peak"].figure().to_dict()["n_scored"]
        < counted.quantities["peak"].figure().to_dict()["n_scored"]
    )


def test_the_table_says_where_the_peak_is_and_nothing_of_a_control_beside_itself(comparison: Comparison) -> None:
    columns, rows = attack_rows(comparison.settings["selective"])
    assert columns[:2] == ["model", "attack"]
    assert rows[0][1] == "benign\n(peak: 5 steps at 0.003)"
    assert rows[0][2].startswith("0")
    assert rows[-1][0].startswith("retain-only")
    assert rows[-1][-2:] == ["–", "–"]


def test_the_report_shows_them(comparison: Comparison, tmp_path: Path) -> None:
    page = write_report(tmp_path / "report", comparison).read_text(encoding="utf-8")
    assert "What relearning attacks bring back, at the peak over rates and steps" in page
    assert "peak: 5 steps at 0.003" in page
    assert "selective: relearning attacks, at their peak" in (tmp_path / "report" / "summary.md").read_text("utf-8")
    with (tmp_path / "report" / "tables" / "attacks.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    curve = [(row["lr"], row["steps"], float(row["value"])) for row in rows if row["quantity"] == "knows"]
    assert ("0.003", "5", 1.0) in curve
    assert len(curve) == 9
    excess = [row for row in rows if row["quantity"] == "excess"]
    assert [row["value"] for row in excess] == ["0.0", "", ""]
    assert excess[1]["reason"] == "retain-only after the same attack is missing"


def test_a_heat_map_shows_what_is_beyond_retain_only_and_marks_what_has_no_control(
    comparison: Comparison, tmp_path: Path
) -> None:
    heat = attack_heat(comparison.settings["selective"])
    assert heat is not None
    assert heat.columns == ["relearning: benign", "relearning: direct subject"]
    [(label, cells)] = heat.lines
    benign, direct = cells
    assert label == "npo"
    assert benign is not None
    assert direct is not None
    # Both came back whole under benign training, npo and retain-only: nothing beyond. The other has no control.
    assert (benign.figure.value, benign.beyond, benign.shade) == (0.0, True, 0.0)
    assert (direct.figure.value, direct.beyond, direct.shade) == (1.0, False, 1.0)
    page = write_report(tmp_path / "out", comparison).read_text(encoding="utf-8")
    assert "1.00†" in page
