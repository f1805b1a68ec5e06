"""How small a difference between two models so many subjects can show: asked before a run, answered by simulation.

Studies are drawn in which two models answer the records that a setting would ask; each study's 95 % interval of the
difference is the report's own (`offside_eval.statistics`), and power is the share of intervals that leave zero out. No
formula is used, since none knows the interval's care near the bounds and with few subjects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import special

from offside_data.errors import UsageError
from offside_data.seeding import rng
from offside_eval.statistics import MIN_SUBJECTS, ClusterSums, estimate

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset

_STEPS = 12
"""Halvings in the search for the smallest difference: to 0.0003 of a share."""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What has to be assumed of models that weren't run yet.

    Answers are right where a normal number lies below a threshold; part of it belongs to the subject and part of it is
    the same in both models.

    Args:
        rate: Share of right answers of the first model; the other one's is lower.
        within: Correlation between two records of one subject, of the normal numbers behind the answers.
        between: Correlation between the two models, likewise.
        power: Chance at which a difference is to be seen.
        studies: How many are drawn for each place that is tried.
        seed: Of what is drawn.
    """

    rate: float = 0.9
    within: float = 0.3
    between: float = 0.5
    power: float = 0.8
    studies: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rate", "power"):
            if not 0 < getattr(self, name) < 1:
                raise UsageError(f"{name} must lie between 0 and 1, both left out; got {getattr(self, name)!r}.")
        for name in ("within", "between"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 0 and below 1, got {getattr(self, name)!r}.")
        if self.studies < 50:
            raise UsageError(f"studies must be at least 50, got {self.studies}: fewer can't tell a chance of 0.8.")


@dataclass(frozen=True)
class Detectable:
    """What can be seen on one set of records.

    Args:
        name: Slice and scope: `forget/private`.
        records: How many.
        subjects: How many they are of; records without a subject count as one each.
        half_width: Half of the interval's width where the models differ by nothing, on average.
        smallest: The smallest difference seen with the chance that was asked for; null if there is none.
        reason: Why there is none.
    """

    name: str
    records: int
    subjects: int
    half_width: float | None
    smallest: float | None
    reason: str | None = None


def power(
    data: OffsideDataset | str | Path,
    setting: str,
    assumptions: Assumptions | None = None,
    *,
    only: Sequence[str] = (),
    limit: int | None = None,
    limit_kept: int | None = None,
) -> list[Detectable]:
    """How small a difference each set of a setting's records can show.

    Args:
        data: A dataset or a reference to one.
        setting: One that its card offers.
        assumptions: About the models; null takes the defaults.
        only: Narrows the request, as in `offside-unlearn run`.
        limit: At most so many records a slice, as in an evaluation.
        limit_kept: At most so many of a slice of what stays, likewise.

    Raises:
        UsageError: If the setting or an assumption is wrong.
        DatasetError: If there is nothing to ask.
    """
    from offside_data.dataset.folder import open_dataset
    from offside_eval.plan import make_plan

    assumed = assumptions or Assumptions()
    opened = open_dataset(data) if isinstance(data, (str, Path)) else data
    plan = make_plan(opened, setting, only=only, limit=limit, limit_kept=limit_kept, seed=assumed.seed)
    sets: dict[str, dict[str, int]] = {}
    for name, key in plan.places:
        question = plan.questions[key]
        if question.variant != "plain":
            continue
        row = question.row
        scope = row["scope"]
        place = name if scope is None or name.endswith(f"/{scope}") else f"{name}/{scope}"
        of = sets.setdefault(place, {})
        subject = row["subject_id"] or row["record_id"]
        of[subject] = of.get(subject, 0) + 1
    return [detectable(name, list(counts.values()), assumed) for name, counts in sets.items()]


def detectable(name: str, counts: Sequence[int], assumed: Assumptions) -> Detectable:
    """The smallest difference that records of so many subjects show.

    Args:
        name: Of the set.
        counts: Records of each subject.
        assumed: About the models.
    """
    records, subjects = sum(counts), len(counts)
    if subjects < MIN_SUBJECTS:
        why = f"{subjects} subjects; nothing is decided with fewer than {MIN_SUBJECTS}"
        return Detectable(name, records, subjects, None, None, why)
    studies = _Studies(tuple(counts), assumed)
    low, high = studies.bounds(0.0)
    half = float(np.mean(high - low) / 2)
    if studies.seen(assumed.rate) < assumed.power:
        why = f"not even a model that knows nothing is told from one that knows {assumed.rate:g}"
        return Detectable(name, records, subjects, half, None, why)
    below, above = 0.0, assumed.rate
    for _ in range(_STEPS):
        middle = (below + above) / 2
        below, above = (below, middle) if studies.seen(middle) >= assumed.power else (middle, above)
    return Detectable(name, records, subjects, half, above)


class _Studies:
    """The same studies at every difference that is tried, so that more of it is never seen less for chance's sake.

    Args:
        counts: Records of each subject.
        assumed: About the models.
    """

    def __init__(self, counts: tuple[int, ...], assumed: Assumptions) -> None:
        self.names = tuple(f"{i:06d}" for i in range(len(counts)))
        self.counts = np.asarray(counts, dtype=np.float64)
        self.starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        self.assumed = assumed
        draw = np.random.default_rng(rng(assumed.seed, "power").getrandbits(64))
        owner = np.repeat(np.arange(len(counts)), counts)
        self.latent = [
            np.sqrt(assumed.within) * subject[:, owner] + np.sqrt(1 - assumed.within) * record
            for subject, record in zip(
                self._pair(draw, len(counts)), self._pair(draw, int(self.counts.sum())), strict=True
            )
        ]

    def _pair(self, draw: np.random.Generator, n: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """A normal number a model, correlated as assumed, of shape `(studies, n)`."""
        shape, shared = (self.assumed.studies, n), self.assumed.between
        both, first, second = (draw.standard_normal(shape, dtype=np.float32) for _ in range(3))
        mixed = [np.sqrt(np.float32(shared)) * both + np.sqrt(np.float32(1 - shared)) * own for own in (first, second)]
        return mixed[0], mixed[1]

    def bounds(self, effect: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Both ends of each study's interval of the difference, where it is truly `effect`."""
        rates = (self.assumed.rate, max(0.0, self.assumed.rate - effect))
        samples = []
        for latent, rate in zip(self.latent, rates, strict=True):
            right = (latent < special.ndtri(rate)).astype(np.float64)
            sums = np.add.reduceat(right, self.starts, axis=1)
            samples.append(ClusterSums(self.names, sums, np.broadcast_to(self.counts, sums.shape)))
        return estimate(lambda means: means[0] - means[1], samples).bounds()

    def seen(self, effect: float) -> float:
        """Share of the studies whose interval leaves zero out, on the right side."""
        low, _ = self.bounds(effect)
        return float(np.mean(low > 0))
