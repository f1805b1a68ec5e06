from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.errors import ModelError
from offside_data.vlm import load_model
from offside_data.vlm.pictures import picture_inputs
from offside_eval.inference.asking import Item
from offside_eval.inference.choices import Weigher, Weights
from offside_eval.inference.engine import OUT_OF_MEMORY, Answers, Engine, asking_collator
from offside_eval.inference.generation import WITHIN_ROUNDING
from offside_eval.inference.saved import SavedBatches
from offside_eval.plan import Question

NEEDS = frozenset({"generation", "choices", "likelihood", "alternatives"})
Load = Callable[[str], tuple[Any, Any]]


def ask(loaded: Load, name: str, items: list[Item], size: int, saved: SavedBatches | None = None) -> Answers:
    model, processor = loaded(name)
    engine = Engine(model=model, processor=processor, batch_size=size, max_new_tokens=16, saved=saved)
    return engine.ask(items, NEEDS)


@pytest.mark.parametrize("name", ["raw", "trained", "half"])
def test_texts_and_scores_do_not_depend_on_the_batch_size(loaded: Load, name: str, items: list[Item]) -> None:
    """Mixed lengths and modalities; on `half` many tokens are all but equally likely."""
    some = items[::2]
    alone, together = ask(loaded, name, some, 1), ask(loaded, name, some, 32)
    assert alone.replies == together.replies
    for key, weights in alone.weights.items():
        other = together.weights[key]
        assert weights.answer == pytest.approx(other.answer, abs=1e-5)
        assert weights.choices == pytest.approx(other.choices, abs=1e-5)
        ranks = [sorted(range(len(w.choices)), key=w.choices.__getitem__) for w in (weights, other)]
        assert ranks[0][-1:] == ranks[1][-1:]


def test_a_row_within_rounding_is_asked_again_alone(
    loaded: Load, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = items[:12]
    expected = ask(loaded, "half", few, 1)
    monkeypatch.setitem(WITHIN_ROUNDING, "float32", math.inf)
    again = ask(loaded, "half", few, 12)
    assert again.asked_again["answering"] == len(few)
    assert again.replies == expected.replies


def test_models_that_share_a_collator_process_each_picture_once(
    loaded: Load, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    processed = []

    def counting(processor: Any, image: Any) -> Any:
        processed.append(image)
        return picture_inputs(processor, image)

    monkeypatch.setattr("offside_data.vlm.collate.picture_inputs", counting)
    some = items[::4]
    collate = asking_collator(loaded("raw")[1])
    for name in ("raw", "trained"):
        model, processor = loaded(name)
        shared = Engine(model=model, processor=processor, batch_size=8, max_new_tokens=16, collate=collate)
        answers = shared.ask(some, NEEDS)
        assert len(processed) == len({item.prompt.image_key for item in some} - {None}) > 1
        monkeypatch.setattr("offside_data.vlm.collate.picture_inputs", picture_inputs)
        alone = ask(loaded, name, some, 8)
        assert (answers.replies, answers.weights) == (alone.replies, alone.weights)
        monkeypatch.setattr("offside_data.vlm.collate.picture_inputs", counting)


def test_the_order_of_the_questions_does_not_matter(loaded: Load, items: list[Item]) -> None:
    forwards, backwards = (ask(loaded, "trained", part, 8) for part in (items[:20], items[:20][::-1]))
    assert forwards.replies == backwards.replies
    assert forwards.weights == backwards.weights


def test_saved_batches_are_not_asked_again(loaded: Load, items: list[Item], tmp_path: Path) -> None:
    saved = SavedBatches(tmp_path)
    first = ask(loaded, "trained", items[:20], 8, saved)
    (tmp_path / "weighing-000001.json").unlink()
    (tmp_path / "answering-000002.json").write_text("")  # a power cut
    model, _ = loaded("trained")
    seen = []
    hook = model.register_forward_hook(lambda *_: seen.append(1))
    second = ask(loaded, "trained", items[:20], 8, saved)
    hook.remove()
    assert 0 < len(seen) < 40
    assert (first.replies, first.weights) == (second.replies, second.weights)


def test_too_little_memory_halves_the_batch(loaded: Load, items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    few = items[:8]
    expected = ask(loaded, "trained", few, 8)
    weigh = Weigher.__call__

    def tight(self: Weigher, batch: list[Item]) -> list[Weights]:
        if len(batch) > 2 or few[5] in batch:
            raise torch.OutOfMemoryError
        return weigh(self, batch)

    monkeypatch.setattr(Weigher, "__call__", tight)
    found = ask(loaded, "trained", few, 8)
    assert found.failures == {few[5].key: OUT_OF_MEMORY}
    assert found.weights.keys() == expected.weights.keys() - {few[5].key}
    for key, weights in found.weights.items():
        assert weights.answer == pytest.approx(expected.weights[key].answer, abs=1e-5)


def test_a_broken_model_gives_numbers_that_are_not_finite_and_comes_to_an_end(
    loaded: Load, items: list[Item], models: dict[str, Path], tmp_path: Path
) -> None:
    model = load_model(models["raw"], device="cpu")
    torch.nn.init.constant_(model.get_input_embeddings().weight, math.nan)
    engine = Engine(
        model=model, processor=loaded("raw")[1], batch_size=4, max_new_tokens=3, saved=SavedBatches(tmp_path)
    )
    first, second = engine.ask(items[:4], NEEDS), engine.ask(items[:4], NEEDS)
    assert first.replies == second.replies
    assert all(math.isnan(w.answer[0]) for a in (first, second) for w in a.weights.values())
    assert first.asked_again == {"answering": 0, "weighing": 0}


def test_a_generation_config_that_ends_elsewhere_than_the_template_is_an_error(
    loaded: Load, questions: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = loaded("raw")
    engine = Engine(model=model, processor=processor)
    right = model.generation_config.eos_token_id
    for ends, said in ((processor.tokenizer.pad_token_id, "stops at"), (None, "names no token to stop at")):
        monkeypatch.setattr(model.generation_config, "eos_token_id", ends)
        with pytest.raises(ModelError, match=f"{said}.*eos_token_id"):
            engine.encode(questions[:1], NEEDS)
        assert engine.encode(questions[:1], frozenset({"likelihood"}))  # nothing is generated, nothing can run on
    monkeypatch.setattr(model.generation_config, "eos_token_id", [processor.tokenizer.pad_token_id, right])
    assert engine.encode(questions[:1], NEEDS)
