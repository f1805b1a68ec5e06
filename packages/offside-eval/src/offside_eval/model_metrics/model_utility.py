"""What the model is still good for: harmonic mean of nine means over what must survive, in TOFU's form.

Three sets (the splits `retain`, `test`, `utility`) with three numbers each: `probability` (in its variant `choice` on
`utility`, where no subject is involved), ROUGE-L recall (`rouge_l:recall`) and `truth_ratio` (max(0, 1 - r)). TOFU has
other sets, so its numbers aren't comparable. A set that the evaluation doesn't have is left out; the details have each
part. A part of 0 makes the whole 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from offside_eval.metrics import Need
from offside_eval.model_metrics import Measured, ModelMetric, Paper, cannot

if TYPE_CHECKING:
    from offside_eval.results import Results
    from offside_eval.statistics import Floats

PAPER = Paper("TOFU: A Task of Fictitious Unlearning for LLMs", "https://arxiv.org/abs/2401.06121")
SETS = ("retain", "test", "utility")


@dataclass(frozen=True, kw_only=True)
class Metric(ModelMetric):
    """Harmonic mean of probability, ROUGE-L recall and truth ratio over retain, test and utility."""

    metrics: ClassVar[tuple[str, ...]] = ("probability", "probability:choice", "rouge_l:recall", "truth_ratio")
    needs: ClassVar[frozenset[Need]] = frozenset()

    @property
    def memory(self) -> Literal["up", "down"] | None:
        """What survives says nothing of what is known of the rest."""
        return None

    def measure(self, own: Results, controls: Mapping[str, Results]) -> Measured:
        """Not scored where no set that must survive was asked, or one has no score of some kind."""
        import polars as pl

        from offside_eval.aggregate import clusters
        from offside_eval.results import counted
        from offside_eval.statistics import ClusterSums, estimate

        kept = counted(own.samples).filter(
            pl.col("slice").str.starts_with("keep:"), pl.col("variant") == "plain", pl.col("split").is_in(SETS)
        )
        kept = kept.unique("record_id", keep="first", maintain_order=True)
        samples, details = [], {}
        for split in SETS:
            rows = kept.filter(pl.col("split") == split)
            if rows.is_empty():
                continue
            for metric in ("probability:choice" if split == "utility" else "probability", *self.metrics[2:]):
                scored = rows.filter(pl.col(metric).is_not_null())
                if scored.is_empty():
                    return cannot(f"no record of {split} has a {metric}")
                sums = ClusterSums.of(
                    scored[metric].to_numpy(), clusters(scored), records=scored["record_id"].to_list()
                )
                samples.append(sums)
                details[f"{split}/{metric}"] = float(sums.mean)
        if not samples:
            return cannot("nothing that must survive was asked")
        i = estimate(harmonic, samples).interval()
        return Measured(value=i.value, low=i.low, high=i.high, n=i.n, n_subjects=i.n_clusters, details=details)


def harmonic(means: Sequence[Floats]) -> Floats:
    """Harmonic mean, 0 where one of them is 0."""
    import numpy as np

    stacked = np.stack(list(means))
    positive = (stacked > 0).all(axis=0)
    return np.asarray(np.where(positive, len(stacked) / (1 / np.where(stacked > 0, stacked, 1.0)).sum(axis=0), 0.0))
