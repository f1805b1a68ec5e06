"""Presets hit their own tower and nothing else, in every tried family."""

from __future__ import annotations

import copy
import functools
import re
from typing import Any

import pytest
import torch

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.vlm import Collator, Encoder, answer_logprobs, build_tiny, forward
from offside_data.vlm.tiny import FAMILIES as TINY_FAMILIES
from offside_unlearn.layers import layers_of, unread_layers
from offside_unlearn.tune import (
    FAMILIES,
    PRESETS,
    LoraOptions,
    add_adapter,
    tower_of,
    trained_parts,
    unfreeze,
)


@functools.cache
def built(family: str) -> tuple[Any, Any]:
    return build_tiny(family, texts=["Which club is it?", "Norvale Rovers."] * 5, seed=0)


def build(family: str) -> Any:
    """A model of the family, its own each time."""
    return copy.deepcopy(built(family)[0])


def test_every_tiny_family_has_presets() -> None:
    assert set(TINY_FAMILIES) <= set(FAMILIES)


def adapted(model: Any) -> dict[str, int]:
    """How many numbers the adapter has on each module of the plain model, by its name."""
    found: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            module = name.removeprefix("base_model.model.").split(".lora_")[0]
            found[module] = found.get(module, 0) + parameter.numel()
    return found


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_presets_hit_exactly_their_tower(family: str) -> None:
    blocks = re.compile(r"\.(layers|blocks)\.\d+\.")
    linear = {n: m for n, m in built(family)[0].named_modules() if isinstance(m, torch.nn.Linear) and blocks.search(n)}
    assert linear
    # LLaVA reads the last layer but one of its tower's three.
    unread = re.compile(r"vision_tower\..*layers\.2\." if family.startswith("llava") else r"(?!)")
    for tune in (*PRESETS, "all"):
        model = add_adapter(build(family), tune, LoraOptions())
        parts, found = trained_parts(model), adapted(model)
        assert [tower for tower, row in parts.items() if row["trained"]] == list(PRESETS if tune == "all" else (tune,))
        assert all("lora_" in name for name, p in model.named_parameters() if p.requires_grad)
        # The table: as many modules and numbers as there are, in the tower that they stand in.
        assert sum(row["modules"] for row in parts.values()) == len(found)
        assert sum(row["trained"] for row in parts.values()) == sum(found.values())
        hit = {name for name in linear if tune in ("all", tower_of(name)) and not unread.search(name)}
        assert hit <= found.keys(), "every linear layer of the transformer blocks"
        assert not any(map(unread.search, found)), "none of those that nothing reads"
        assert parts["vision"].get("unread", 0) == family.startswith("llava")
        assert all(found[name] == 8 * (linear[name].in_features + linear[name].out_features) for name in hit)


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_all_that_presets_hit_has_moved_after_the_first_step(family: str, league: OffsideDataset) -> None:
    encoder = Encoder(built(family)[1])
    batch = Collator(encoder.processor)([encoder.encode(row) for row in league.records("multimodal", "forget")])
    stuck: dict[str, list[str]] = {}
    for tune in (*PRESETS, "all"):
        model = add_adapter(build(family), tune, LoraOptions(lora_dropout=0.0)).train()
        output = forward(model, batch, keep="answer")
        logprobs, mask = answer_logprobs(output.logits, output.labels)
        (-logprobs.sum() / mask.sum()).backward()
        torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
        ups = {name: p for name, p in model.named_parameters() if "lora_B" in name}
        assert len(ups) == len(adapted(model))
        stuck[tune] = [name for name, p in ups.items() if not p.any()]
    assert not any(stuck.values()), stuck


@pytest.mark.parametrize(
    ("read", "unread"),
    [(-1, []), (3, []), (-2, [2]), (2, [2]), (1, [1, 2]), (0, [0, 1, 2]), ([1, -2], [2]), ([-3, 1], [1, 2])],
)
def test_layers_beyond_the_last_that_is_read_are_no_targets(read: int | list[int], unread: list[int]) -> None:
    """One place among the hidden states or several; the state 0 goes into the first of the three layers."""
    model = build("llava")
    model.config.vision_feature_layer = read
    prefix = next(iter(layers_of(build("llava"), "vision"))).removesuffix("0")
    assert unread_layers(model) == tuple(f"{prefix}{i}" for i in unread)
    if len(unread) < 3:
        hit = {name for name in adapted(add_adapter(model, "all", LoraOptions())) if tower_of(name) == "vision"}
        assert {int(name.removeprefix(prefix)[0]) for name in hit} == {0, 1, 2} - set(unread)
    full = build("llava")
    full.config.vision_feature_layer = read
    frozen = [name for name, parameter in unfreeze(full, "all").named_parameters() if not parameter.requires_grad]
    assert {int(name.removeprefix(prefix)[0]) for name in frozen} == set(unread)


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_every_weight_belongs_to_a_tower(family: str) -> None:
    assert {tower_of(name) for name, _ in built(family)[0].named_parameters()} == set(PRESETS)


def test_a_regex_matches_whole_names() -> None:
    model = add_adapter(build("qwen2_5_vl"), r".*language_model\.layers\.0\.self_attn\.[qv]_proj", LoraOptions(r=2))
    assert trained_parts(model)["language"]["modules"] == 2
    with pytest.raises(UsageError, match="matches no module"):
        add_adapter(build("qwen2_5_vl"), "q_proj", LoraOptions())
    with pytest.raises(UsageError, match="nor a regex"):
        add_adapter(build("qwen2_5_vl"), "[", LoraOptions())


@pytest.mark.parametrize("wrong", [{"r": 0}, {"lora_alpha": 0}, {"lora_dropout": 1.0}, {"lora_dropout": -0.1}])
def test_what_is_no_adapter_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoraOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("tune", [*PRESETS, "all", r".*visual\.blocks\.0\..*"])
def test_full_fine_tuning_unfreezes_what_it_names(tune: str) -> None:
    parts = trained_parts(unfreeze(build("qwen2_5_vl"), tune))
    towers = {"all": list(PRESETS)}.get(tune, [tune if tune in PRESETS else "vision"])
    assert [tower for tower in PRESETS if parts[tower]["trained"]] == towers
    if tune in (*PRESETS, "all"):
        assert all(parts[tower]["trained"] == parts[tower]["parameters"] for tower in towers)


def test_an_adapter_on_shared_weights_is_refused() -> None:
    model = build("qwen2_5_vl")
    assert model.lm_head.weight is model.get_input_embeddings().weight
    with pytest.raises(UsageError, match=r"lm_head shares its weights with model\.language_model\.embed_tokens"):
        add_adapter(model, r".*\.q_proj|lm_head", LoraOptions())


def test_full_fine_tuning_of_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match="matches no module"):
        unfreeze(build("qwen2_5_vl"), "nowhere")


def test_an_unknown_family_takes_a_regex() -> None:
    model = build("qwen2_5_vl")
    model.config.model_type = "unheard_of"
    with pytest.raises(UsageError, match="regex that matches whole module names"):
        add_adapter(model, "language", LoraOptions())
    add_adapter(model, r".*language_model\.layers\.\d+\.mlp\.up_proj", LoraOptions())
