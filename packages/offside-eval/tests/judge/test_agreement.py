"""How far judges agree where they couldn't but agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_eval.compare.judges import judge_notes
from offside_eval.judge.agreement import agreements
from offside_eval.judge.config import JudgeConfig
from offside_eval.judge.running import judge_results
from offside_eval.judge.scores import judged
from offside_eval.results import Results


def test_judges_that_always_say_the_same_do_not_look_as_if_they_agreed(
    fake: Any, make_results: Callable[..., Results], config: Callable[..., JudgeConfig]
) -> None:
    """Empty answers are 0 without a judge: beside a judge that always says 10 that was an alpha of 1."""
    results = make_results("npo", role="unlearned", degenerate=0.5, rates={"forget/private": 0.5}, subjects=6)
    assert results.path is not None
    path = Path(results.path)
    fake.act = lambda handler, told: handler.verdict(10)
    for name in ("one", "two"):
        judge_results([path], config(judge_model=name, name=name))
    found, _ = judged(path)
    empty = found[0].table["question_key"].is_null()
    assert 0 < empty.sum() < len(empty)
    assert (found[0].table["score"].filter(empty) == 0).all()
    (told,) = agreements(found)
    assert (told.alpha, told.pearson, told.varied) == (None, None, False)
    assert told.n == len(empty) - empty.sum()
    (note,) = judge_notes([Results.load(path)])
    assert "no agreement can be told" in note
    assert "0.00" not in note

    # A judge that varies is compared on what was asked, too.
    fake.act = lambda handler, told: handler.verdict(len(told["answer"]) % 7)
    judge_results([path], config(judge_model="three", name="three"))
    three = next(j for j in judged(path)[0] if j.meta.name == "three")
    if three.table["score"].filter(~empty).n_unique() > 1:
        by = {a.judges: a for a in agreements(judged(path)[0])}
        assert all(a.n == told.n for a in by.values())
        assert all(a.alpha is None or a.alpha < pytest.approx(0.5) for a in by.values())
