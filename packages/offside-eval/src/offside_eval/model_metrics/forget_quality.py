"""Whether the model's truth ratios on what was to be forgotten could be those of one that never saw it.

P-value of the two-sample Kolmogorov-Smirnov test between the truth ratios `r` (the raw ones of `truth_ratio`, before
they are clipped) of this model and of retain-only, on the records of the request that both have one of. Beside it:
the statistic `ks`, the largest distance of the two distribution functions, with an interval over subjects (the
records of one subject hang together, which the test doesn't know: its p is too small where they do), and how many
records.

A p-value says how surprising the difference is, not how large: it falls with `n` alone, so it is never averaged, and
a high one of few records says nothing. The verdict is `differs` (p below 0.05), `alike` (p above, and the whole
interval of `ks` up to 0.2), else `can't tell`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from offside_eval.metrics import Need
from offside_eval.model_metrics import Control, Measured, ModelMetric, Paper, cannot
from offside_eval.statistics import MIN_SUBJECTS

if TYPE_CHECKING:
    import polars as pl

    from offside_eval.results import Results
    from offside_eval.statistics import Floats

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")
ALIKE = 0.2
"""The largest distance of two distribution functions that counts as alike."""
_LEVEL = 0.05
_DRAWS = 2_000
_CHUNK = 100


@dataclass(frozen=True, kw_only=True)
class Metric(ModelMetric):
    """P-value of the KS test against retain-only, with the statistic and its interval among the details."""

    metrics: ClassVar[tuple[str, ...]] = ("truth_ratio",)
    needs: ClassVar[frozenset[Need]] = frozenset({"likelihood", "alternatives", "paraphrases"})
    controls: ClassVar[tuple[Control, ...]] = ("retain_only",)

    def measure(self, own: Results, controls: Mapping[str, Results]) -> Measured:
        """Not scored where the models have no truth ratio on the same records."""
        from scipy.stats import ks_2samp

        both, skipped = _both(own, controls["retain_only"])
        if both.is_empty():
            return cannot("the two models have no truth ratio on the same forget records", n_skipped=skipped)
        mine, theirs = both["own"].to_numpy(), both["control"].to_numpy()
        found = ks_2samp(mine, theirs)
        subjects = both["subject"].to_list()
        low, high = ks_interval(mine, theirs, subjects)
        p, n_subjects = float(found.pvalue), len(set(subjects))
        details = {"ks": float(found.statistic)}
        if low is not None and high is not None:
            details |= {"ks_low": low, "ks_high": high}
        return Measured(
            value=p,
            n=both.height,
            n_skipped=skipped,
            n_subjects=n_subjects,
            verdict=verdict(p, high, n_subjects),
            details=details,
        )


def verdict(p: float, high: float | None, n_subjects: int) -> str:
    """What a p-value and the upper bound of the statistic say together."""
    if n_subjects < MIN_SUBJECTS:
        return "can't tell"
    if p < _LEVEL:
        return "differs"
    return "alike" if high is not None and high <= ALIKE else "can't tell"


def _both(own: Results, control: Results) -> tuple[pl.DataFrame, int]:
    """Truth ratios, as logarithms, of the records of the request that both models have one of; how many don't."""
    import polars as pl

    from offside_eval.aggregate import clusters
    from offside_eval.results import counted

    where = (pl.col("slice") == "forget") & (pl.col("variant") == "plain")
    asked = counted(own.samples).filter(where).unique("record_id", keep="first", maintain_order=True)
    asked = asked.select("record_id", pl.Series("subject", clusters(asked), dtype=pl.String))
    n = asked.height
    for name, results in (("own", own), ("control", control)):
        asked = asked.join(_log_ratios(results.weighings, name), on="record_id", how="inner", maintain_order="left")
    return asked, n - asked.height


def _log_ratios(weighings: pl.DataFrame | None, name: str) -> pl.DataFrame:
    """Record and logarithm of its truth ratio, where it has one."""
    import polars as pl

    from offside_eval.metrics.truth_ratio import log_ratio

    schema = {"record_id": pl.String(), name: pl.Float64()}
    if weighings is None:
        return pl.DataFrame(schema=schema)
    rows = weighings.filter(
        pl.col("variant") == "plain",
        pl.col("alternative_logprobs").list.len() > 0,
        pl.col("paraphrase_logprobs").list.len() > 0,
    )
    found = [
        (record, log_ratio(others, true[0]))
        for record, others, true in rows.select("record_id", "alternative_logprobs", "paraphrase_logprobs").iter_rows()
    ]
    kept = [(record, value) for record, value in found if not math.isnan(value)]
    return pl.DataFrame(kept, schema=schema, orient="row")


def ks_interval(
    one: Floats, other: Floats, subjects: list[str], *, draws: int = _DRAWS, seed: int = 0
) -> tuple[float | None, float | None]:
    """Percentile interval of the KS statistic, the same subjects drawn in both samples; none below two subjects.

    Args:
        one: Values of one model, a record each.
        other: Values of the other, on the same records.
        subjects: Of each record.
        draws: Resamples.
        seed: Of the draws.
    """
    import numpy as np

    names, where = np.unique(np.asarray(subjects), return_inverse=True)
    if len(names) < 2:
        return None, None
    values = np.concatenate([one, other])
    order = np.argsort(values, kind="stable")
    # The distribution functions are compared behind the last of several equal values only.
    last = np.append(values[order][1:] != values[order][:-1], True)
    subject = np.concatenate([where, where])[order]
    sign = np.concatenate([np.ones(len(one)), -np.ones(len(other))])[order]
    rng = np.random.default_rng(seed)
    found = []
    for start in range(0, draws, _CHUNK):
        often = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=min(_CHUNK, draws - start))
        weights = often[:, subject]
        total = often[:, where].sum(axis=1, keepdims=True)
        distance = np.abs(np.cumsum(weights * sign, axis=1)) / total
        found.append(distance[:, last].max(axis=1))
    low, high = np.quantile(np.concatenate(found), [0.025, 0.975])
    return float(low), float(high)
