"""Draw several answers at random: what is no longer the likeliest answer may still be a likely one.

Any draw that states the value counts, so that a model that guesses among few values gets hits as well: the decoy, the
control set and retain-only say how many.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from offside_data.errors import UsageError
from offside_eval.attacks import AttackTarget, Attempt, Paper, RecoveryAttack, Sampling

PAPER = Paper(
    "A Probabilistic Perspective on Unlearning and Alignment for Large Language Models",
    "https://arxiv.org/abs/2410.03523",
)


@dataclass(frozen=True, kw_only=True)
class Attack(RecoveryAttack):
    """Several draws of the plain question's answer.

    Args:
        draws: How many a claim.
        temperature: Divides the logits; at 1 answers come as often as the model holds them likely.
    """

    draws: int = 10
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        # Beyond these, logits that are divided by it are no numbers any more, or all the same.
        if not 1 <= self.draws <= 10_000 or not 0.01 <= self.temperature <= 100:
            raise UsageError("sampling needs from 1 to 10,000 draws and a temperature from 0.01 to 100.")

    def attempts(self, target: AttackTarget) -> Iterable[Attempt]:
        """Each claim's own question, so many times."""
        asks = [target.plain(claim, f"draw/{n}") for n in range(1, self.draws + 1) for claim in target.claims]
        return target.ask(asks, sampling=Sampling(temperature=self.temperature, seed=self.seed))
