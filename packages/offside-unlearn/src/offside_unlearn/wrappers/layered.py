"""layered: forget fold after fold, each time together with all before, while the folds to come are held.

The records to be forgotten are cut by subject into folds `F_1 .. F_k`, and `theta_i = U(theta_(i-1); forget
F_1 .. F_i, retain R + F_(i+1) .. F_k)` for `i = 1 .. k`, `U` the method. What one fold forgot is then guarded by
weights of its own, and relearning some of it brings back less of the rest.

Paper: Qian et al., Layered Unlearning for Adversarial Relearning. Built from a summary; of the authors' repository only
the example of Gaussian mixtures was read (two folds). Deviations: folds are drawn by subject; the steps are those of
the method alone, divided evenly among the folds; the learning rate rises and falls in each; a frozen model (KL, NPO)
is the one that the fold starts from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from offside_data.errors import UsageError
from offside_data.figures import counted
from offside_data.seeding import rng
from offside_unlearn.wrappers import Paper, UnlearningWrapper, UnlearnTask, WrapperConfig

PAPER = Paper("Layered Unlearning for Adversarial Relearning", "https://arxiv.org/abs/2505.09500")

HELD = "folds to come"
"""Name of the retained slice of what is yet to be forgotten."""


@dataclass(frozen=True, kw_only=True)
class Config(WrapperConfig):
    """How many folds.

    Args:
        folds: How many folds the subjects are divided into. source: code (2).
    """

    folds: int = 2

    def __post_init__(self) -> None:
        """Refuse what is no division."""
        if self.folds < 2:
            raise ValueError(f"folds must be at least 2, got {self.folds}")


class Wrapper(UnlearningWrapper[Config]):
    """A training for each fold."""

    def wrap(self, tasks: Sequence[UnlearnTask]) -> list[UnlearnTask]:
        """The first training cut into one for each fold; what comes after it stays.

        Raises:
            UsageError: If there are fewer subjects or steps than folds.
        """
        task, *later = tasks
        folds, ids = self.config.folds, list(task.forget["subject_id"])
        subjects = sorted(set(ids))
        if len(subjects) < folds:
            raise UsageError(
                f"layered: folds are by subject, and the records to be forgotten are of "
                f"{counted(len(subjects), 'subject')}; {folds} folds need at least as many. Use --set folds=…"
            )
        steps = task.steps()
        if steps < folds:
            raise UsageError(f"layered: {counted(steps, 'step')} can't be divided among {folds} folds.")
        rng(task.options.seed, "layered").shuffle(subjects)
        fold_of = {subject: number % folds for number, subject in enumerate(subjects)}
        cut = []
        for fold in range(folds):
            now = [row for row, subject in enumerate(ids) if fold_of[subject] <= fold]
            held = [row for row, subject in enumerate(ids) if fold_of[subject] > fold]
            share = steps * (fold + 1) // folds - steps * fold // folds
            retain = {**task.retain, **({HELD: task.forget.select(held)} if held else {})}
            config = dataclasses.replace(task.config, max_steps=share)
            fresh = type(task.method)(task.method.config)  # What a method finds out or moves is of one training.
            chosen = {"forget": task.forget.select(now), "retain": retain}
            cut.append(dataclasses.replace(task, **chosen, method=fresh, config=config))
        return [*cut, *later]
