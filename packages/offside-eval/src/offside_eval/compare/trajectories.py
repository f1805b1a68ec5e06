"""Matched forgetting: what methods keep where they have forgotten the same, read off their trajectories.

A method at one number of steps says little: which of two models kept more depends on how long each was unlearned. So
the points of a run (`offside-unlearn run --curve-steps`, `offside-eval run --curve`) are taken as one trajectory, and
every number is read where it has forgotten a given share.

A trajectory starts at vanilla, whose forgetting is 0. Of its points, in the order of their steps, those count that
forgot more than every point before them: a monotone envelope, so that a level is where it is *first* reached. Between
two neighbours `a` and `b` of these, with forgetting `f_a < level <= f_b`, every number `q` is taken as linear in
forgetting: `q_a + w (q_b - q_a)`, `w = (level - f_a) / (f_b - f_a)`. The neighbours are those of the whole data; `w`
is computed anew wherever an interval needs the numbers of other subjects, and kept between 0 and 1, so that intervals
know that the dose is an estimate too. Only forgetting itself, and the raw numbers behind it, keep the `w` of the
whole data: there the interval says how much was forgotten at that dose. Nothing is extrapolated: a trajectory that
doesn't get to a level says how far it got.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from offside_data.errors import UsageError
from offside_eval.compare.extremes import with_extremes
from offside_eval.compare.measures import collapse
from offside_eval.compare.model_row import ModelRow
from offside_eval.compare.models import Model
from offside_eval.compare.quantities import Quantity, combine
from offside_eval.compare.seeds import together
from offside_eval.statistics import Floats

LEVELS = (0.5, 0.8, 0.95)
"""Shares of forgetting at which methods are compared unless told otherwise."""
DOSE = ("knows", "drop", "forgetting")
"""Numbers that say how much was forgotten."""
BACK = ("recovered", "recovered_control", "excess_recovery", "corrected")
"""Numbers of a relearned model that are shown at a level."""


def parse_levels(text: str) -> tuple[float, ...]:
    """`forgetting=0.5,0.8` to `(0.5, 0.8)`.

    Raises:
        UsageError: If it says anything else.
    """
    what, _, numbers = text.partition("=")
    try:
        levels = sorted({float(number) for number in numbers.split(",")})
    except ValueError:
        levels = []
    if what.strip() != "forgetting" or not levels or not all(0 < level <= 1 for level in levels):
        raise UsageError(f"--at takes forgetting=LEVEL,LEVEL,… with shares above 0 and at most 1, got {text!r}.")
    return tuple(levels)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The points of one run.

    Args:
        seed: Of the run; null if it names none.
        points: A row a point, by steps; the first is vanilla.
    """

    seed: int | None
    points: tuple[ModelRow, ...]

    @property
    def request(self) -> str | None:
        """What tells the run from others; null for models without a manifest."""
        run = self.points[-1].model.run
        return None if run is None else run.request

    def after(self, steps: int | None) -> list[ModelRow]:
        """The point after so many steps, if there is one."""
        return [row for row in self.points[1:] if row.model.steps == steps]

    @cached_property
    def envelope(self) -> tuple[ModelRow, ...]:
        """The points that forgot more than every one before them, vanilla first."""
        best, kept = float("-inf"), []
        for row in self.points:
            forgot = row.quantity("forgetting").value
            if forgot is not None and forgot > best:
                best = forgot
                kept.append(row)
        return tuple(kept)

    @property
    def reached(self) -> float | None:
        """The most that was forgotten; null if forgetting can't be computed of any of its models."""
        known = any(row.quantity("forgetting").value is not None for row in self.points if not row.is_control)
        return self.envelope[-1].quantity("forgetting").value if known else None

    @property
    def farthest(self) -> ModelRow:
        """The model that forgot most; the last one where none forgot anything, for vanilla isn't one of them."""
        return next((row for row in reversed(self.envelope) if not row.is_control), self.points[-1])

    def around(self, level: float) -> tuple[ModelRow, ModelRow] | None:
        """The neighbours between which a level is first reached; null if it isn't."""
        for before, after in zip(self.envelope, self.envelope[1:], strict=False):
            if _forgetting(before) < level <= _forgetting(after):
                return before, after
        return None

    def at(self, level: float) -> dict[str, Quantity] | None:
        """Every number where `level` is first reached; null if it isn't."""
        found = self.around(level)
        if found is None:
            return None
        before, after = found
        return with_extremes({name: _between(before, after, name, level) for name in after.quantities})


def _forgetting(row: ModelRow) -> float:
    value = row.quantity("forgetting").value
    assert value is not None  # as in `envelope`
    return value


def _between(before: ModelRow, after: ModelRow, name: str, level: float) -> Quantity:
    f_a, f_b = before.quantity("forgetting"), after.quantity("forgetting")
    q_a, q_b = before.quantity(name), after.quantity(name)
    if q_b.compute is None:
        return q_b
    weight = (level - _forgetting(before)) / (_forgetting(after) - _forgetting(before))
    if name in DOSE:
        return combine(lambda v: v[0] + weight * (v[1] - v[0]), q_a, q_b)

    def interpolate(v: Sequence[Floats]) -> Floats:
        low, high = v[0], v[1]
        apart = high > low
        own = np.clip((level - low) / np.where(apart, high - low, 1.0), 0.0, 1.0)
        w = np.where(apart, own, weight)
        return np.asarray(v[2] + w * (v[3] - v[2]), dtype=np.float64)

    return combine(interpolate, f_a, f_b, q_a, q_b)


@dataclass(frozen=True, eq=False)
class Relearned:
    """What came back of a trajectory's model that was relearned.

    Args:
        forgetting: Of the model before, where the trajectory was measured.
        row: The relearned model.
    """

    forgetting: float
    row: ModelRow


