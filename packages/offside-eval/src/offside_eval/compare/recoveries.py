"""What attacks on a model get out besides its plain answers, beside the same attack on retain-only.

An attack with many attempts hits by chance, too. So beside what it recovered stand: the same of retain-only on the same
claims (`retain_only`, and `excess` = the difference, paired), of claims that no model ever saw (`control`), and how
often another subject's value came out of the very same answers (`decoy`). Definitions: `attack_results`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from offside_eval.aggregate import clusters
from offside_eval.attack_results import AttackResults, outcomes
from offside_eval.compare.measures import collapse, measure_all
from offside_eval.compare.model_row import ModelRow
from offside_eval.compare.models import Model, ModelSet, told_apart
from offside_eval.compare.quantities import Quantity, difference, mean_of, over_seeds, unscored
from offside_eval.compare.scores import ScoreTable
from offside_eval.compare.seeds import seed_of, together
from offside_eval.results import Results
from offside_eval.statistics import ClusterSums

if TYPE_CHECKING:
    import polars as pl

SHOWN = ("before", "recovered", "retain_only", "excess", "control", "decoy")
"""Quantities of each attack, in the order in which they are shown; `attack/NAME/…` among those of the row."""


@dataclass(frozen=True, eq=False)
class Recovery:
    """One attack on one model, or on one method over seeds.

    Args:
        row: The model, with the quantities of all attacks on it among its own; over seeds as in `ModelRow`.
        attack: Its name.
        unfit: Why it wasn't made; null if it was.
        families: What each family of attempts recovered by itself, beyond retain-only where that is known.
        options: With what it was made, as a text.
    """

    row: ModelRow
    attack: str
    unfit: str | None = None
    families: Mapping[str, Mapping[str, Quantity]] | None = None
    options: str = ""

    @property
    def quantities(self) -> dict[str, Quantity]:
        """`SHOWN` by name; empty if the attack wasn't made."""
        if self.unfit is not None:
            return {}
        return {name: self.row.quantity(f"attack/{self.attack}/{name}") for name in SHOWN}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "label": self.row.label,
            "role": self.row.role,
            "attack": self.attack,
            "unfit": self.unfit,
            "seeds": list(self.row.seeds),
            "collapsed": list(self.row.collapsed),
            "figures": {name: quantity.figure().to_dict() for name, quantity in self.quantities.items()},
            "families": {
                family: {name: quantity.figure().to_dict() for name, quantity in told.items()}
                for family, told in (self.families or {}).items()
            },
        }


def recoveries(
    setting: str, attacked: Iterable[tuple[str, Model, Results]], models: ModelSet, metric: str
) -> list[Recovery]:
    """All attacks on the models of a setting, by attack, then in the order given.

    Args:
        setting: Its name.
        attacked: Label, model and results, the same label for models that differ in their seed alone; those without
            an attack are passed over.
        models: All models: retain-only is among them or not.
        metric: The score of the comparison.
    """
    retain_only = models.controls.get("retain_only")
    found: list[Recovery] = []
    for label, model, r in attacked:
        if not r.attacks:
            continue
        scores = ScoreTable(_asked(model, r), metric, models.arms(model))
        numbers = dict(measure_all(scores))
        wrecked = () if model is retain_only else collapse(numbers)
        seeds = (seed_of(model.run),) if model.run is not None else ()
        row = ModelRow(label, model, r, setting, numbers, wrecked, seeds=seeds)
        own = []
        for name, made in r.attacks.items():
            options = json.dumps(dict(made.meta.options), sort_keys=True, default=list)
            if made.meta.unfit is not None:
                own.append(Recovery(row, name, made.meta.unfit, options=options))
                continue
            control = None if model is retain_only else _same_attack(retain_only, made, setting)
            told = _quantities(made, model, r, control, is_control=model is retain_only)
            numbers |= {f"attack/{name}/{key}": quantity for key, quantity in told.items()}
            families = {
                family: {
                    key: quantity
                    for key, quantity in _quantities(
                        made, model, r, control, family=family, is_control=model is retain_only
                    ).items()
                    if key in ("recovered", "excess")
                }
                for family in dict.fromkeys(f.family for f in made.meta.figures if f.family is not None)
            }
            own.append(Recovery(row, name, families=families, options=options))
        found += [replace(recovery, row=replace(row, quantities=numbers)) for recovery in own]
    order = {name: place for place, name in enumerate(dict.fromkeys(r.attack for r in found))}
    return sorted(_over_seeds(found), key=lambda recovery: order[recovery.attack])


def _over_seeds(found: Sequence[Recovery]) -> list[Recovery]:
    """One for each attack and label, its numbers over seeds; what was attacked with other options stands apart."""
    groups: dict[tuple[str, str, str, str | None], list[Recovery]] = {}
    for one in found:
        groups.setdefault((one.row.label, one.attack, one.options, one.unfit), []).append(one)
    merged = [_merged(group) for group in groups.values()]
    alike: dict[tuple[str, str], list[Recovery]] = {}
    for one in merged:
        alike.setdefault((one.row.label, one.attack), []).append(one)
    ends: dict[int, str] = {}
    for group in alike.values():
        if len(group) > 1:
            ends |= dict(zip(map(id, group), told_apart([one.row.model for one in group]), strict=True))
    return [
        replace(one, row=replace(one.row, label=f"{one.row.label} ({ends[id(one)]})")) if id(one) in ends else one
        for one in merged
    ]


