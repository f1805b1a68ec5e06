"""What attacks got out, beside retain-only: by hand on four subjects, and as tables."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from offside_eval.compare import compare
from offside_eval.compare.show import recovery_rows
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
