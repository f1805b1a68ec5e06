from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from offside_data.vlm import build_tiny
from offside_data.vlm.tiny import FAMILIES
from offside_eval.inference.asking import Item
from offside_eval.inference.engine import Engine, asking_collator
from offside_eval.inference.likelihood import Likelihood, Weighed
from offside_eval.plan import Question

Load = Callable[[str], tuple[Any, Any]]


def flat(found: list[list[Weighed]]) -> list[float]:
    return [x for answers in found for answer in answers for x in answer.logprobs]


@pytest.mark.parametrize("family", FAMILIES)
def test_sharing_the_prompt_changes_nothing(family: str, questions: list[Question]) -> None:
    """Pictures and texts in turns: what a model remembers of an earlier batch must not leak."""
    texts = [t for q in questions for t in (q.row["question"], q.answer)]
    model, processor = build_tiny(family, texts=texts, seed=0)
    text = [q for q in questions if q.row["modality"] == "text"][:3]
    shown = [q for q in questions if q.row["modality"] == "multimodal" and q.choices][:7]
    items = Engine(model=model, processor=processor).encode([*shown, *text], frozenset({"choices"}))
    pictures, texts_only = items[:7], items[7:]
    assert len({item.prompt.image_key for item in pictures}) > 1
    packed = Likelihood(model, asking_collator(processor), leads=True)
    shared = Likelihood(model, asking_collator(processor), leads=True, pack=False)
    plain = Likelihood(model, asking_collator(processor), leads=True, share_prompts=False)
    for batch in (pictures, texts_only, items, texts_only[:1], pictures[:1]):
        expected = plain(batch)
        for way in (packed, shared):
            found = way(batch)
            assert flat(found) == pytest.approx(flat(expected), abs=1e-5)
            for ours, theirs in zip(found, expected, strict=True):
                assert ours[0].leads == pytest.approx(theirs[0].leads, abs=1e-4)
    assert shared.shares, "the architecture could share its prompts"
    assert packed.packs == (family != "gemma3"), "its picture's tokens see each other, so only its prompts are shared"


def test_an_architecture_that_can_not_share_is_noticed(
    loaded: Load, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = loaded("trained")
    likelihood = Likelihood(model, asking_collator(processor), pack=False)
    positions = likelihood._positions
    monkeypatch.setattr(likelihood, "_positions", lambda *a: positions(*a) + 7)
    found = likelihood(items[:4])
    assert not likelihood._share
    assert flat(found) == flat(Likelihood(model, asking_collator(processor), share_prompts=False)(items[:4]))


@pytest.mark.parametrize("wrong", ["_positions_in", "_seen"])
def test_an_architecture_whose_rows_can_not_be_packed_is_noticed(
    wrong: str, loaded: Load, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions that don't begin again, or tokens that see other answers: then prompts are shared as before."""
    import torch

    model, processor = loaded("trained")
    some = [i for i in items if i.prompt.image is not None][:6]
    likelihood = Likelihood(model, asking_collator(processor))

    def positions(rows: Any, own: Any, mask: Any) -> torch.Tensor:
        return own

    def seen(rows: Any, length: int, base: Any) -> torch.Tensor:
        return torch.ones(len(rows), 1, length, length, dtype=torch.bool).tril()

    expected = flat(likelihood(some))
    assert likelihood.packs
    other = Likelihood(model, asking_collator(processor))
    monkeypatch.setattr(f"offside_eval.inference.likelihood.{wrong}", positions if wrong == "_positions_in" else seen)
    assert flat(other(some)) == pytest.approx(expected, abs=1e-5)
    assert (other.packs, other.shares) == (False, True)


def test_each_picture_passes_the_vision_tower_once(loaded: Load, items: list[Item]) -> None:
    model, processor = loaded("raw")
    shown = [i for i in items if i.prompt.image is not None][:8]
    patches: list[int] = []
    hook = model.model.visual.register_forward_hook(lambda _, args, out: patches.append(len(args[0])))
    likelihood = Likelihood(model, asking_collator(processor))
    likelihood._verified = {("packed", True)}
    likelihood(shown)
    hook.remove()
    assert len(patches) == 1
    assert patches[0] == 64 * len({i.prompt.image_key for i in shown})


def test_it_is_the_models_own_log_probability(loaded: Load, items: list[Item]) -> None:
    import torch

    model, processor = loaded("trained")
    item = next(i for i in items if i.prompt.image is None)
    (found,) = Likelihood(model, asking_collator(processor), leads=True, top=5)([item])
    ids = torch.tensor([[*item.prompt.input_ids, *item.answers[0]]])
    with torch.inference_mode():
        logprobs = model(input_ids=ids).logits.log_softmax(-1)[0]
    n = len(item.prompt.input_ids)
    expected = [logprobs[n + i - 1, token].item() for i, token in enumerate(item.answers[0])]
    gold = found[0]
    assert gold.logprobs == pytest.approx(expected, abs=1e-5)
    for i, token in enumerate(item.answers[0]):
        there = logprobs[n + i - 1]
        others = torch.cat([there[:token], there[token + 1 :]])
        assert gold.leads[i] == pytest.approx((there[token] - others.max()).item(), abs=1e-4)
        best = there.topk(5)
        assert gold.top_logprobs[5 * i : 5 * i + 5] == pytest.approx(best.values.tolist(), abs=1e-5)
        assert set(gold.top_tokens[5 * i : 5 * i + 5]) == set(best.indices.tolist())
    assert all((answer.leads, answer.top_tokens) == ((), ()) for answer in found[1:])


def test_looking_at_the_gold_answers_is_the_same_whichever_way(loaded: Load, items: list[Item]) -> None:
    model, processor = loaded("trained")
    ways = [
        Likelihood(model, asking_collator(processor), share_prompts=share, leads=True, top=3) for share in (True, False)
    ]
    shared, plain = ([answers[0] for answers in way(items[:6])] for way in ways)
    for a, b in zip(shared, plain, strict=True):
        assert a.leads == pytest.approx(b.leads, abs=1e-3)
        assert a.top_logprobs == pytest.approx(b.top_logprobs, abs=1e-3)


def test_pictures_of_other_sizes_in_one_batch(loaded: Load, questions: list[Question]) -> None:
    model, processor = loaded("raw")
    dice = random.Random(0)
    rows = []
    for i, size in enumerate([(112, 112), (56, 168), (300, 90)]):
        stream = io.BytesIO()
        Image.effect_noise(size, dice.randrange(20, 90)).convert("RGB").save(stream, "PNG")
        question = next(q for q in questions if q.choices)
        row = {**question.row, "record_id": f"r{i}", "image": {"bytes": stream.getvalue(), "path": "x.png"}}
        rows.append(type(question)(**{f: getattr(question, f) for f in question.__slots__} | {"row": row}))
    items = Engine(model=model, processor=processor).encode(rows, frozenset({"choices"}))
    together = Likelihood(model, asking_collator(processor))(items)
    alone = [Likelihood(model, asking_collator(processor))([item])[0] for item in items]
    assert flat(together) == pytest.approx(flat(alone), abs=1e-5)
