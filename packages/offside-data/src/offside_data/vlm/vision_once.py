"""Run a model on a batch so that each distinct picture passes the vision tower once.

Fourteen questions about one picture cost one pass of the vision tower, not fourteen. The pass is
part of the graph, so gradients reach a vision tower that is trained.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch

from offside_data.errors import ModelError
from offside_data.vlm.collate import Batch
from offside_data.vlm.encode import IGNORED
from offside_data.vlm.models import base_model_of

Keep = Literal["all", "answer"]

_TOLD: WeakKeyDictionary[torch.nn.Module, list[Callable[[Batch], None]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Output:
    """What a model says about a batch.

    `logits[:, i]` speaks about `labels[:, i + 1]`; `answer_logprobs` does that shift.

    Args:
        logits: Shape (rows, positions, vocabulary).
        labels: The batch's labels, cut to the same positions if only those of answers were kept.
    """

    logits: torch.Tensor
    labels: torch.Tensor


def forward(model: Any, batch: Batch, *, keep: Keep = "all", keep_features: bool = False) -> Output:
    """Run the model on a batch.

    Args:
        model: From `load_model` or `build_tiny`, with or without adapters.
        batch: From a `Collator`, on the model's device.
        keep: `answer` computes logits only where some row's answer is predicted; the rest of the
            vocabulary projection is saved. The numbers that remain are the same.
        keep_features: What the vision tower makes of the pictures stays with the batch, and later passes of this very
            batch take it. Only for passes between which the tower doesn't change, and of which none trains it.

    Raises:
        ModelError: If the model's architecture can't take pictures that were encoded beforehand.
    """
    labels = batch["labels"]
    options: dict[str, Any] = {}
    if keep == "answer":
        positions = (labels != IGNORED).any(0).nonzero()[:, 0]
        # Position 0 has nothing before it that could predict it.
        positions = positions[positions > 0]
        options["logits_to_keep"] = positions - 1
        labels = torch.cat([labels.new_full((len(labels), 1), IGNORED), labels[:, positions]], dim=1)
    inputs = model_inputs(model, batch, keep_features=keep_features)
    positions_of = rope_positions(base_model_of(model), inputs)
    if positions_of is not None:
        options["position_ids"] = positions_of
    result = model(**inputs, use_cache=False, return_dict=True, **options)
    return Output(result.logits, labels)


def model_inputs(model: Any, batch: Batch, *, keep_features: bool = False) -> dict[str, Any]:
    """A batch as keyword arguments of `model.forward` and `model.generate`.

    The vision tower runs here, unless what it made was kept; its output is handed to each row that shows the picture.
    """
    base = base_model_of(model)
    for tell in _TOLD.get(base, ()):
        tell(batch)
    vision_names = [name for name in inspect.signature(base.get_image_features).parameters if name in batch]
    inputs = {
        name: value
        for name, value in batch.items()
        if name not in ("labels", "image_index") and name not in vision_names
    }
    if "pixel_values" not in batch:
        return inputs
    if "mm_encoder_outputs" not in inspect.signature(base.forward).parameters:
        raise ModelError(
            f"{type(base).__name__} takes no pictures that were encoded beforehand (mm_encoder_outputs), so "
            "it can't share one pass of the vision tower. Use another architecture; llava, qwen2_5_vl, "
            "gemma3, smolvlm work."
        )
    shown = batch["image_index"][batch["image_index"] >= 0]
    made_by, features = batch.features
    if made_by is not base:
        features = base.get_image_features(**{name: batch[name] for name in vision_names}, return_dict=True)
    if keep_features:
        batch.features = base, features
    inputs["mm_encoder_outputs"] = {"image": _spread(features, shown)}
    if "image_grid_thw" in batch:  # Qwen-VL: positions of a row's tokens depend on its picture's grid.
        inputs["image_grid_thw"] = batch["image_grid_thw"][shown]
    return inputs


@contextlib.contextmanager
def told_of_batches(model: Any, tell: Callable[[Batch], None]) -> Iterator[None]:
    """Have `tell` called with each batch just before it passes the model, so that hooks know where its answers begin.

    The passes that follow until the next batch go on with the same rows: one token each while an answer is generated,
    or several answers to each row where they share their prompt's keys and values.
    """
    told = _TOLD.setdefault(base_model_of(model), [])
    told.append(tell)
    try:
        yield
    finally:
        told.remove(tell)


def is_told(model: Any) -> bool:
    """Whether anything must know where the answers of each row begin (`told_of_batches`)."""
    return bool(_TOLD.get(base_model_of(model)))


def _spread(features: Any, shown: torch.Tensor) -> Any:
    """One picture's features for each row that shows it, in the order of the rows."""
    numbers = shown.tolist()

    def spread(values: Any) -> Any:
        return values[shown] if torch.is_tensor(values) else tuple(values[number] for number in numbers)

    parts: dict[str, Any] = {"pooler_output": spread(features.pooler_output)}
    if features.get("deepstack_features") is not None:  # Qwen3-VL feeds several layers.
        parts["deepstack_features"] = [spread(layer) for layer in features.deepstack_features]
    return type(features)(**parts)


def rope_positions(base: Any, inputs: dict[str, Any]) -> torch.Tensor | None:
    """Positions in time, height and width, for the families (Qwen-VL) that have them.

    The model would find them itself, in Python for each row. They depend only on where a row's
    picture and padding are and on the picture's grid, so rows that agree in that share one result.
    """
    grids, kinds = inputs.get("image_grid_thw"), inputs.get("mm_token_type_ids")
    find = getattr(base.model, "get_rope_index", None)
    if grids is None or kinds is None or find is None:
        return None
    if "mm_token_type_ids" not in inspect.signature(find).parameters:
        return None
    mask = inputs["attention_mask"]
    if bool(mask[:, 0].all()):  # Padding on the right: nobody sees it, so positions may run on into it.
        mask = torch.ones_like(mask)
    grid_of_row = grids.new_zeros(len(kinds), grids.shape[1])
    grid_of_row[(kinds == 1).any(1)] = grids
    _, group = torch.unique(torch.cat([kinds, mask, grid_of_row], dim=1), dim=0, return_inverse=True)
    first = (group == torch.arange(int(group.max()) + 1, device=group.device)[:, None]).int().argmax(1)
    shown = grid_of_row[first]
    positions: torch.Tensor = find(
        inputs["input_ids"][first],
        mm_token_type_ids=kinds[first],
        image_grid_thw=shown[shown.any(1)],
        attention_mask=mask[first],
    )[0]
    return positions[:, group]
