"""`weighings.parquet`: how likely a model found the answers that it weighed, for metrics that are added later.

One row a question, whatever slices it stands in. Log-probabilities are float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from offside_eval.inference.engine import Answers
    from offside_eval.plan import Plan

_LISTS = {
    "answer": "Float32",
    "choices": "Float32",
    "alternatives": "Float32",
    "paraphrases": "Float32",
    "hits": "Int8",
    "top_tokens": "Int32",
    "top_logprobs": "Float32",
}
"""Columns and what their lists hold.

`answer`: log-probability of each token of the gold answer. `choices`, `alternatives`, `paraphrases`: mean
log-probability a token of each choice, of each answer with another value, of the gold answer in other words. `hits`:
whether each token of the gold answer's text is the likeliest. `top_tokens`, `top_logprobs`: the likeliest tokens at
each place of the gold answer, as many at each, one place after the other. A list that wasn't asked for is empty.
"""


def weighings_frame(plan: Plan, answers: Answers) -> pl.DataFrame | None:
    """What was weighed, in the order of the plan; null if nothing was.

    Args:
        plan: What was asked.
        answers: What the model did with it.
    """
    import polars as pl

    if not answers.weights:
        return None
    schema = {"record_id": pl.String(), "variant": pl.String()}
    rows = []
    for key, question in plan.questions.items():
        weights = answers.weights.get(key)
        if weights is not None:
            lists = {name: getattr(weights, name) for name in _LISTS}
            rows.append({"record_id": question.row["record_id"], "variant": question.variant, **lists})
    return pl.DataFrame(
        rows, schema=schema | {name: pl.List(getattr(pl, kind)) for name, kind in _LISTS.items()}, orient="row"
    )
