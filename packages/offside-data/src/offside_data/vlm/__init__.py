"""From records to model inputs, for any image-text-to-text model (needs `offside-data[vlm]`).

Load a model and its processor, encode records through the model's own chat template with labels
on the answer only, collate them so that each picture is processed once a batch, and run the model
so that each picture passes the vision tower once:

    model, processor = load_model(path), load_processor(path)
    encoder, collate = Encoder(processor), Collator(processor)
    batch = collate([encoder.encode(row) for row in rows])
    output = forward(model, batch)
    logprobs, mask = answer_logprobs(output.logits, output.labels)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from offside_data.errors import UsageError

if TYPE_CHECKING:
    from offside_data.vlm.augment import Augment
    from offside_data.vlm.collate import Batch, Collator
    from offside_data.vlm.encode import Encoded, Encoder
    from offside_data.vlm.generation import Generated, decode, generate, generate_with_margins
    from offside_data.vlm.intervention import Intervention, load_intervened, read_intervention
    from offside_data.vlm.logprobs import (
        answer_logprobs,
        answer_mask,
        require_answer_tokens,
        sequence_logprobs,
    )
    from offside_data.vlm.models import base_model_of, load_model
    from offside_data.vlm.processors import image_backend, load_processor, save_processor
    from offside_data.vlm.tiny import build_tiny
    from offside_data.vlm.vision_once import Output, forward

__all__ = [
    "Augment",
    "Batch",
    "Collator",
    "Encoded",
    "Encoder",
    "Generated",
    "Intervention",
    "Output",
    "answer_logprobs",
    "answer_mask",
    "base_model_of",
    "build_tiny",
    "decode",
    "forward",
    "generate",
    "generate_with_margins",
    "image_backend",
    "load_intervened",
    "load_model",
    "load_processor",
    "read_intervention",
    "require_answer_tokens",
    "save_processor",
    "sequence_logprobs",
]

_HOMES = {
    "augment": ("Augment",),
    "collate": ("Batch", "Collator"),
    "encode": ("Encoded", "Encoder"),
    "generation": ("Generated", "decode", "generate", "generate_with_margins"),
    "intervention": ("Intervention", "load_intervened", "read_intervention"),
    "logprobs": ("answer_logprobs", "answer_mask", "require_answer_tokens", "sequence_logprobs"),
    "models": ("base_model_of", "load_model"),
    "processors": ("image_backend", "load_processor", "save_processor"),
    "tiny": ("build_tiny",),
    "vision_once": ("Output", "forward"),
}


def __getattr__(name: str) -> Any:
    # Lazy, so that importing this package doesn't pay for torch; says what is missing when it is.
    for module, names in _HOMES.items():
        if name in names:
            try:
                return getattr(importlib.import_module(f"offside_data.vlm.{module}"), name)
            except ModuleNotFoundError as error:
                if (error.name or "").startswith("offside_data"):
                    raise
                raise UsageError(
                    f"offside_data.vlm needs {error.name!r}, which isn't installed. "
                    'Install the extra: pip install "offside-data[vlm]".'
                ) from error
    raise AttributeError(f"module 'offside_data.vlm' has no attribute {name!r}")
