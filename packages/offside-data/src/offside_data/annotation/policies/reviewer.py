"""One annotator, the reviewer, decides whatever they answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offside_data.annotation.policies._base import Ballot


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the policy.

    Args:
        reviewer: Pseudonym, e.g. `a1`.
    """

    reviewer: str = ""

    def __post_init__(self) -> None:
        if not self.reviewer:
            raise ValueError("who is the reviewer? Give --set reviewer=a1; `annotate agreement` lists the pseudonyms.")

    @property
    def named(self) -> tuple[str, ...]:
        """The reviewer."""
        return (self.reviewer,)


def decide(ballots: Sequence[Ballot], options: Options) -> list[str | None]:
    """What the reviewer says."""
    return [ballot.get(options.reviewer) for ballot in ballots]