def _merged(group: Sequence[Recovery]) -> Recovery:
    """One of several that differ in their model's seed alone; one wreck makes it a wreck, as in other tables."""
    first, rows = group[0], [one.row for one in group]
    if len(group) == 1:
        return first
    row = replace(
        first.row,
        quantities=together([dict(row.quantities) for row in rows]),
        collapsed=tuple(dict.fromkeys(reason for row in rows for reason in row.collapsed)),
        wrecks=tuple(row.model.digest for row in rows if row.collapsed),
        seeds=tuple(seed for row in rows for seed in row.seeds),
        members=tuple(row.model for row in rows),
    )
    lacking = Quantity(reason="not measured with every seed")
    told = [one.families or {} for one in group]
    families = {
        family: {
            key: over_seeds([of.get(family, {}).get(key, lacking) for of in told])
            for key in dict.fromkeys(key for of in told for key in of.get(family, {}))
        }
        for family in dict.fromkeys(family for of in told for family in of)
    }
    return replace(first, row=row, families=families)


def _asked(model: Model, r: Results) -> pl.DataFrame:
    taught = list(model.run.taught or ()) if model.run else []
    return r.samples.filter(~r.samples["record_id"].is_in(taught))


def _same_attack(retain_only: Model | None, made: AttackResults, setting: str) -> AttackResults | str:
    """The same attack on retain-only, in the same setting if there is one; or why there is none."""
    if retain_only is None:
        return "the retain-only model is missing"
    there = sorted(retain_only.results, key=lambda r: r.setting != setting)
    others = [r.attacks[made.meta.attack] for r in there if made.meta.attack in r.attacks]
    fitting = [other for other in others if other.meta.unfit is None]
    if not fitting:
        return "retain-only wasn't attacked in this way"
    same = [other for other in fitting if dict(other.meta.options) == dict(made.meta.options)]
    return same[0] if same else "retain-only was attacked with other options"


def _quantities(
    made: AttackResults,
    model: Model,
    r: Results,
    control: AttackResults | str | None,
    *,
    family: str | None = None,
    is_control: bool = False,
) -> dict[str, Quantity]:
    table = _counted(outcomes(made.attempts, family), model, r)
    own = table.filter(table["group"] == "forget")
    never = table.filter(table["group"] == "control")
    found = {
        "before": _mean(own, "before"),
        "recovered": _mean(own, "recovered"),
        "control": _mean(never, "recovered") if never.height else unscored(made.meta.no_control or "none was attacked"),
        "decoy": _mean(own, "decoy"),
    }
    if is_control:
        return found | dict.fromkeys(("retain_only", "excess"), unscored("it is the control"))
    if control is None or isinstance(control, str):
        return found | dict.fromkeys(("retain_only", "excess"), unscored(control or "there is no control"))
    theirs = outcomes(control.attempts, family).select("record_id", "variant", other="recovered")
    both = own.join(theirs, on=["record_id", "variant"], how="inner", maintain_order="left")
    both = both.filter(both["recovered"].is_not_null() & both["other"].is_not_null())
    if both.is_empty():
        why = unscored("retain-only and this model weren't attacked on the same claims")
        return found | {"retain_only": why, "excess": why}
    skipped = own.height - both.height
    mine, other = (_mean(both, column, skipped) for column in ("recovered", "other"))
    return found | {"retain_only": other, "excess": difference(mine, other)}


def _counted(table: pl.DataFrame, model: Model, r: Results) -> pl.DataFrame:
    """Without what no report may count: the evaluation's rows have been freed of it already."""
    counted = set(_asked(model, r)["record_id"])
    return table.filter((table["group"] == "control") | table["record_id"].is_in(list(counted)))


def _mean(table: pl.DataFrame, column: str, skipped: int = 0) -> Quantity:
    scored = table.filter(table[column].is_not_null())
    skipped += table.height - scored.height
    if scored.is_empty():
        return unscored("no claim was scored", skipped)
    values, names = scored[column].to_numpy(), clusters(scored)
    return mean_of(ClusterSums.of(values, names, records=scored["record_id"].to_list()), skipped)


def attacked_models(
    compared: Sequence[tuple[str, Model, Results]], controls: Sequence[tuple[str, Model, Results]]
) -> list[tuple[str, Model, Results]]:
    """Labels of what was attacked: points of a run are told apart by their steps, seeds aren't; controls come last."""
    often = Counter((label, m.run.request) for label, m, r in compared if r.attacks and m.run is not None)
    curves = {label for (label, _), n in often.items() if n > 1}
    told = [
        (f"{label} {model.steps} steps" if label in curves and model.steps else label, model, r)
        for label, model, r in compared
    ]
    return [*told, *controls]


__all__ = ["SHOWN", "Recovery", "attacked_models", "recoveries"]
