"""The mean of the lowest numbers, which both Min-K attacks take."""

from __future__ import annotations

import math
from collections.abc import Sequence

PERCENT = 20
"""k: how many in a hundred tokens are looked at."""


def mean_of_lowest(values: Sequence[float]) -> float:
    """The mean of the lowest `max(1, floor(k T))` of `T` numbers."""
    n = max(1, PERCENT * len(values) // 100)
    return math.fsum(sorted(values)[:n]) / n
