"""One row of a comparison: a model, or one method over seeds, with all its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from offside_eval.compare.models import CONTROLS, Model
from offside_eval.compare.quantities import Figure, Quantity, unscored
from offside_eval.results import Results


@dataclass(frozen=True, eq=False)
class ModelRow:
    """One model in one setting.

    Args:
        label: Short name, unique within the setting: the method, or the role of a control.
        model: The model.
        results: The evaluation that the row is about; null for a control that was evaluated in
            another setting only (its answers to the same records are used).
        setting: Name of the setting.
        quantities: Every number by name (see `measures`), scored or not.
        collapsed: Why the model counts as collapsed; empty when it doesn't. One seed that did makes the row a collapsed
            one: what its numbers are means of is partly damage.
        wrecks: Digests of the models behind a row over seeds that collapsed.
        p_forgot: Holm-corrected p-value that it answers the forgotten claims just as vanilla does.
        parent: Label of the model that a relearned one came from.
        before: Whether it is what others in this setting were relearned from, and was unlearned in another setting:
            it stands beside them and is not ranked.
        seeds: Of the runs behind the row. With one, its intervals are about these weights only.
        members: The models behind a row over several seeds, one a seed; empty where it is of `model` alone.
        on_curve: Whether the row is read off a trajectory: then `model` and `results` are of the point just beyond.
        level: Forgetting at which it is read; null if it didn't get there, and stands where it got farthest.
        reached: The most forgetting that every one of its trajectories reached.
    """

    label: str
    model: Model
    results: Results | None
    setting: str
    quantities: Mapping[str, Quantity]
    collapsed: tuple[str, ...] = ()
    wrecks: tuple[str, ...] = ()
    p_forgot: float | None = None
    parent: str | None = None
    before: bool = False
    seeds: tuple[int | None, ...] = ()
    members: tuple[Model, ...] = ()
    on_curve: bool = False
    level: float | None = None
    reached: float | None = None

    @property
    def fell_short(self) -> bool:
        """Whether it didn't get to the forgetting at which methods are compared."""
        return self.on_curve and self.level is None

    @property
    def role(self) -> str:
        """Role of the model."""
        return self.model.role

    @property
    def is_control(self) -> bool:
        """Whether the row is there for comparison only."""
        return self.role in CONTROLS

    @property
    def ranks(self) -> bool:
        """Whether it is compared with the others of its setting, rather than shown beside them."""
        return self.role != "relearned" and not self.before

    @property
    def is_wreck(self) -> bool:
        """Whether `model`, whose answers stand for the row, is one that collapsed."""
        return bool(self.collapsed) and (not self.wrecks or self.model.digest in self.wrecks)

    def quantity(self, name: str) -> Quantity:
        """A number by name; not scored if nothing of that name was measured."""
        return self.quantities.get(name) or unscored("not measured in this setting")

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """Every number with its interval."""
        return {name: quantity.figure() for name, quantity in self.quantities.items()}

    def figure(self, name: str) -> Figure:
        """One number with its interval."""
        return self.figures.get(name) or self.quantity(name).figure()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "label": self.label,
            "role": self.role,
            "method": self.model.method,
            "model": {"path": self.model.path, "digest": self.model.digest},
            "results": str(self.results.path) if self.results and self.results.path else None,
            "parent": self.parent,
            "steps": self.model.steps if self.role == "relearned" else None,
            "before": self.before,
            "collapsed": list(self.collapsed),
            "collapsed_models": list(self.wrecks) or ([self.model.digest] if self.collapsed else []),
            "p_forgot": self.p_forgot,
            "seeds": list(self.seeds),
            "level": self.level,
            "reached": self.reached,
            "figures": {name: figure.to_dict() for name, figure in self.figures.items()},
        }
