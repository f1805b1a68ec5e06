"""The same records answered by several models, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from offside_eval.aggregate import clusters
from offside_eval.compare.models import KEY, Model
from offside_eval.compare.quantities import Quantity, mean_of, unscored
from offside_eval.statistics import MIN_SUBJECTS, ClusterSums, paired_test

if TYPE_CHECKING:
    import polars as pl

ARMS = {
    "self": "this model",
    "vanilla": "the vanilla model",
    "retain_only": "the retain-only model",
    "parent": "the model before relearning",
    "relearned_control": "retain-only after the same relearning",
}
"""Whose answers a number may need, and what they are called in reasons."""


CHANCE_LEVEL_METRICS = ("choice_accuracy", "probability:choice")
"""Metrics on which guessing scores 1/n, with `n` in the column `n_choices`; their variants as well."""
EVEN_CHANCE_METRICS = ("rank",)
"""Metrics on which a model without preference scores 0.5."""


class ScoreTable:
    """The rows of one evaluation, with the scores of every model involved as columns.

    Args:
        rows: The records (one row each a slice and variant) that the numbers are about.
        metric: The score.
        arms: Model by arm of the comparison, one of `ARMS`; what is missing makes numbers unscored.
    """

    def __init__(self, rows: pl.DataFrame, metric: str, arms: Mapping[str, Model | None]) -> None:
        import polars as pl

        self.rows = rows.with_columns(pl.Series("@cluster", clusters(rows), dtype=pl.String))
        self.metric = metric
        self.arms = {arm: model for arm, model in arms.items() if model is not None}
        self._wide: dict[tuple[str, bool], pl.DataFrame] = {}

    def slices(self, kind: str) -> list[str]:
        """Slice names of a kind: `keep` or `measure`, in the order of the evaluation."""
        names = self.rows["slice"].unique(maintain_order=True).to_list()
        return [name.partition(":")[2] for name in names if name.startswith(f"{kind}:")]

    def wide(self, column: str, *, corrected: bool = True) -> pl.DataFrame:
        """The rows with one `@arm` column a model, holding its score (`corrected` for chance) or null."""
        key = column, corrected
        if key not in self._wide:
            frame = self.rows
            for arm, model in self.arms.items():
                scores = model.pool.select(*KEY, _score(model.pool, column, corrected=corrected).alias(f"@{arm}"))
                frame = frame.join(scores, on=list(KEY), how="left", maintain_order="left")
            self._wide[key] = frame
        return self._wide[key]

    def means(self, where: pl.Expr, *arms: str, column: str | None = None, corrected: bool = True) -> list[Quantity]:
        """Mean score of each model on the records that fit `where` and that all of them have a score on.

        Args:
            where: Which rows.
            arms: Keys of `ARMS`.
            column: Column of the score; the table's metric if not given.
            corrected: Whether what guessing scores is taken off.

        Returns:
            One quantity an arm; all unscored, with the reason, if the comparison can't be made.
        """
        column = column or self.metric
        scored, skipped, reason = self._scored(where, arms, column, corrected=corrected)
        if scored is None:
            return [unscored(reason, skipped)] * len(arms)
        names, records = scored["@cluster"].to_list(), scored["record_id"].to_list()
        return [
            mean_of(
                ClusterSums.of(scored[f"@{arm}"].to_numpy(), names, learnt=arm == "vanilla", records=records), skipped
            )
            for arm in arms
        ]

    def p_same(self, where: pl.Expr, one: str, other: str) -> float | None:
        """P-value that two models score the same on the records that fit `where`.

        Null if they can't be compared, or there are too few subjects to tell.
        """
        scored, _, _ = self._scored(where, (one, other), self.metric)
        if scored is None or scored["@cluster"].n_unique() < MIN_SUBJECTS:
            return None
        names = scored["@cluster"].to_list()
        return paired_test(scored[f"@{one}"].to_numpy(), scored[f"@{other}"].to_numpy(), names)

    def _scored(
        self, where: pl.Expr, arms: tuple[str, ...], column: str, *, corrected: bool = True
    ) -> tuple[pl.DataFrame | None, int, str]:
        """Rows on which every arm has a score, how many others there are; or why there are none."""
        import polars as pl

        for arm in arms:
            if arm not in self.arms:
                return None, 0, f"{ARMS[arm]} is missing"
        chosen = (
            self.wide(column, corrected=corrected)
            .filter(where)
            .unique(subset=list(KEY), keep="first", maintain_order=True)
        )
        if chosen.is_empty():
            return None, 0, "there are no such records in this setting"
        scored = chosen.filter(pl.all_horizontal(pl.col(f"@{arm}").is_not_null() for arm in arms))
        skipped = chosen.height - scored.height
        if scored.is_empty():
            empty = [ARMS[p] for p in arms if chosen[f"@{p}"].null_count() == chosen.height]
            names = " and ".join(empty or [ARMS[p] for p in arms])
            return None, skipped, f"{names} has no {column} on these records"
        return scored, skipped, ""

    def mean(self, where: pl.Expr, arm: str = "self", *, column: str | None = None, corrected: bool = True) -> Quantity:
        """Mean score of one model."""
        return self.means(where, arm, column=column, corrected=corrected)[0]


def _score(pool: pl.DataFrame, column: str, *, corrected: bool = True) -> pl.Expr:
    """A model's scores, those of guessable questions corrected for chance: (score - 1/n) / (1 - 1/n).

    `cut` is 1 for an answer that isn't degenerate but was cut at the limit of new tokens, and such an answer
    counts as not `degenerate`.
    """
    import polars as pl

    if column in ("degenerate", "cut") and {"degenerate", "degenerate.kind", "ended"} <= set(pool.columns):
        cut = ~pl.col("ended") & ((pl.col("degenerate") == 0) | (pl.col("degenerate.kind") == "not_ended"))
        cut = pl.when(pl.col("degenerate").is_not_null()).then(cut.cast(pl.Float64))
        return cut if column == "cut" else pl.when(cut == 1).then(0.0).otherwise(pl.col("degenerate"))
    if column not in pool.columns:
        return pl.lit(None, dtype=pl.Float64)
    metric = column.partition(":")[0]
    if metric in EVEN_CHANCE_METRICS and corrected:
        return 2 * pl.col(column) - 1
    if not corrected or not {metric, column} & set(CHANCE_LEVEL_METRICS):
        return pl.col(column)
    if "n_choices" not in pool.columns:
        return pl.lit(None, dtype=pl.Float64)
    n = pl.when(pl.col("n_choices") > 1).then(pl.col("n_choices"))
    return (pl.col(column) - 1 / n) / (1 - 1 / n)
