"""What is trained: language tower, vision tower, projector, all of them, or what a regex matches.

Bare suffixes such as `q_proj` also hit the vision tower in several model families, so presets are
full-match regexes by family, and a table of what was hit is printed and kept in the run's manifest. Layers of the
vision tower that nothing reads, as the last one in LLaVA, are no target of a preset: no gradient gets there.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from offside_data.errors import UsageError
from offside_data.plugins import unknown_name_message
from offside_data.vlm.models import base_model_of
from offside_unlearn.layers import unread_layers

PRESETS = ("language", "vision", "projector")
TOWERS = (*PRESETS, "other")


@dataclass(frozen=True)
class Targets:
    """Full-match regexes for the linear layers of each part of a model family.

    Args:
        language: Attention and MLP projections of the language model.
        vision: The same in the vision tower.
        projector: What maps picture features into the language model; empty if it is no module.
        projector_parameter: The projector where it is a bare parameter.
    """

    language: str
    vision: str
    projector: str
    projector_parameter: str | None = None


_LANGUAGE = r".*language_model\.layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"
_TEXT = _LANGUAGE.replace("language_model", "text_model")
_CLIP = r".*vision_tower\..*\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])"
_SIGLIP = _CLIP.replace("vision_tower", "vision_model")
_QWEN2 = r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.fc[12])"
_QWEN2_5 = r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.(gate|up|down)_proj)"
_QWEN3 = r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.linear_fc[12])"
_LLAVA = r".*multi_modal_projector\.linear_[12]"
_CONNECTOR = r".*connector\.modality_projection\.proj"

FAMILIES: dict[str, Targets] = {
    "qwen2_vl": Targets(_LANGUAGE, _QWEN2, r".*visual\.merger\.mlp\.[02]"),
    "qwen2_5_vl": Targets(_LANGUAGE, _QWEN2_5, r".*visual\.merger\.mlp\.[02]"),
    "qwen3_vl": Targets(_LANGUAGE, _QWEN3, r".*visual\.(merger|deepstack_merger_list\.\d+)\.linear_fc[12]"),
    "llava": Targets(_LANGUAGE, _CLIP, _LLAVA),
    "llava_next": Targets(_LANGUAGE, _CLIP, _LLAVA),
    "gemma3": Targets(_LANGUAGE, _CLIP, "", "multi_modal_projector.mm_input_projection_weight"),
    "smolvlm": Targets(_TEXT, _SIGLIP, _CONNECTOR),
    "idefics3": Targets(_TEXT, _SIGLIP, _CONNECTOR),
}
"""Tried families, by `config.model_type`; any other model takes a regex."""

_PROJECTORS = "merger|deepstack_merger_list|multi_modal_projector|connector|image_newline"
_PARTS = (
    ("projector", re.compile(rf"(^|\.)({_PROJECTORS})(\.|$)")),
    ("vision", re.compile(r"(^|\.)(visual|vision_tower|vision_model)\.")),
    ("language", re.compile(r"(^|\.)(language_model|text_model|lm_head)(\.|$)")),
)


@dataclass(frozen=True, kw_only=True)
class LoraOptions:
    """Size of a new LoRA adapter.

    Args:
        r: Rank. source: code (OFFSIDE: 8).
        lora_alpha: Scale, divided by the rank. source: code (OFFSIDE: 32).
        lora_dropout: Share of inputs dropped in training. source: code (OFFSIDE: 0.05).
    """

    r: int = 8
    lora_alpha: int = 32
    lora_dropout: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what is no adapter."""
        for name in ("r", "lora_alpha"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.lora_dropout < 1:
            raise ValueError(f"lora_dropout is a share, at least 0 and below 1, got {self.lora_dropout}")


def tower_of(name: str) -> str:
    """Which part of a model a module or parameter belongs to: one of `TOWERS`."""
    return next((part for part, pattern in _PARTS if pattern.search(name)), "other")


def add_adapter(model: Any, tune: str, options: LoraOptions) -> Any:
    """Put a fresh LoRA adapter on a plain model.

    Args:
        model: A transformers model.
        tune: `language`, `vision`, `projector`, `all`, or a regex that matches whole module names.
        options: Its size.

    Raises:
        UsageError: If `tune` matches no linear layer, or one that shares its weights.
    """
    from peft import LoraConfig, get_peft_model

    pattern, parameters = _targets(model, tune)
    if not parameters and not any(re.fullmatch(pattern, name) for name, _ in model.named_modules()):
        raise UsageError(f"--tune {tune}: matches no module of this {model.config.model_type} model.")
    _refuse_shared(model, pattern, tune)
    config = LoraConfig(
        r=options.r,
        lora_alpha=options.lora_alpha,
        lora_dropout=0.0 if parameters else options.lora_dropout,  # peft has no dropout on bare parameters.
        bias="none",
        target_modules=pattern or [],
        target_parameters=parameters or None,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise UsageError(f"--tune {tune}: {error}") from error


def _refuse_shared(model: Any, pattern: str, tune: str) -> None:
    """Refuse an adapter on weights that two modules share, as output layer and embeddings do.

    While training it would act in one of them. Put into the weights, as an evaluation and `merge` do, it acts in both.
    """
    modules: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        modules.setdefault(id(parameter), []).append(name.rpartition(".")[0])
    for names in modules.values():
        hit = next((name for name in names if re.fullmatch(pattern, name)), None)
        if hit is not None and len(names) > 1:
            other = next(name for name in names if name != hit)
            raise UsageError(
                f"--tune {tune}: {hit} shares its weights with {other}, which an adapter would change as well once it "
                "is put into the weights. Leave it out of the regex, or train the weights themselves (--full)."
            )


def unfreeze(model: Any, tune: str) -> Any:
    """Train the model's own weights: all of them, or those of the parts that `tune` names.

    Raises:
        UsageError: If `tune` matches no weight.
    """
    unread = tuple(f"{layer}." for layer in unread_layers(model))
    for name, parameter in model.named_parameters():
        module = name.rpartition(".")[0]
        if tune in (*PRESETS, "all"):
            parameter.requires_grad_(tune in ("all", tower_of(name)) and not name.startswith(unread))
        else:
            parameter.requires_grad_(bool(re.fullmatch(_regex(tune), module)))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UsageError(f"--tune {tune}: matches no module of this {model.config.model_type} model.")
    return model


def narrow_adapter(model: Any, tune: str) -> Any:
    """Train of the adapter that is there only what sits on the modules that `tune` matches.

    Raises:
        UsageError: If none of it does.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    names = {id(module): name for name, module in base_model_of(model).named_modules()}
    for module in model.modules():
        if isinstance(module, BaseTunerLayer) and not re.fullmatch(tune, names[id(module)]):
            module.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UsageError(f"the model's adapter sits on none of the modules to be trained ({tune}). Merge it first.")
    return model


def trained_parts(model: Any) -> dict[str, dict[str, int]]:
    """For each tower: how many modules and parameters are trained, and how many parameters it has.

    Of a vision tower with layers that nothing reads also how many these are (`unread`).
    """
    table = {tower: {"modules": 0, "trained": 0, "parameters": 0} for tower in TOWERS}
    unread = unread_layers(model)
    if unread:
        table["vision"]["unread"] = len(unread)
    modules: set[str] = set()
    for name, parameter in model.named_parameters():
        row = table[tower_of(name)]
        if ".lora_" not in name:
            row["parameters"] += _numbers_in(parameter)
        if parameter.requires_grad:
            row["trained"] += parameter.numel()
            module = re.sub(r"\.lora_.*", "", name) if ".lora_" in name else name.rpartition(".")[0]
            row["modules"] += module not in modules
            modules.add(module)
    return {tower: row for tower, row in table.items() if row["parameters"]}


def _numbers_in(parameter: Any) -> int:
    """How many weights a parameter stands for; quantized ones are packed."""
    packed = getattr(parameter, "quant_state", None)
    return int(parameter.numel() if packed is None else math.prod(packed.shape))


def _targets(model: Any, tune: str) -> tuple[str, list[str]]:
    if tune not in (*PRESETS, "all"):
        return _regex(tune), []
    family = base_model_of(model).config.model_type
    if family not in FAMILIES:
        raise UsageError(
            f"--tune {tune}: {unknown_name_message('model family', family, list(FAMILIES))} "
            "Give --tune a regex that matches whole module names."
        )
    targets = FAMILIES[family]
    wanted = PRESETS if tune == "all" else (tune,)
    pattern = "|".join(f"(?:{getattr(targets, part)})" for part in wanted if getattr(targets, part))
    unread = "|".join(map(re.escape, unread_layers(model)))
    if unread and "vision" in wanted:
        pattern = rf"(?!(?:{unread})\.)(?:{pattern})"
    parameter = targets.projector_parameter if "projector" in wanted else None
    return pattern, [parameter] if parameter else []


def _regex(tune: str) -> str:
    try:
        re.compile(tune)
    except re.error as error:
        raise UsageError(f"--tune {tune}: neither {', '.join(PRESETS)}, all nor a regex ({error}).") from error
    return tune
