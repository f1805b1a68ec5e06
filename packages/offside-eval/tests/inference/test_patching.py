"""States of one model in another one, layer by layer, in all families."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from offside_data.errors import ModelError
from offside_data.vlm import build_tiny
from offside_data.vlm.tiny import FAMILIES
from offside_eval.inference.asking import Item
from offside_eval.inference.engine import Engine, asking_collator
from offside_eval.inference.layers import decoder_layers
from offside_eval.inference.patching import Patching, value_places
from offside_eval.model_metrics.depth import depth_of
from offside_eval.plan import Question

Load = Callable[[str], tuple[Any, Any]]


def claims_of(questions: list[Question]) -> list[Question]:
    """Both forms in turns."""
    private = [q for q in questions if q.row["split"] == "forget" and q.row["scope"] == "private" and q.value]
    forms = [[q for q in private if q.row["modality"] == form][:3] for form in ("multimodal", "text")]
    return [q for pair in zip(*forms, strict=True) for q in pair]


def places_of(processor: Any, items: list[Item], claims: list[Question]) -> dict[str, list[int]]:
    pairs = zip(items, claims, strict=True)
    return {
        i.key: value_places(processor.tokenizer, i.answers[0][: i.n_content], q.value.text) for i, q in pairs if q.value
    }


def test_the_value_is_found_among_the_tokens(loaded: Load, questions: list[Question]) -> None:
    model, processor = loaded("raw")
    claims = claims_of(questions)
    items = Engine(model=model, processor=processor).encode(claims, frozenset({"likelihood"}))
    for item, claim in zip(items, claims, strict=True):
        at = places_of(processor, [item], [claim])[item.key]
        assert claim.value is not None
        assert 0 < len(at) < item.n_content
        assert claim.value.text in processor.tokenizer.decode([item.answers[0][i] for i in at])
    assert value_places(processor.tokenizer, items[0].answers[0], "nowhere") == []


def test_ends_and_what_lies_between(loaded: Load, questions: list[Question]) -> None:
    """Retain-only has depth 1, vanilla 0, a model that forgot in its last layer something between."""
    vanilla, processor = loaded("trained")
    retain_only, _ = loaded("raw")
    shallow = copy.deepcopy(vanilla)
    decoder_layers(shallow)[-1].load_state_dict(decoder_layers(retain_only)[-1].state_dict())
    claims = claims_of(questions)
    items = Engine(model=vanilla, processor=processor).encode(claims, frozenset({"likelihood"}))
    collate, places = asking_collator(processor), places_of(processor, items, claims)
    before = copy.deepcopy(vanilla.state_dict())
    drops = {
        name: Patching(own, retain_only, vanilla, collate, places)(items)
        for name, own in (("retain_only", retain_only), ("vanilla", vanilla), ("shallow", shallow))
    }
    depths = {name: [depth_of(d.retain_only, d.own) for d in found] for name, found in drops.items()}
    assert depths["retain_only"] == [1.0] * len(items)
    assert depths["vanilla"] == pytest.approx([0.0] * len(items), abs=1e-5)
    assert all(0 <= depth < 0.5 for depth in depths["shallow"]), depths["shallow"]
    assert max(depths["shallow"]) > 0.01
    n = len(decoder_layers(vanilla))
    for found in drops["shallow"]:
        assert len(found.own) == n > 1
        assert found.own[:-1] == pytest.approx([0.0] * (n - 1), abs=1e-5)
        assert abs(found.own[-1]) > 1e-3
    assert all(torch.equal(weight, before[name]) for name, weight in vanilla.state_dict().items())
    assert not any(layer._forward_hooks for model in (vanilla, retain_only, shallow) for layer in decoder_layers(model))
    alone = Patching(shallow, retain_only, vanilla, collate, places)(items[:1])[0]
    assert alone.own == pytest.approx(drops["shallow"][0].own, abs=1e-4)  # padding changes nothing


@pytest.mark.parametrize(
    "family", [pytest.param(f, marks=[] if f == "llava" else [pytest.mark.full]) for f in FAMILIES]
)
def test_all_families_can_be_patched(family: str, questions: list[Question]) -> None:
    texts = [t for q in questions for t in (q.row["question"], q.answer)]
    (vanilla, processor), (other, _) = (build_tiny(family, texts=texts, seed=seed) for seed in (0, 1))
    claims = claims_of(questions)[:2]
    items = Engine(model=vanilla, processor=processor).encode(claims, frozenset({"likelihood"}))
    places = places_of(processor, items, claims)
    for found in Patching(vanilla, other, vanilla, asking_collator(processor), places)(items):
        assert len(found.own) == len(decoder_layers(vanilla))
        assert found.own == pytest.approx([0.0] * len(found.own), abs=1e-4)
        assert all(abs(drop) > 1e-6 for drop in found.retain_only)


def test_another_architecture_is_refused(loaded: Load, questions: list[Question]) -> None:
    model, processor = loaded("raw")
    shorter = copy.deepcopy(model)
    next(m for m in shorter.get_decoder().modules() if isinstance(m, torch.nn.ModuleList)).pop(-1)
    with pytest.raises(ModelError, match="don't have as many layers"):
        Patching(shorter, model, model, asking_collator(processor), {})
