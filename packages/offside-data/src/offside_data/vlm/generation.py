"""Greedy answers to a batch of questions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from offside_data.errors import UsageError
from offside_data.vlm.collate import Batch
from offside_data.vlm.models import base_model_of
from offside_data.vlm.vision_once import model_inputs


@dataclass(frozen=True)
class Generated:
    """What a model answered.

    Args:
        tokens: New tokens only, shape (rows, steps); after a row's end there is padding.
        margins: For each row, how far the best token was ahead of the second best where that was
            closest. A difference of logits, divided by the best one where that is above 1, because
            rounding errors grow with the logits. A tiny margin means that rounding decided.
        ended: Whether each row ended by itself, rather than by `max_new_tokens`.
    """

    tokens: torch.Tensor
    margins: torch.Tensor
    ended: torch.Tensor


class _Margins(LogitsProcessor):  # type: ignore[misc]
    """Watches, changes nothing: the smallest top-2 gap of each row until its end."""

    def __init__(self, rows: int, prompt: int, ends: torch.Tensor) -> None:
        self._prompt = prompt
        self._ends = ends
        self.smallest = torch.full((rows,), float("inf"), device=ends.device)
        self._ended = torch.zeros(rows, dtype=torch.bool, device=ends.device)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if input_ids.shape[1] > self._prompt:
            self._ended |= torch.isin(input_ids[:, -1], self._ends)
        best = scores.float().topk(2, dim=-1).values
        gap = (best[:, 0] - best[:, 1]) / best[:, 0].abs().clamp(min=1.0)
        gap = gap.masked_fill(self._ended, float("inf"))
        self.smallest = torch.minimum(self.smallest, gap)
        return scores


def generate(model: Any, batch: Batch, *, max_new_tokens: int = 64) -> torch.Tensor:
    """Answer greedily; whatever sampling or penalties the checkpoint suggests are left out.

    Args:
        model: From `load_model` or `build_tiny`.
        batch: Prompts (`Encoder.encode_prompt`) padded on the left, on the model's device.
        max_new_tokens: Where an answer that doesn't end is cut.

    Returns:
        The new tokens only; after a row's end there is padding.

    Raises:
        UsageError: If the batch is padded on the right.
    """
    return generate_with_margins(model, batch, max_new_tokens=max_new_tokens).tokens


def generate_with_margins(model: Any, batch: Batch, *, max_new_tokens: int = 64) -> Generated:
    """As `generate`, and say how close each answer was to being another one."""
    if not bool(batch["attention_mask"][:, -1].all()):
        raise UsageError('generation needs prompts padded on the left: Collator(processor, padding_side="left").')
    ends = end_token_ids(model)
    prompt = batch["input_ids"].shape[1]
    end_ids = torch.tensor(ends, device=batch["input_ids"].device)
    watch = _Margins(len(batch["input_ids"]), prompt, end_ids)
    with torch.inference_mode(), _plain_greedy(base_model_of(model)):
        out = model.generate(
            **model_inputs(model, batch),
            max_new_tokens=max_new_tokens,
            logits_processor=LogitsProcessorList([watch]),
        )
    tokens = out[:, prompt:]
    return Generated(tokens, watch.smallest, torch.isin(tokens, end_ids).any(1))


@contextmanager
def _plain_greedy(base: Any) -> Iterator[None]:
    """Put the checkpoint's own generation config aside: `generate` would mix it into any other."""
    own, ends = base.generation_config, end_token_ids(base)
    pad = own.pad_token_id if own.pad_token_id is not None else (ends or [0])[0]
    base.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=ends or None,
        pad_token_id=pad,
        use_cache=True,
    )
    try:
        yield
    finally:
        base.generation_config = own


def end_token_ids(model: Any) -> list[int]:
    """Token ids that end an answer, as the model's generation config says."""
    found = base_model_of(model).generation_config.eos_token_id
    return [] if found is None else [found] if isinstance(found, int) else list(found)


def decode(processor: Any, tokens: torch.Tensor) -> list[str]:
    """New tokens as text, without special tokens and surrounding blanks."""
    texts = processor.tokenizer.batch_decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return [text.strip() for text in texts]
