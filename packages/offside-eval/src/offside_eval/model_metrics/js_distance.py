"""How far the model's answer-token distributions are from those of one that never saw what was to be forgotten.

Jensen-Shannon distance (the root of the divergence, base 2: 0 for equal distributions, 1 for disjoint ones) between
this model's and retain-only's distribution of each token of the gold answer, given the true answer so far; mean over
the tokens of a record, then over the records of the request.

Of each distribution an evaluation keeps the 32 likeliest tokens (in `weighings.parquet`). The number is the least
distance that these allow: a lower bound of that over the whole vocabulary, and equal to it where the rest has no mass.
`n` counts records; `unseen` is the mean mass beyond what was kept. Distributions are saved by the suite `full`, or by
naming the metric.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from offside_eval.metrics import Need
from offside_eval.model_metrics import Control, Measured, ModelMetric, Paper, cannot

if TYPE_CHECKING:
    import polars as pl

    from offside_eval.results import Results

PAPER = Paper("Divergence Measures Based on the Shannon Entropy", "https://doi.org/10.1109/18.61115")
Top = Mapping[int, float]
"""Log-probability by token, of the likeliest ones."""


@dataclass(frozen=True, kw_only=True)
class Metric(ModelMetric):
    """Mean Jensen-Shannon distance to retain-only over the answer tokens of the records to be forgotten."""

    metrics: ClassVar[tuple[str, ...]] = ("probability",)
    needs: ClassVar[frozenset[Need]] = frozenset({"likelihood", "distributions"})
    controls: ClassVar[tuple[Control, ...]] = ("retain_only",)
    better: ClassVar[Literal["up", "down"] | None] = "down"
    costly: ClassVar[bool] = True

    def measure(self, own: Results, controls: Mapping[str, Results]) -> Measured:
        """Not scored where the models' distributions of the same records weren't both saved."""
        import numpy as np
        import polars as pl

        from offside_eval.aggregate import clusters
        from offside_eval.results import counted
        from offside_eval.statistics import mean_estimate

        where = (pl.col("slice") == "forget") & (pl.col("variant") == "plain")
        asked = counted(own.samples).filter(where).unique("record_id", keep="first", maintain_order=True)
        cluster = dict(zip(asked["record_id"].to_list(), clusters(asked), strict=True))
        mine, theirs = (_tops(r.weighings, set(cluster)) for r in (own, controls["retain_only"]))
        found = {}
        for record in cluster:
            a, b = mine.get(record), theirs.get(record)
            if a and b and len(a) == len(b) and all(math.isfinite(x) for t in (*a, *b) for x in t.values()):
                pairs = [distance(p, q) for p, q in zip(a, b, strict=True)]
                found[record] = np.mean(pairs, axis=0).tolist()
        skipped = len(cluster) - len(found)
        if not found:
            return cannot("the distributions of the two models on the same records were not saved", n_skipped=skipped)
        i = mean_estimate([d for d, _ in found.values()], [cluster[record] for record in found]).interval()
        unseen = float(np.mean([rest for _, rest in found.values()]))
        return Measured(
            value=i.value,
            low=i.low,
            high=i.high,
            n=len(found),
            n_skipped=skipped,
            n_subjects=i.n_clusters,
            details={"unseen": unseen},
        )


def _tops(weighings: pl.DataFrame | None, records: set[str]) -> dict[str, list[Top]]:
    """The likeliest tokens at each place of the gold answer, by record."""
    import polars as pl

    if weighings is None:
        return {}
    rows = weighings.filter(pl.col("variant") == "plain", pl.col("record_id").is_in(list(records)))
    found: dict[str, list[Top]] = {}
    for record, n, tokens, logprobs in rows.select(
        "record_id", pl.col("answer_logprobs").list.len(), "top_tokens", "top_logprobs"
    ).iter_rows():
        if tokens and n:
            k = len(tokens) // n
            places = [slice(i * k, (i + 1) * k) for i in range(n)]
            found[record] = [dict(zip(tokens[p], logprobs[p], strict=True)) for p in places]
    return found


def distance(one: Top, other: Top) -> tuple[float, float]:
    """The least Jensen-Shannon distance, base 2, of two distributions of which the likeliest tokens are known.

    Each token that is known of both is a cell of its own. Of all others only sums are known: what each distribution
    has on tokens that are known of it alone, and what it has elsewhere. The divergence is convex, so that it is least
    where the ratio of the two is the same in all cells made of them; where what is known rules that out, where each
    has as much as it can on what is known of the other.

    Returns:
        The distance, and the mean mass beyond the tokens that are known.
    """
    shared = [token for token in one if token in other]
    p, q = ([math.exp(top[token]) for token in shared] for top in (one, other))
    alone = [math.fsum(math.exp(x) for token, x in top.items() if token not in shared) for top in (one, other)]
    rest = [max(0.0, 1 - math.fsum(known) - sole) for known, sole in zip((p, q), alone, strict=True)]
    p_all, q_all = alone[0] + rest[0], alone[1] + rest[1]
    if alone[0] * q_all + alone[1] * p_all <= p_all * q_all:
        p, q = [*p, p_all], [*q, q_all]
    else:
        p, q = [*p, alone[0], rest[0]], [*q, rest[1], alone[1]]
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    divergence = (_kl(p, middle) + _kl(q, middle)) / 2
    return math.sqrt(min(1.0, max(0.0, divergence))), (rest[0] + rest[1]) / 2


def _kl(p: Sequence[float], q: Sequence[float]) -> float:
    return math.fsum(a * math.log2(a / b) for a, b in zip(p, q, strict=True) if a > 0)
