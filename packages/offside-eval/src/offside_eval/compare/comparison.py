"""What `compare` returns: rows with figures, grouped by setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from offside_eval.compare.attacks import AttackOutcome
from offside_eval.compare.model_row import ModelRow
from offside_eval.compare.models import ModelSet
from offside_eval.compare.recoveries import Recovery
from offside_eval.compare.trajectories import Candidate


@dataclass(frozen=True)
class SettingComparison:
    """The rows of one setting.

    Args:
        name: Of the setting.
        summary: In a sentence.
        rows: Models best first, then those that fell short of the level, then collapsed ones.
        controls: Models shown beside them.
        candidates: The methods of which there are trajectories.
        levels: Forgetting at which they are compared.
        level: The one at which they are ranked; null without trajectories, or if none got to any.
        attacks: What relearning attacks brought back; the models after them stand nowhere else.
        recoveries: What attacks without training got out of the models.
    """

    name: str
    summary: str
    rows: Sequence[ModelRow]
    controls: Sequence[ModelRow]
    candidates: Sequence[Candidate] = ()
    levels: Sequence[float] = ()
    level: float | None = None
    attacks: Sequence[AttackOutcome] = ()
    recoveries: Sequence[Recovery] = ()

    @property
    def ranked(self) -> list[ModelRow]:
        """The unlearned models that didn't collapse, best balance of forgetting and keeping first."""
        return [r for r in self.rows if r.ranks and not (r.collapsed or r.fell_short)]

    @property
    def all_rows(self) -> list[tuple[ModelRow, bool]]:
        """The rows and the controls, and whether each is a control."""
        return [(row, False) for row in self.rows] + [(row, True) for row in self.controls]

    def candidate(self, row: ModelRow) -> Candidate | None:
        """The trajectories that a row is read off, if it is."""
        return next((c for c in self.candidates if row.on_curve and c.label == row.label), None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "summary": self.summary,
            "ranked_at_forgetting": self.level,
            "at_forgetting": [
                {"level": level, "models": [c.to_dict(level) for c in self.candidates]} for level in self.levels
            ],
            "models": [r.to_dict() for r in self.rows],
            "controls": [r.to_dict() for r in self.controls],
            "attacks": [outcome.to_dict() for outcome in self.attacks],
            "recoveries": [recovery.to_dict() for recovery in self.recoveries],
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

    @property
    def wrecks(self) -> set[str]:
        """Digests of the models that collapsed, the points of curves among them, wherever tables read these."""
        found: set[str] = set()
        for setting in self.settings.values():
            points = [row for c in setting.candidates for run in c.runs for row in run.points]
            for row in [*(row for row in setting.rows if not row.on_curve), *points]:
                found |= set(row.wrecks) if row.wrecks else {row.model.digest} if row.collapsed else set()
        return found

    def control(self, setting: str, role: str) -> ModelRow | None:
        """The row of a control in a setting."""
        rows = self.settings[setting].controls if setting in self.settings else ()
        return next((r for r in rows if r.role == role), None)

    def shown_twins(self) -> list[tuple[ModelRow, bool]]:
        """Every model that was shown the twins in the setting made for them, else in another; whether as a control."""
        for setting in (self.settings[name] for name in ("visual-rumor", *self.settings) if name in self.settings):
            shown = [pair for pair in setting.all_rows if pair[0].quantity("remembered").compute is not None]
            if shown:
                return shown
        return []

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "schema": 1,
            "metric": self.metric,
            "notes": list(self.notes),
            "settings": {name: s.to_dict() for name, s in self.settings.items()},
        }
