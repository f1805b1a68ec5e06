"""Results whose numbers are known, as much of them as a metric of a model reads."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

LISTS = {
    "answer_logprobs": pl.Float32,
    "alternative_logprobs": pl.Float32,
    "paraphrase_logprobs": pl.Float32,
    "top_tokens": pl.Int32,
    "top_logprobs": pl.Float64,
}


def _saved(content: dict[str, Any], rows: list[dict[str, Any]]) -> Any:
    """Just what a metric reads of results."""
    row = {"slice": "forget", "variant": "plain", "image_id": None, "split": "forget", "truth_ratio": 1.0}
    row |= {"probability": 1.0}
    weighed = [
        {"variant": "plain"} | {name: [] for name in LISTS} | weighing for weighing in content.get("weighings", [])
    ]
    schema = {"record_id": pl.String, "variant": pl.String, **{name: pl.List(kind) for name, kind in LISTS.items()}}
    frame = pl.DataFrame(weighed, schema=schema) if weighed else None
    told = content.get("members")
    members = None if told is None else pl.DataFrame(told, schema_overrides={"grad_norm": pl.Float64})
    lists = {"retain_only": pl.List(pl.Float64), "own": pl.List(pl.Float64)}
    depths = pl.DataFrame(content["depths"], schema_overrides=lists) if "depths" in content else None
    model = SimpleNamespace(digest=content.get("digest"))
    meta = SimpleNamespace(dataset=SimpleNamespace(digest="same"), model=model)
    samples = pl.DataFrame([row | given for given in rows])
    return SimpleNamespace(samples=samples, weighings=frame, members=members, depths=depths, meta=meta)


@pytest.fixture(scope="session")
def saved() -> Callable[..., Any]:
    """`saved(content, rows)`: results with these samples, and what else the content names."""
    return _saved
