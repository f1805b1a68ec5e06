"""How far judges agree on the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

from offside_eval.judge.scores import Judged

_FEWEST = 3
"""Records that a correlation needs at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeAgreement:
    """How far some judges agree.

    Args:
        judges: Their names.
        n: Records that all of them scored. Those that none was asked about (an empty answer is 0 whoever judges) aren't
            among them: there judges can't but agree.
        varied: Whether their scores differ anywhere; where not, that they are alike says nothing.
        alpha: Krippendorff's alpha for scores on an interval scale: 1 is full agreement, 0 what chance would give; null
            where all gave the same score, where there are too few, or `krippendorff` isn't installed.
        pearson: Correlation of two judges' scores; null for more judges, or where one always gave the same.
        apart: Mean distance of two judges' scores, in points of 10; of all pairs, if they are more.
    """

    judges: tuple[str, ...]
    n: int
    alpha: float | None
    pearson: float | None
    apart: float | None
    varied: bool = True


def agreements(found: Sequence[Judged]) -> list[JudgeAgreement]:
    """Of every pair, and of all if they are more than two; nothing for a single judge."""
    groups = [*combinations(found, 2), *([tuple(found)] if len(found) > 2 else [])]
    return [_agreement(group) for group in groups]


def _agreement(judges: Sequence[Judged]) -> JudgeAgreement:
    import numpy as np

    key = ["record_id", "variant"]
    asked = [j.table.filter(j.table["question_key"].is_not_null()) for j in judges]
    frames = [t.select(*key, t["score"].alias(j.meta.name)) for t, j in zip(asked, judges, strict=True)]
    both = reduce(lambda one, other: one.join(other, on=key), frames).drop_nulls()
    names = tuple(j.meta.name for j in judges)
    scores = both.select(names).to_numpy().T
    n, varied = both.height, both.height >= _FEWEST and bool((scores != scores.flat[0]).any())
    alpha = pearson = None
    if varied:
        alpha = _alpha(scores)
    if len(names) == 2 and varied and all((row != row[0]).any() for row in scores):
        pearson = float(np.corrcoef(scores)[0, 1])
    apart = float(np.mean([abs(a - b) for a, b in combinations(scores, 2)])) if n else None
    return JudgeAgreement(judges=names, n=n, alpha=alpha, pearson=pearson, apart=apart, varied=varied)


def _alpha(scores: object) -> float | None:
    try:
        import krippendorff
    except ModuleNotFoundError:
        return None
    return float(krippendorff.alpha(reliability_data=scores, level_of_measurement="interval"))
