"""What attacks got out, beside retain-only: by hand on four subjects, and as tables."""

from __future__ import annotations

import re
from dataclasses import replace
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from offside_eval.compare import compare
from offside_eval.compare.quantities import over_seeds
from offside_eval.compare.show import recovery_rows
from offside_eval.meta import EvaluationMeta
from offside_eval.report.heat import attack_heat
from offside_eval.report.page import _environment
from offside_eval.report.tables import write_tables
from offside_eval.results import Results


def both(made_up: ModuleType, **of_retain_only: Any) -> tuple[Results, Results]:
    model = made_up.MadeUpModel(name="npo", role="unlearned", method="npo", prompted=0.5, rates={"forget/private": 0.1})
    control = replace(made_up.RETAIN_ONLY, prompted=0.1)
    own, other = (made_up.evaluate(m, "complete", subjects=8) for m in (model, control))
    if of_retain_only:
        made = other.attacks["prompt"]
        other = replace(other, attacks={"prompt": replace(made, meta=replace(made.meta, **of_retain_only))})
    return own, other


def test_the_excess_is_over_the_same_claims_of_retain_only(made_up: ModuleType, tmp_path: Any) -> None:
    own, other = both(made_up)
    comparison = compare([made_up.evaluate(made_up.VANILLA, "complete", subjects=8), own, other])
    recovered, control = comparison.settings["complete"].recoveries
    assert (recovered.row.label, control.row.label) == ("npo", "retain_only")

    def newly(results: Results) -> dict[str, float]:
        """By hand: stated by the prompt, and not by the plain question."""
        told: dict[str, dict[str, bool]] = {}
        for row in results.attacks["prompt"].attempts.iter_rows(named=True):
            told.setdefault(row["record_id"], {})[row["name"]] = row["states"]
        return {key: float(t["role_play/1"] and not t["plain"]) for key, t in told.items()}

    mine, theirs = newly(own), newly(other)
    figures = {name: quantity.figure() for name, quantity in recovered.quantities.items()}
    assert figures["recovered"].value == pytest.approx(sum(mine.values()) / len(mine))
    assert figures["excess"].value == pytest.approx(sum(mine[k] - theirs[k] for k in mine) / len(mine))
    assert figures["excess"].interval is not None
    assert figures["excess"].interval.low is not None
    assert figures["control"].reason == "made up"
    assert control.quantities["excess"].reason == "it is the control"
    columns, rows = recovery_rows(comparison.settings["complete"])
    assert len(columns) == len(rows[0]) == 8
    write_tables(tmp_path, comparison, [], [])
    table = pl.read_csv(tmp_path / "recoveries.csv")
    assert set(table["quantity"]) == {"before", "recovered", "retain_only", "excess", "control", "decoy"}
    assert comparison.to_dict()["settings"]["complete"]["recoveries"][0]["attack"] == "prompt"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"options": {"per_family": 1}}, "retain-only was attacked with other options"),
        ({"unfit": "no picture"}, "retain-only wasn't attacked in this way"),
    ],
)
def test_another_attack_is_no_control(made_up: ModuleType, changed: dict[str, Any], why: str) -> None:
    own, other = both(made_up, **changed)
    recovery = compare([own, other]).settings["complete"].recoveries[0]
    assert recovery.quantities["excess"].reason == why
    assert recovery.quantities["recovered"].value is not None


def test_an_attack_that_was_not_made_says_why(made_up: ModuleType) -> None:
    own, other = both(made_up, unfit="no picture")
    rows = recovery_rows(compare([own, other]).settings["complete"])[1]
    assert rows[1][0] == "prompt\nnot made: no picture"


def test_records_by_which_a_run_was_stopped_count_nowhere(made_up: ModuleType) -> None:
    own, other = both(made_up)
    gone = own.attacks["prompt"].attempts["record_id"][0]
    own = replace(own, samples=own.samples.filter(own.samples["record_id"] != gone))
    n = own.attacks["prompt"].attempts["record_id"].n_unique()
    figure = compare([own, other]).settings["complete"].recoveries[0].quantities["excess"].figure()
    assert figure.interval is not None
    assert figure.interval.n == n - 1


def test_retain_only_is_taken_in_the_same_setting_first(made_up: ModuleType) -> None:
    """Another one asks about other claims."""
    own, other = both(made_up)
    made = other.attacks["prompt"]
    elsewhere = made_up.evaluate(replace(made_up.RETAIN_ONLY, prompted=0.1), "unimodal", subjects=8)
    few = replace(made, attempts=made.attempts.head(2))
    elsewhere = replace(elsewhere, attacks={"prompt": few})
    recovery = compare([elsewhere, own, other]).settings["complete"].recoveries[0]
    figure = recovery.quantities["excess"].figure()
    assert figure.interval is not None
    assert figure.interval.n == made.attempts["record_id"].n_unique()


