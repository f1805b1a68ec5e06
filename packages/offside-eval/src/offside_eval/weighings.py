"""`weighings.parquet`: how likely a model found the answers that it weighed, for metrics that are added later.

One row a question, whatever slices it stands in. Log-probabilities are float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from offside_eval.inference.engine import Answers
    from offside_eval.plan import Plan

_LISTS = {
    "answer_logprobs": ("answer", "Float32"),
    "choice_logprobs": ("choices", "Float32"),
    "alternative_logprobs": ("alternatives", "Float32"),
    "paraphrase_logprobs": ("paraphrases", "Float32"),
    "answer_hits": ("hits", "Int8"),
    "top_tokens": ("top_tokens", "Int32"),
    "top_logprobs": ("top_logprobs", "Float32"),
}
"""Columns, each a list, what of `Weights` they hold and as what.

As `Sample` has them: log-probability of each token of the gold answer; mean log-probability a token of each choice, of
each answer with another value, of the gold answer in other words; whether each token of the gold answer's text is the
likeliest. `top_tokens`, `top_logprobs`: the likeliest tokens at each place of the gold answer, as many at each, place
after place. A list that wasn't asked for is empty.
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
    schema: dict[str, Any] = {"record_id": pl.String(), "variant": pl.String()}
    rows = []
    for key, question in plan.questions.items():
        weights = answers.weights.get(key)
        if weights is not None:
            lists = {name: getattr(weights, field) for name, (field, _) in _LISTS.items()}
            rows.append({"record_id": question.row["record_id"], "variant": question.variant, **lists})
    schema |= {name: pl.List(getattr(pl, kind)) for name, (_, kind) in _LISTS.items()}
    return pl.DataFrame(rows, schema=schema, orient="row")
