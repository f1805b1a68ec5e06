from __future__ import annotations

import math
from pathlib import Path

from offside_eval.inference.choices import Weights
from offside_eval.inference.generation import Reply
from offside_eval.inference.saved import SavedBatches


def test_what_was_saved_comes_back_to_the_last_digit(tmp_path: Path) -> None:
    saved = SavedBatches(tmp_path)
    replies = [Reply("Østerby “x”\n", 3, True), None]
    weights = [Weights((-0.1 - 1e-17, math.pi, -1e-300), ()), Weights((-1.0,), (-0.2, -0.3))]
    saved.save("answering", 0, replies)
    saved.save("weighing", 0, weights)
    assert saved.load("answering", 0, Reply) == replies
    assert saved.load("weighing", 0, Weights) == weights


def test_numbers_that_json_lacks(tmp_path: Path) -> None:
    saved = SavedBatches(tmp_path)
    saved.save("weighing", 0, [Weights((math.nan, -math.inf), (1.0,))])
    (back,) = saved.load("weighing", 0, Weights)
    assert all(map(math.isnan, back.answer))


def test_what_is_not_there_or_cut_is_not_finished(tmp_path: Path) -> None:
    saved = SavedBatches(tmp_path)
    assert saved.load("answering", 7, Reply) is None
    (tmp_path / "answering-000007.json").write_text('[{"text": "a')
    assert saved.load("answering", 7, Reply) is None