def seeded(made_up: ModuleType, seed: int, *, method: str = "npo", **of_attack: Any) -> Results:
    """A run of a method; other seeds are other models that answer otherwise."""
    rates = {"forget/private": 0.1}
    model = made_up.MadeUpModel(name=f"npo-{seed}", role="unlearned", method=method, prompted=0.5, rates=rates)
    found = made_up.evaluate(model, "complete", subjects=8)
    content = found.meta.to_json()
    content["model"]["run"] |= {"seeds": {"seed": seed}, "request": f"sha256:request-{seed}"}
    made = found.attacks["prompt"]
    made = replace(made, meta=replace(made.meta, **of_attack))
    return replace(found, meta=EvaluationMeta.from_json(content, "here"), attacks={"prompt": made})


def test_seeds_of_one_method_are_one_row(made_up: ModuleType) -> None:
    """Each used to have a row of the same name, and in the heat map the last one hid the others."""
    first, second = seeded(made_up, 0), seeded(made_up, 1)
    control = made_up.evaluate(replace(made_up.RETAIN_ONLY, prompted=0.1), "complete", subjects=8)
    setting = compare([first, second, control]).settings["complete"]
    recovery, _ = setting.recoveries
    assert (recovery.row.label, recovery.row.seeds) == ("npo", (0, 1))
    apart = [compare([one, control]).settings["complete"].recoveries[0] for one in (first, second)]
    values = [one.quantities["excess"].figure().value for one in apart]
    assert None not in values
    assert values[0] != values[1]
    figure = recovery.quantities["excess"].figure()
    expected = over_seeds([one.quantities["excess"] for one in apart]).figure()
    assert figure.value == pytest.approx(sum(v for v in values if v is not None) / 2)
    assert figure.to_dict() == expected.to_dict()
    told = recovery.to_dict()
    assert told["seeds"] == [0, 1]
    assert told["families"].keys() == apart[0].to_dict()["families"].keys()
    (line,) = [row for row in recovery_rows(setting)[1] if row[1].startswith("npo")]
    assert line[1] == "npo\n2 seeds"


def test_one_wrecked_seed_makes_a_wreck_of_the_row(made_up: ModuleType) -> None:
    first, second = seeded(made_up, 0), seeded(made_up, 1)
    broken = second.samples.with_columns(degenerate=pl.lit(1.0), value_match=pl.lit(0.0))
    row = compare([first, replace(second, samples=broken)]).settings["complete"].recoveries[0].row
    assert row.collapsed
    assert row.wrecks == ("sha256:npo-1",)


def test_another_attack_on_another_seed_stays_apart(made_up: ModuleType) -> None:
    setting = compare([seeded(made_up, 0), seeded(made_up, 1, options={"per_family": 1})]).settings["complete"]
    labels = [recovery.row.label for recovery in setting.recoveries]
    assert labels == ["npo (npo-0)", "npo (npo-1)"]
    heat = attack_heat(setting)
    assert heat is not None
    assert [label for label, _ in heat.lines] == labels


def test_the_heat_map_shows_what_the_json_says_and_no_markup_of_others(made_up: ModuleType) -> None:
    bad = "<script>alert(1)</script>"
    results = [seeded(made_up, 0), seeded(made_up, 1), seeded(made_up, 2, method=bad)]
    results[2] = replace(results[2], attacks={"prompt": results[2].attacks["prompt"]})
    setting = compare([*results, made_up.evaluate(replace(made_up.RETAIN_ONLY, prompted=0.1), "complete", subjects=8)])
    found = setting.settings["complete"]
    heat = attack_heat(found)
    assert heat is not None
    page = _environment().get_template("macros.html.j2").module.attack_heat(heat, "complete")  # type: ignore[attr-defined]
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    cells = re.findall(r'stack">(?:<s>)?(\S+?)(?:</s>)?(†?)<small>\[(\S+), (\S+)\]', page)
    told = [one["figures"]["excess"] for one in setting.to_dict()["settings"]["complete"]["recoveries"][:2]]
    assert [(c[0], c[2], c[3]) for c in cells] == [
        tuple(f"{one[key]:.2f}".replace("-", "−") for key in ("value", "low", "high")) for one in told
    ]
    assert not any(dagger for _, dagger, _, _ in cells)
    assert "npo (2 seeds)" in page
    alone = attack_heat(compare([results[0]]).settings["complete"])  # Without retain-only: marked as no excess.
    shown = _environment().get_template("macros.html.j2").module.attack_heat(alone, "complete")  # type: ignore[attr-defined]
    assert shown.count("†") == 1
    assert "nan" not in (page + shown).lower().replace("alert", "")
