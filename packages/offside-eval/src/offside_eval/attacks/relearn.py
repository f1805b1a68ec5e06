"""Train it a little further: benign, related or direct records, a curve over steps. Made by `offside-unlearn relearn`.

A model that was trained further is another model, with a run folder of its own: `offside-unlearn relearn OUT --model
RUN --data REF --attack benign` (or `related`, `direct-attribute`, `direct-subject`) makes one at each rate, with points
on the way; `offside-eval run … --curve` evaluates them like any other run, and `compare` shows the most that came back,
beside the same attack on retain-only. So nothing is asked here; the entry makes the list of attacks whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from offside_eval.attacks import Access, AttackTarget, Attempt, Paper, RecoveryAttack

PAPER = Paper("OFFSIDE: Benchmarking Unlearning Misinformation in MLLMs", "https://arxiv.org/abs/2510.22535")


@dataclass(frozen=True, kw_only=True)
class Attack(RecoveryAttack):
    """Not made here."""

    access: ClassVar[Access] = "weights"

    def unfit(self, target: AttackTarget) -> str | None:
        """Always: says how it is made."""
        return (
            "its models are made by `offside-unlearn relearn --attack benign|related|direct-attribute|direct-subject` "
            "and evaluated as runs of their own; `compare` shows them"
        )

    def attempts(self, target: AttackTarget) -> Iterable[Attempt]:
        """None."""
        return ()
