"""Weighing of answers against each other, the outcome independent of the batch.

An answer weighs its mean log-probability a token. Where the two heaviest choices are within rounding of each other, as
means or as sums, or the gold answer and one with another value are, the question is weighed again alone; exact equals
are a tie (`choice_accuracy`, `rank`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offside_eval.inference.asking import Item
    from offside_eval.inference.likelihood import Likelihood, TokenLogprobs


@dataclass(frozen=True, slots=True)
class Weights:
    """How likely a model finds given answers.

    Args:
        answer: Log-probability of each token of the gold answer.
        choices: Mean log-probability a token of each choice.
        lengths: Number of tokens of each choice.
        alternatives: Mean log-probability a token of each answer with another value.
    """

    answer: tuple[float, ...]
    choices: tuple[float, ...]
    lengths: tuple[int, ...] = ()
    alternatives: tuple[float, ...] = ()


class Weigher:
    """Weighs gold answers and choices of batches of items.

    Args:
        likelihood: What asks the model.
        within_rounding: Difference of two answers below which they are weighed again alone.
    """

    def __init__(self, likelihood: Likelihood, *, within_rounding: float) -> None:
        self._likelihood = likelihood
        self._within_rounding = within_rounding
        self.asked_again = 0

    def __call__(self, items: Sequence[Item]) -> list[Weights]:
        """Weigh the answers of each item."""
        found = [_weights(item, logprobs) for item, logprobs in zip(items, self._likelihood(items), strict=True)]
        if len(items) > 1:
            for i, item in enumerate(items):
                if self._is_close(found[i]):
                    found[i] = _weights(item, self._likelihood([item])[0])
                    self.asked_again += 1
        return found

    def _is_close(self, found: Weights) -> bool:
        """Whether a change of batch may turn an order round: rounding grows with the number of tokens added up."""
        sums = [mean * n for mean, n in zip(found.choices, found.lengths, strict=True)]
        within = self._within_rounding
        if lead(found.choices) < within or lead(sums) < within * max(found.lengths, default=1):
            return True
        gold = _mean(found.answer) if found.alternatives else math.inf
        return any(abs(gold - other) < within for other in found.alternatives)


def lead(weights: Sequence[float]) -> float:
    """By how much the heaviest of several is ahead; infinite for fewer than two or a broken model."""
    if len(weights) < 2 or not all(map(math.isfinite, weights)):
        return math.inf
    second, first = sorted(weights)[-2:]
    return first - second


def _weights(item: Item, logprobs: Sequence[TokenLogprobs]) -> Weights:
    means = [_mean(tokens) for tokens in logprobs]
    return Weights(
        answer=logprobs[0],
        choices=tuple(means[i] for i in item.choices),
        lengths=tuple(len(logprobs[i]) for i in item.choices),
        alternatives=tuple(means[i] for i in item.alternatives),
    )


def _mean(logprobs: Sequence[float]) -> float:
    return math.fsum(logprobs) / len(logprobs)
