"""Two engines that share one list of questions, batch by batch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from offside_eval.inference.asking import Item
from offside_eval.inference.engine import Answers, Engine
from offside_eval.inference.saved import SavedBatches

NEEDS: frozenset[Any] = frozenset({"generation", "choices"})


def test_each_asks_its_share_and_the_first_has_all(
    loaded: Callable[[str], tuple[Any, Any]], items: list[Item], tmp_path: Path
) -> None:
    model, processor = loaded("trained")
    some = items[:12]

    def ask(folder: str, share: tuple[int, int]) -> Answers:
        saved = SavedBatches(tmp_path / folder)
        options = {"batch_size": 4, "max_new_tokens": 4, "saved": saved, "share": share}
        return Engine(model=model, processor=processor, **options).ask(some, NEEDS)

    alone = ask("alone", (0, 1))
    second = ask("together", (1, 2))
    assert second.asked == {"answering": 4, "weighing": 4}  # the middle one of three batches
    assert len(second.replies) == 4
    whole = ask("together", (0, 2))
    assert whole.asked == {"answering": 8, "weighing": 8}
    assert (whole.replies, whole.weights) == (alone.replies, alone.weights)

    waiting = SavedBatches(tmp_path / "late")
    later = threading.Timer(0.3, waiting.save, ("answering", 0, [None, alone.replies[some[0].key]]))
    later.start()
    assert waiting.wait("answering", 0, type(alone.replies[some[0].key])) == [None, alone.replies[some[0].key]]
    later.join()
