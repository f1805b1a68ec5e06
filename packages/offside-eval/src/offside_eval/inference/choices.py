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
    from offside_eval.inference.likelihood import Likelihood, Weighed


@dataclass(frozen=True, slots=True)
class Weights:
    """How likely a model finds given answers.

    Args:
        answer: Log-probability of each token of the gold answer.
        choices: Mean log-probability a token of each choice.
        lengths: Number of tokens of each choice.
        alternatives: Mean log-probability a token of each answer with another value.
        paraphrases: The same of the gold answer in other words.
        hits: For each token of the gold answer's text 1 where it is the likeliest, else 0.
        top_tokens: The likeliest tokens at each place of the gold answer, one place after the other.
        top_logprobs: Their log-probabilities.
        means: At each place of the gold answer the mean log-probability under the model's own distribution there.
        deviations: Its standard deviation.
    """

    answer: tuple[float, ...]
    choices: tuple[float, ...]
    lengths: tuple[int, ...] = ()
    alternatives: tuple[float, ...] = ()
    paraphrases: tuple[float, ...] = ()
    hits: tuple[int, ...] = ()
    top_tokens: tuple[int, ...] = ()
    top_logprobs: tuple[float, ...] = ()
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()


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
        weighed = self._likelihood(items)
        found = [_weights(item, answers) for item, answers in zip(items, weighed, strict=True)]
        if len(items) > 1:
            for i, item in enumerate(items):
                leads = weighed[i][0].leads[: item.n_content]
                if self._is_close(found[i]) or any(abs(lead) < self._within_rounding for lead in leads):
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


def _weights(item: Item, weighed: Sequence[Weighed]) -> Weights:
    means = [_mean(answer.logprobs) for answer in weighed]
    gold = weighed[0]
    return Weights(
        answer=gold.logprobs,
        choices=tuple(means[i] for i in item.choices),
        lengths=tuple(len(weighed[i].logprobs) for i in item.choices),
        alternatives=tuple(means[i] for i in item.alternatives),
        paraphrases=tuple(means[i] for i in item.paraphrases),
        hits=tuple(int(ahead > 0) for ahead in gold.leads[: item.n_content]),
        top_tokens=gold.top_tokens,
        top_logprobs=gold.top_logprobs,
        means=gold.means,
        deviations=gold.deviations,
    )


def _mean(logprobs: Sequence[float]) -> float:
    return math.fsum(logprobs) / len(logprobs)
