"""Relearning attacks: the most that came back at any rate and after any number of steps, beside retain-only's most.

An attack is judged at its peak, for how fast a claim comes back is a matter of the learning rate alone. The peak is
chosen on the same records that it is read on, so that it is somewhat high; retain-only's is chosen alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from offside_data.figures import counted
from offside_eval.compare.model_row import ModelRow
from offside_eval.compare.models import ModelSet, told_apart
from offside_eval.compare.quantities import Quantity, difference, unscored
from offside_eval.compare.seeds import recipe

if TYPE_CHECKING:
    from offside_data.run_manifest import RunManifest

_LENGTH_AND_RATE = ("lr", "max_steps", "epochs")


@dataclass(frozen=True, eq=False)
class AttackOutcome:
    """What one attack brought back in one model, or one method over seeds.

    Args:
        label: Of the model that was attacked.
        attack: Its kind.
        rows: The model after each rate and number of steps.
        control: What the same attack brought "back" in retain-only, which never knew it; null if that wasn't attacked.
    """

    label: str
    attack: str
    rows: Sequence[ModelRow]
    control: AttackOutcome | None = None

    @property
    def peak(self) -> ModelRow:
        """The row in which most is known; of several the one after the fewest steps."""
        return max(self.rows, key=lambda row: (_value(row), -(row.model.steps or 0)))

    @property
    def quantities(self) -> dict[str, Quantity]:
        """Known before and at the peak, the rise between, that of retain-only to its own peak, and the excess."""
        peak = self.peak
        rise = peak.quantity("recovered")
        control = self._control_rise()
        excess = control if control.compute is None else difference(rise, control)
        return {
            "before": peak.quantity("before/knows"),
            "peak": peak.quantity("knows"),
            "rise": rise,
            "control_rise": control,
            "excess": excess,
        }

    def _control_rise(self) -> Quantity:
        """Retain-only's rise to its peak where this model was looked at: of more places the most is more."""
        if self.control is None:
            return unscored("retain-only after the same attack is missing")
        own = {_order(row) for row in self.rows}
        alike = [row for row in self.control.rows if _order(row) in own]
        if len({_order(row) for row in alike}) < len(own):
            return unscored("retain-only wasn't attacked at all of these rates, or looked at after all of these steps")
        return AttackOutcome(self.control.label, self.attack, alike).peak.quantity("recovered")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "label": self.label,
            "attack": self.attack,
            "at": where_peak(self),
            "seeds": list(self.peak.seeds),
            "figures": {name: quantity.figure().to_dict() for name, quantity in self.quantities.items()},
            "curve": [
                {"steps": row.model.steps, "lr": learning_rate(row), "knows": row.quantity("knows").value}
                for row in self.rows
            ],
        }


def is_attack(row: ModelRow) -> bool:
    """Whether a row is of a model that was attacked, rather than corrected."""
    return row.model.run is not None and row.model.run.attack is not None


def attack_outcomes(rows: Iterable[ModelRow], starts: Mapping[str, str], models: ModelSet) -> list[AttackOutcome]:
    """The attacks among some rows, those on retain-only last.

    Args:
        rows: Of attacked models; the labels of one model's differ by rate and steps.
        starts: What each was made from, as `starts_of` has it.
        models: All models.
    """
    groups: dict[tuple[str, str], list[ModelRow]] = {}
    for row in rows:
        run = row.model.run
        assert run is not None, "only a manifest tells an attack"
        groups.setdefault((_same_attack(run), starts[row.model.digest]), []).append(row)
    outcomes = [
        AttackOutcome(group[0].parent or "?", _kind(group[0]), sorted(group, key=_order)) for group in groups.values()
    ]
    controls = {_key(o): o for o in outcomes if o.rows[0].parent == "retain_only"}
    attacked = [
        AttackOutcome(o.label, o.attack, o.rows, controls.get(_key(o)))
        for o in outcomes
        if o.rows[0].parent != "retain_only"
    ]
    attacked = _told_apart(attacked, models)
    return sorted(attacked, key=lambda o: (o.attack, o.label)) + sorted(controls.values(), key=lambda o: o.attack)


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
