"""What every attack is: options, an access level, and a way of asking."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from offside_data.errors import UsageError
from offside_eval.attacks._base import Access, Attempt
from offside_eval.attacks._target import AttackTarget


@dataclass(frozen=True, kw_only=True)
class RecoveryAttack(abc.ABC):
    """Base of all attacks; fields of a subclass are its options, with their defaults.

    Args:
        seed: Of everything that is drawn: which claims, which examples, random starts.
        claims: At most so many forgotten claims, drawn by seed and record, the same ones for every model.
        control: At most so many claims of the control set.
    """

    access: ClassVar[Access] = "black-box"
    seed: int = 0
    claims: int = 120
    control: int = 60

    def __post_init__(self) -> None:
        if self.claims < 1 or self.control < 0:
            raise UsageError("an attack needs at least 1 claim, and no less than 0 of the control set.")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"the seed of an attack must be from 0 to {2**32 - 1}, got {self.seed}.")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise UsageError(f"{field.name} must be a number, got {value}.")

    def unfit(self, target: AttackTarget) -> str | None:
        """Why the attack can't be made on this model with this dataset; null where it can."""
        return None

    @abc.abstractmethod
    def attempts(self, target: AttackTarget) -> Iterable[Attempt]:
        """Make the attack. The model must be left as it was, to the bit.

        A claim that can't be attacked is left out with `target.leave_out(claim, reason)`.
        """
