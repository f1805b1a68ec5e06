"""What an adjudication policy is.

A policy is a module with a docstring (its first line says what the policy does) that defines

* `Options`: a frozen dataclass of its options; `--set key=value` fills it in. A property `named` of it, if there is
  one, gives the pseudonyms that they name, which must be annotators of the dataset;
* `decide(ballots, options) -> list[str | None]`: of the answers to one thing about many records, by pseudonym, what is
  agreed on each; null where nothing is.

`offside_data.annotation.adjudicate` does the rest for all policies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from offside_data.plugins import Registry

POLICIES = Registry(
    "offside_data.annotation.policies",
    "adjudication policy",
    needs={"__doc__": str, "Options": type, "decide": Callable},
    contract=__name__,
)
"""All adjudication policies, ours and third parties'."""

Ballot = Mapping[str, str]
"""What annotators answered, by pseudonym."""


def heaviest(ballot: Ballot, weights: Mapping[str, float]) -> tuple[str, float] | None:
    """The answer of most weight, and its share of all; null without any weight.

    Args:
        ballot: The answers.
        weights: Of annotators; those who aren't in it count 1.
    """
    sums: dict[str, float] = {}
    for annotator, answer in ballot.items():
        sums[answer] = sums.get(answer, 0.0) + weights.get(annotator, 1.0)
    total = sum(sums.values())
    if total <= 0:
        return None
    answer = max(sorted(sums), key=lambda said: sums[said])
    return answer, sums[answer] / total
