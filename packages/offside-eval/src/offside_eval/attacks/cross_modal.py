"""Ask in the other form: the text question about a claim that was forgotten by its picture, or the reverse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from offside_eval.attacks import AttackTarget, Attempt, Paper, RecoveryAttack
from offside_eval.attacks._target import own_question

PAPER = Paper("OFFSIDE: Benchmarking Unlearning Misinformation in MLLMs", "https://arxiv.org/abs/2510.22535")
_NO_OTHER = "the dataset doesn't ask about it in the other form"


@dataclass(frozen=True, kw_only=True)
class Attack(RecoveryAttack):
    """The other form of each claim; a claim that no model ever saw has none, so that there is no control set."""

    def unfit(self, target: AttackTarget) -> str | None:
        """Where no claim has another form."""
        return None if any(claim.other_form for claim in target.claims) else _NO_OTHER.replace("it", "any claim", 1)

    def attempts(self, target: AttackTarget) -> Iterator[Attempt]:
        """One question a claim."""
        asks = []
        for claim in target.claims:
            if claim.other_form is None:
                target.leave_out(claim, _NO_OTHER)
            else:
                asks.append(own_question(claim, claim.other_form, str(claim.other_form.row["modality"])))
        yield from target.ask(asks)
