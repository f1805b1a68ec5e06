"""Relearning attacks: the most that came back at any rate and after any number of steps, beside retain-only's most.

An attack is judged at its peak, for how fast a claim comes back is a matter of the learning rate alone. The peak is
chosen on the same records that it is read on, so that it is somewhat high; retain-only's is chosen alike. One
retain-only model may guess these claims a little better than another by the luck of its seed, so that there should be
several: what counts is the mean of their rises, and their spread is in the interval of the excess.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from offside_data.figures import counted
from offside_eval.compare.model_row import ModelRow
from offside_eval.compare.models import NEVER_SAW, ModelSet, told_apart
from offside_eval.compare.quantities import Quantity, difference, over_seeds, unscored
from offside_eval.compare.seeds import recipe

if TYPE_CHECKING:
    from offside_data.run_manifest import RunManifest

ASKED_CONTROLS = 3
"""Retain-only models that should have been attacked alike: with fewer the excess may be the luck of one."""
CURVE = ("knows", "rank")
"""What is shown at every rate and after every number of steps."""
_LENGTH_AND_RATE = ("lr", "max_steps", "epochs")


@dataclass(frozen=True, eq=False)
class AttackOutcome:
    """What one attack brought back in one model, or one method over seeds.

    Args:
        label: Of the model that was attacked.
        attack: Its kind.
        rows: The model after each rate and number of steps.
        role: Of the model that was attacked; null if it isn't among the results.
        controls: What the same attack brought "back" in each retain-only model, which never knew it.
    """

    label: str
    attack: str
    rows: Sequence[ModelRow]
    role: str | None = None
    controls: Sequence[AttackOutcome] = ()

    @property
    def peak(self) -> ModelRow:
        """The row in which most is known; of several the one after the fewest steps."""
        return max(self.rows, key=lambda row: (_value(row), -(row.model.steps or 0)))

    @property
    def end(self) -> ModelRow:
        """The row after the most steps at the rate of the peak."""
        rate = learning_rate(self.peak)
        return max((r for r in self.rows if learning_rate(r) == rate), key=lambda row: row.model.steps or 0)

    @property
    def quantities(self) -> dict[str, Quantity]:
        """Known before, at the peak and at the end, the rise to the peak, retain-only's to its own, and the excess.

        `control_rise` is the mean over the retain-only models. Where true values were ranked among others, also
        `rank_before`, `rank_peak` (at the same peak) and `rank_end`.
        """
        peak, end = self.peak, self.end
        rise = peak.quantity("recovered")
        control = self._control_rise()
        excess = control if control.compute is None else difference(rise, control)
        found = {
            "before": peak.quantity("before/knows"),
            "peak": peak.quantity("knows"),
            "end": end.quantity("knows"),
            "rise": rise,
            "control_rise": control,
            "excess": excess,
        }
        if "rank" in peak.quantities:
            ranks = {"before": peak.quantity("before/rank"), "peak": peak.quantity("rank"), "end": end.quantity("rank")}
            found |= {f"rank_{when}": rank for when, rank in ranks.items()}
        return found

    @property
    def alike(self) -> list[AttackOutcome]:
        """The controls where this model was looked at, those that were looked at there: of more the most is more."""
        own = {_order(row) for row in self.rows}
        there = [replace(c, rows=[row for row in c.rows if _order(row) in own]) for c in self.controls]
        return [control for control in there if {_order(row) for row in control.rows} == own]

    @property
    def remark(self) -> str:
        """How many retain-only models it stands beside, and how many there should be; empty where there is none."""
        n = len(self.alike)
        few = f"; {ASKED_CONTROLS} are asked for" if n < ASKED_CONTROLS else ""
        return f"{counted(n, 'retain-only model')}{few}" if n else ""

    def _control_rise(self) -> Quantity:
        """The rises of retain-only models to their peaks, together."""
        if self.role == "retain_only":
            return unscored("it is the control")
        if not self.controls:
            return unscored("retain-only after the same attack is missing")
        if not self.alike:
            return unscored("retain-only wasn't attacked at all of these rates, or looked at after all of these steps")
        return over_seeds([control.peak.quantity("recovered") for control in self.alike])

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "label": self.label,
            "role": self.role,
            "attack": self.attack,
            "at": where_peak(self),
            "seeds": list(self.peak.seeds),
            "n_controls": len(self.alike),
            "remark": self.remark,
            "figures": {name: quantity.figure().to_dict() for name, quantity in self.quantities.items()},
            "curve": [
                {"steps": row.model.steps, "lr": learning_rate(row)}
                | {key: row.quantity(key).value for key in CURVE if key in row.quantities}
                for row in self.rows
            ],
        }


def is_attack(row: ModelRow) -> bool:
    """Whether a row is of a model that was attacked, rather than corrected, or given another role by hand."""
    return row.model.role == "relearned" and row.model.run is not None and row.model.run.attack is not None


def attack_outcomes(rows: Iterable[ModelRow], starts: Mapping[str, str], models: ModelSet) -> list[AttackOutcome]:
    """The attacks among some rows, those on models that never saw the claims behind the others, retain-only last.

    Args:
        rows: Of attacked models; the labels of one model's differ by rate and steps.
        starts: What each was made from, as `starts_of` has it.
        models: All models.
    """
    groups: dict[tuple[str, str, str], list[ModelRow]] = {}
    for row in rows:
        run, parent = row.model.run, models.parents.get(row.model.digest)
        assert run is not None, "only a manifest tells an attack"
        # Each retain-only model is a control by itself, though another differs from it in its seed alone.
        own = parent.digest if parent is not None and parent.role == "retain_only" else ""
        groups.setdefault((_same_attack(run), starts[row.model.digest], own), []).append(row)
    by_role: dict[str, list[AttackOutcome]] = {"": [], NEVER_SAW: [], "retain_only": []}
    for group in groups.values():
        parent = models.parents.get(group[0].model.digest)
        role = parent.role if parent is not None else None
        outcome = AttackOutcome(group[0].parent or "?", _kind(group[0]), sorted(group, key=_order), role)
        by_role[role if role and role in by_role else ""].append(outcome)
    controls: dict[str, list[AttackOutcome]] = {}
    for outcome in by_role["retain_only"]:
        controls.setdefault(_key(outcome), []).append(outcome)
    for role in ("", NEVER_SAW):
        by_role[role] = [replace(o, controls=controls.get(_key(o), ())) for o in by_role[role]]
    return [
        outcome
        for outcomes in by_role.values()
        for outcome in sorted(_told_apart(outcomes, models), key=lambda o: (o.attack, o.label))
    ]


def _told_apart(outcomes: Sequence[AttackOutcome], models: ModelSet) -> list[AttackOutcome]:
    """The same with labels that differ, where one attack was made on several models of a method."""
    alike: dict[tuple[str, str], list[AttackOutcome]] = {}
    for outcome in outcomes:
        alike.setdefault((outcome.label, outcome.attack), []).append(outcome)
    found = []
    for group in alike.values():
        if len(group) == 1:
            found += group
            continue
        of = [models.parents.get(o.rows[0].model.digest) or o.rows[0].model for o in group]
        steps = {model.steps for model in of}
        if len(steps) == len(of) and None not in steps:
            ends = [f"after {counted(model.steps or 0, 'step')}" for model in of]
        else:
            ends = [f"({place})" for place in told_apart(of)]
        found += [replace(o, label=f"{o.label} {end}") for o, end in zip(group, ends, strict=True)]
    return found


def where_peak(outcome: AttackOutcome) -> str:
    """`40 steps at 0.001`."""
    rate = learning_rate(outcome.peak)
    return f"{outcome.peak.model.steps} steps" + ("" if rate is None else f" at {rate:g}")


def learning_rate(row: ModelRow) -> float | None:
    """The rate at which a model was attacked."""
    rate = row.model.run.config.get("lr") if row.model.run else None
    return None if rate is None else float(rate)


def _order(row: ModelRow) -> tuple[float, int]:
    return learning_rate(row) or 0.0, row.model.steps or 0


def _value(row: ModelRow) -> float:
    value = row.quantity("knows").value
    return -1.0 if value is None else value


def _kind(row: ModelRow) -> str:
    run = row.model.run
    return str(run.attack).replace("_", " ") if run else ""


def _key(outcome: AttackOutcome) -> str:
    run = outcome.rows[0].model.run
    return _same_attack(run) if run else ""


def _same_attack(run: RunManifest) -> str:
    """The same text for the same attack on other models, at other rates and for other numbers of steps."""
    content: Mapping[str, Any] = json.loads(recipe(run))
    config = {key: value for key, value in content["config"].items() if key not in _LENGTH_AND_RATE}
    same = {"attack": run.attack, "taught": content["taught"], "config": config, "dataset": content["dataset"]}
    return json.dumps(same, sort_keys=True)