@dataclass(frozen=True, eq=False)
class Candidate:
    """One method's trajectories, a seed each.

    Args:
        label: As in the table.
        runs: The trajectories.
        relearned: What came back of its models, in whichever setting that was asked.
    """

    label: str
    runs: tuple[Trajectory, ...]
    relearned: tuple[Relearned, ...] = ()

    @property
    def reached(self) -> float | None:
        """What every seed reached."""
        ends = [run.reached for run in self.runs]
        return None if any(end is None for end in ends) else min(end for end in ends if end is not None)

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Their seeds."""
        return tuple(run.seed for run in self.runs)

    def at(self, level: float) -> dict[str, Quantity] | None:
        """Every number over seeds where `level` is first reached; null if a seed doesn't reach it."""
        found = [run.at(level) for run in self.runs]
        return None if any(numbers is None for numbers in found) else together([n for n in found if n is not None])

    def to_dict(self, level: float) -> dict[str, Any]:
        """For JSON: every number at a level, or how far it got."""
        numbers = self.at(level)
        figures = None if numbers is None else {name: q.figure().to_dict() for name, q in numbers.items()}
        back = self.relearned_from(level)
        return {
            "label": self.label,
            "seeds": list(self.seeds),
            "reached": self.reached,
            "figures": figures,
            "relearned": None
            if back is None
            else {
                "from_forgetting": back.forgetting,
                "steps": back.row.model.steps,
                "figures": {name: back.row.figure(name).to_dict() for name in BACK},
            },
        }

    def relearned_from(self, level: float) -> Relearned | None:
        """What came back of the model that had forgotten `level` with the least beyond, after the longest relearning.

        Nothing is interpolated: a model is relearned from where it is. Null if none was that had forgotten as much.
        """
        far = [r for r in self.relearned if r.forgetting >= level]
        return min(far, key=lambda r: (r.forgetting, -(r.row.model.steps or 0)), default=None)

    def with_relearned(self, rows: Sequence[ModelRow], parents: Mapping[str, Model]) -> Candidate:
        """The same with those of `rows` that were relearned from one of its models.

        Args:
            rows: Of relearned models.
            parents: The model that each was made from, by digest.
        """
        by_request = {run.request: run for run in self.runs}
        found = []
        for row in rows:
            forgot = []
            for model in row.members or (row.model,):
                parent = parents.get(model.digest)
                run = by_request.get(parent.run.request) if parent is not None and parent.run is not None else None
                starts = run.after(parent.steps) if run is not None and parent is not None else []
                forgot += [start.quantity("forgetting").value for start in starts] or [None]
            known = [value for value in forgot if value is not None]
            if known and len(known) == len(forgot):
                found.append(Relearned(sum(known) / len(known), row))
        return replace(self, relearned=tuple(found))

    def row(self, level: float | None) -> ModelRow:
        """A row of the setting's table: at `level`, or the farthest that it got.

        The row's model and answers are those of the point just beyond the level, of the first seed.
        """
        found = [None if level is None else run.around(level) for run in self.runs]
        pairs = [pair for pair in found if pair is not None]
        if level is None or len(pairs) < len(self.runs):
            ends = [run.farthest for run in self.runs]
            return _row(self, ends, together([dict(end.quantities) for end in ends]), None)
        numbers = [of_run for run in self.runs if (of_run := run.at(level)) is not None]
        ends = [
            replace(after, collapsed=_collapsed(before, after, level, of_run))
            for (before, after), of_run in zip(pairs, numbers, strict=True)
        ]
        return _row(self, ends, together(numbers), level)

    def first_where(self, holds: Callable[[ModelRow], bool]) -> ModelRow:
        """The row at the least forgetting where something holds; the farthest one if it holds nowhere.

        Looked at is the forgetting at which a seed has a point: between points nothing new is known.
        """
        points = {point.quantity("forgetting").value or 0.0 for run in self.runs for point in run.envelope}
        for level in sorted(level for level in points if 0 < level <= (self.reached or 0.0)):
            if holds(row := self.row(level)):
                return row
        return self.row(None)


def _collapsed(before: ModelRow, after: ModelRow, level: float, numbers: Mapping[str, Quantity]) -> tuple[str, ...]:
    """Why a run counts as collapsed at a level: a wreck is one, and so is what lies between two.

    Between a sound point and a wreck, the numbers that are read there decide.
    """
    return after.collapsed if before.collapsed or level >= _forgetting(after) else collapse(numbers)


def _row(
    candidate: Candidate, ends: Sequence[ModelRow], numbers: Mapping[str, Quantity], level: float | None
) -> ModelRow:
    first = ends[0]
    reasons = dict.fromkeys(reason for end in ends for reason in end.collapsed)
    return ModelRow(
        label=candidate.label,
        model=first.model,
        results=first.results,
        setting=first.setting,
        quantities=numbers,
        collapsed=tuple(reasons),
        wrecks=tuple(end.model.digest for end in ends if end.collapsed),
        seeds=candidate.seeds,
        level=level,
        reached=candidate.reached,
        on_curve=True,
    )


def ranking_level(candidates: Sequence[Candidate], levels: Sequence[float]) -> float | None:
    """The highest of `levels` that all candidates reached; null if there is none.

    A method that doesn't even reach the lowest level is no candidate: it would drag everybody else to where nothing
    has been forgotten.
    """
    lowest = min(levels, default=0.0)
    ends = [c.reached for c in candidates if c.reached is not None and c.reached >= lowest]
    common = [level for level in levels if ends and level <= min(ends)]
    return max(common, default=None)
