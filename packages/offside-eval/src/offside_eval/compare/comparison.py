"""What `compare` returns: rows with figures, grouped by setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from offside_eval.compare.models import CONTROLS, Model, ModelSet
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
        collapsed: Why the model counts as collapsed; empty when it doesn't.
        p_forgot: Holm-corrected p-value that it answers the forgotten claims just as vanilla does.
        parent: Label of the model that a relearned one came from.
    """

    label: str
    model: Model
    results: Results | None
    setting: str
    quantities: Mapping[str, Quantity]
    collapsed: tuple[str, ...] = ()
    p_forgot: float | None = None
    parent: str | None = None

    @property
    def role(self) -> str:
        """Role of the model."""
        return self.model.role

    @property
    def is_control(self) -> bool:
        """Whether the row is there for comparison only."""
        return self.role in CONTROLS

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
            "collapsed": list(self.collapsed),
            "p_forgot": self.p_forgot,
            "figures": {name: figure.to_dict() for name, figure in self.figures.items()},
        }


@dataclass(frozen=True)
class SettingComparison:
    """The rows of one setting: models best first, collapsed ones last, and the controls."""

    name: str
    summary: str
    rows: Sequence[ModelRow]
    controls: Sequence[ModelRow]

    @property
    def ranked(self) -> list[ModelRow]:
        """The unlearned models that didn't collapse, best balance of forgetting and keeping first."""
        return [r for r in self.rows if not r.collapsed and r.role != "relearned"]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "summary": self.summary,
            "models": [r.to_dict() for r in self.rows],
            "controls": [r.to_dict() for r in self.controls],
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several models side by side.

    Args:
        metric: Name of the per-record score that everything is computed from.
        settings: By setting, in the order of `offside_data.settings`.
        models: The models and how they belong together.
        notes: What a reader must know: missing controls, mismatches that were allowed, odd set-ups.
    """

    metric: str
    settings: Mapping[str, SettingComparison]
    models: ModelSet
    notes: Sequence[str] = field(default_factory=list)

    def rows(self, setting: str | None = None, *, role: str | None = None, method: str | None = None) -> list[ModelRow]:
        """Rows that aren't controls, of one setting or all, narrowed by role and method."""
        chosen = [s for name, s in self.settings.items() if setting in (None, name)]
        return [
            row for s in chosen for row in s.rows if role in (None, row.role) and method in (None, row.model.method)
        ]

    def control(self, setting: str, role: str) -> ModelRow | None:
        """The row of a control in a setting."""
        rows = self.settings[setting].controls if setting in self.settings else ()
        return next((r for r in rows if r.role == role), None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "schema": 1,
            "metric": self.metric,
            "notes": list(self.notes),
            "settings": {name: s.to_dict() for name, s in self.settings.items()},
        }
