"""Weights that are as good as equal, and numbers of broken models; shared by metrics that compare probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

ROUNDING = 1e-6
"""Difference of log-probabilities a token within which nothing is said about which is the larger one."""


def mean_logprob(tokens: Sequence[float]) -> float:
    """Log of the normalised probability of an answer, `(1/T) log p(y|x)`."""
    return math.fsum(tokens) / len(tokens)


def share_of(logs: Sequence[float], index: int) -> float:
    """Share of one of several numbers, given as logarithms, in their sum."""
    top = max(logs)
    return math.exp(logs[index] - top) / math.fsum(math.exp(log - top) for log in logs)


def log_mean_exp(logs: Sequence[float]) -> float:
    """Logarithm of the mean of several numbers given as logarithms."""
    top = max(logs)
    return top + math.log(math.fsum(math.exp(log - top) for log in logs) / len(logs))
