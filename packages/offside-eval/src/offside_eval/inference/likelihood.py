"""Log-probabilities of several answers to one question, its prompt passing the model once.

The prompt (picture and question, most of the tokens) is run once and its keys and values are shared
by all answers: five answers cost little more than one. An architecture whose positions don't allow
that is noticed, because the first batch of each sort is also done the plain way, one whole
conversation a row, which then stays the way for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from offside_data.vlm import answer_logprobs, base_model_of, forward
from offside_data.vlm.encode import IGNORED, Encoded
from offside_data.vlm.vision_once import model_inputs

if TYPE_CHECKING:
    from offside_data.vlm import Batch, Collator
    from offside_eval.inference.asking import Item

TokenLogprobs = tuple[float, ...]
_AGREEMENT = {"float32": 1e-3}
_AGREEMENT_HALF = 0.1


class Likelihood:
    """Weighs the answers of batches of items.

    Args:
        model: From `load_model`.
        collate: Puts prompts into batches, padded on the left.
        share_prompts: Run each prompt once for all its answers, where the architecture allows it.
    """

    def __init__(self, model: Any, collate: Collator, *, share_prompts: bool = True) -> None:
        self.model = model
        self._share = share_prompts
        self._verified: set[bool] = set()
        self._collate = collate
        dtype = str(model.dtype).removeprefix("torch.")
        self._agreement = _AGREEMENT.get(dtype, _AGREEMENT_HALF)

    @torch.inference_mode()
    def __call__(self, items: Sequence[Item]) -> list[list[TokenLogprobs]]:
        """Log-probability of each token of each answer of each item."""
        if not self._share or all(len(item.answers) == 1 for item in items):
            return self._plain(items)
        found = self._shared(items)
        with_picture = any(item.prompt.image is not None for item in items)
        if with_picture not in self._verified:
            if not self._agree(found[0], self._plain(items[:1])[0]):
                self._share = False
                return self._plain(items)
            self._verified.add(with_picture)
        return found

    def _agree(self, shared: list[TokenLogprobs], plain: list[TokenLogprobs]) -> bool:
        pairs = zip(shared, plain, strict=True)
        near = self._agreement
        return all(
            torch.allclose(torch.tensor(a), torch.tensor(b), rtol=near, atol=near, equal_nan=True) for a, b in pairs
        )

    def _plain(self, items: Sequence[Item]) -> list[list[TokenLogprobs]]:
        """One row an answer; as many rows at once as there are items."""
        rows = [_conversation(item.prompt, answer) for item in items for answer in item.answers]
        found: list[TokenLogprobs] = []
        for start in range(0, len(rows), len(items)):
            output = forward(self.model, self._batch(rows[start : start + len(items)]), keep="answer")
            found += _per_row(output.logits, output.labels)
        each = iter(found)
        return [[next(each) for _ in item.answers] for item in items]

    def _shared(self, items: Sequence[Item]) -> list[list[TokenLogprobs]]:
        """One row a prompt, then one row an answer on the prompts' keys and values."""
        width = max(len(item.answers) for item in items)
        batch = self._batch([item.prompt for item in items])
        prompts = self.model(**model_inputs(self.model, batch), use_cache=True, logits_to_keep=1, return_dict=True)
        cache = prompts.past_key_values
        cache.batch_repeat_interleave(width)
        # As many rows for each prompt: missing answers are filled with the gold one and not read.
        answers = [(*item.answers, *[item.answers[0]] * (width - len(item.answers))) for item in items]
        tokens, mask = _padded([answer for row in answers for answer in row])
        tokens, mask = tokens.to(self.model.device), mask.to(self.model.device)
        before = batch["attention_mask"].repeat_interleave(width, 0)
        rest = self.model(
            input_ids=tokens,
            attention_mask=torch.cat([before, mask], 1),
            past_key_values=cache,
            use_cache=True,
            return_dict=True,
            position_ids=self._positions(batch, before, mask),
        )
        logits = torch.cat([prompts.logits[:, -1:].repeat_interleave(width, 0), rest.logits], 1)
        labels = torch.cat([tokens.new_full((len(tokens), 1), IGNORED), tokens.masked_fill(mask == 0, IGNORED)], 1)
        found = iter(_per_row(logits, labels))
        rows = [[next(found) for _ in range(width)] for _ in items]
        return [row[: len(item.answers)] for row, item in zip(rows, items, strict=True)]

    def _positions(self, batch: Batch, before: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Positions of the answers' tokens: they go on where the model ended its prompts.

        A model counts on from the padded prompt; but behind pictures Qwen's models count without the
        padding, and a picture's tokens for less than their number, by the `rope_deltas` they remember.
        """
        inner = getattr(base_model_of(self.model), "model", None)
        deltas: torch.Tensor | None = getattr(inner, "rope_deltas", None)
        steps = torch.arange(mask.shape[1], device=mask.device)[None]
        if deltas is None or "pixel_values" not in batch:
            return (before.shape[1] + steps).expand(len(mask), -1)
        width = len(mask) // len(deltas)
        return before.sum(1, keepdim=True) + deltas.repeat_interleave(width, 0) + steps

    def _batch(self, rows: Sequence[Encoded]) -> Batch:
        return self._collate(rows).to(self.model.device)


def _conversation(prompt: Encoded, answer: tuple[int, ...]) -> Encoded:
    ids = [*prompt.input_ids, *answer]
    labels = [IGNORED] * len(prompt.input_ids) + list(answer)
    extra = {name: [*values, *[0] * len(answer)] for name, values in prompt.extra.items()}
    return Encoded(prompt.record_id, ids, labels, prompt.prompt_length, extra, prompt.image, prompt.image_key)


def _padded(rows: Sequence[tuple[int, ...]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows padded on the right, and the mask of what isn't padding."""
    length = max(map(len, rows))
    tokens = torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return tokens, mask


def _per_row(logits: torch.Tensor, labels: torch.Tensor) -> list[TokenLogprobs]:
    logprobs, mask = answer_logprobs(logits, labels)
    return [tuple(row[there].tolist()) for row, there in zip(logprobs, mask, strict=True)]
