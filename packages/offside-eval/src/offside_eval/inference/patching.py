"""How much less likely a model finds a value with another model's hidden states in place of its own, layer by layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from offside_data.errors import ModelError
from offside_data.vlm import answer_logprobs, forward
from offside_data.vlm.encode import IGNORED
from offside_eval.inference.layers import decoder_layers
from offside_eval.inference.likelihood import conversation

if TYPE_CHECKING:
    from offside_data.vlm import Batch, Collator, Intervention
    from offside_eval.inference.asking import Item


@dataclass(frozen=True, slots=True)
class Drops:
    """By how much vanilla's mean log-probability of a value's tokens falls, by layer.

    Args:
        retain_only: With the states of retain-only behind that layer, where the value is predicted.
        own: With those of the model under test.
    """

    retain_only: tuple[float, ...]
    own: tuple[float, ...]


class Patching:
    """Patches states of two models into a third one.

    Args:
        own: The model under test.
        retain_only: The one that never saw what was to be forgotten.
        vanilla: The one that is patched.
        collate: Puts conversations into batches.
        places: By item, which tokens of its gold answer are the value's.
        intervention: What is done to the states of the model under test.

    Raises:
        ModelError: If the models don't have as many layers of the same width.
    """

    def __init__(
        self,
        own: Any,
        retain_only: Any,
        vanilla: Any,
        collate: Collator,
        places: Mapping[str, Sequence[int]],
        intervention: Intervention | None = None,
    ) -> None:
        self._own, self._retain_only, self._vanilla = own, retain_only, vanilla
        self._collate, self._places, self._intervention = collate, places, intervention
        if len({_size(model) for model in (own, retain_only, vanilla)}) > 1:
            raise ModelError(
                "the model, retain-only and vanilla don't have as many layers of the same width, so the states of one "
                "don't fit into another. Give controls of the same architecture, or leave depth out (--metrics)."
            )

    @torch.inference_mode()
    def __call__(self, items: Sequence[Item]) -> list[Drops]:
        """Patch every layer, once with the states of retain-only and once with those of the model."""
        batch = self._collate([conversation(item.prompt, item.answers[0]) for item in items])
        places = [list(self._places[item.key]) for item in items]
        where = _predicting(batch["labels"], places)
        patched = batch.to(self._vanilla.device)  # One batch: its pictures pass the vision tower once.
        before = self._told(patched, places)
        theirs = self._states(self._retain_only, batch, where)
        with contextlib.nullcontext() if self._intervention is None else self._intervention.attached(self._own):
            mine = self._states(self._own, batch, where)
        drops = []
        for states in (theirs, mine):
            after = [self._patched(layer, state, patched, where, places) for layer, state in enumerate(states)]
            drops.append((before[None] - torch.stack(after)).T.tolist())
        return [Drops(tuple(retain), tuple(own)) for retain, own in zip(*drops, strict=True)]

    def _told(self, batch: Batch, places: Sequence[list[int]]) -> torch.Tensor:
        """Vanilla's mean log-probability of each row's value."""
        output = forward(self._vanilla, batch, keep="answer", keep_features=True)
        logprobs, mask = answer_logprobs(output.logits, output.labels)
        return torch.stack(
            [own[there][at].double().mean() for own, there, at in zip(logprobs, mask, places, strict=True)]
        ).cpu()

    def _patched(
        self, layer: int, state: torch.Tensor, batch: Batch, where: torch.Tensor, places: Sequence[list[int]]
    ) -> torch.Tensor:
        def change(hidden: torch.Tensor) -> torch.Tensor:
            changed = hidden.clone()
            changed[where.to(hidden.device)] = state.to(hidden.device, hidden.dtype)
            return changed

        with _hooked(decoder_layers(self._vanilla)[layer], change):
            return self._told(batch, places)

    def _states(self, model: Any, batch: Batch, where: torch.Tensor) -> list[torch.Tensor]:
        """What is behind each layer where a value's token is predicted: of shape `(tokens, width)` each."""
        seen: list[torch.Tensor] = []

        def note(hidden: torch.Tensor) -> None:
            if hidden.shape[:2] != where.shape:
                raise ModelError(
                    f"{type(model).__name__}'s layers see {hidden.shape[1]} positions of {where.shape[1]}, so its "
                    "states can't be told apart by token. Leave depth out (--metrics)."
                )
            seen.append(hidden[where.to(hidden.device)])

        with contextlib.ExitStack() as stack:
            for layer in decoder_layers(model):
                stack.enter_context(_hooked(layer, note))
            forward(model, batch.to(model.device), keep="answer")
        return seen


def _size(model: Any) -> tuple[int, int]:
    """How many layers a model has, and how wide their states are."""
    return len(decoder_layers(model)), int(model.get_input_embeddings().weight.shape[-1])


def _predicting(labels: torch.Tensor, places: Sequence[list[int]]) -> torch.Tensor:
    """Where each row's value is predicted: the positions before its tokens."""
    where = torch.zeros_like(labels, dtype=torch.bool)
    for row, at in enumerate(places):
        answer = (labels[row] != IGNORED).nonzero()[:, 0]
        where[row, answer[at] - 1] = True
    return where


@contextlib.contextmanager
def _hooked(layer: torch.nn.Module, work: Callable[[torch.Tensor], torch.Tensor | None]) -> Iterator[None]:
    """Have `work` look at what a layer gives; what it returns takes its place."""

    def hook(module: torch.nn.Module, args: object, output: Any) -> Any:
        is_tuple = isinstance(output, tuple)
        changed = work(output[0] if is_tuple else output)
        if changed is None:
            return None
        return (changed, *output[1:]) if is_tuple else changed

    handle = layer.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def value_places(tokenizer: Any, tokens: Sequence[int], value: str) -> list[int]:
    """Which tokens of an answer hold a piece of the value; none where the answer doesn't say it in these words.

    Args:
        tokenizer: Of the models.
        tokens: The answer's text.
        value: As the answer writes it.
    """
    ends = [len(tokenizer.decode(tokens[:n], skip_special_tokens=True)) for n in range(len(tokens) + 1)]
    start = tokenizer.decode(tokens, skip_special_tokens=True).find(value)
    if start < 0 or not value:
        return []
    return [i for i in range(len(tokens)) if ends[i] < start + len(value) and ends[i + 1] > start]
