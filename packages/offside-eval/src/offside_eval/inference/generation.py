"""Greedy answers that don't depend on the batch they were given in.

Padding and batching change logits in their last digits, which flips the choice between two tokens
that are all but equally likely. So each row's smallest lead of the best token over the second best is
watched; a row where it is within rounding is asked again alone. Every other row can't have flipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from offside_data.vlm import decode, generate_with_margins
from offside_data.vlm.generation import end_token_ids

if TYPE_CHECKING:
    from offside_data.vlm import Collator, Encoded, Generated

WITHIN_ROUNDING = {"float32": 5e-5, "bfloat16": 2e-2, "float16": 3e-3}
"""Margin of `Generated` that a change of batch can turn round, by the weights' type.

Measured in float32: a change of batch moves logits by at most 1e-6 of the largest one, whether the
model is untrained, trained or wrecked.
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answered.

    Args:
        text: Without special tokens.
        n_new_tokens: Tokens up to the end of turn, without it.
        ended: Whether it ended by itself, rather than at the limit.
    """

    text: str
    n_new_tokens: int
    ended: bool


class Generator:
    """Answers batches of prompts.

    Args:
        model: From `load_model`.
        processor: Its processor.
        collate: Puts prompts into batches, padded on the left.
        max_new_tokens: Where an answer that doesn't end is cut.
        within_rounding: Lead below which a row is asked again alone.
    """

    def __init__(
        self, model: Any, processor: Any, collate: Collator, *, max_new_tokens: int, within_rounding: float
    ) -> None:
        self.model = model
        self.processor = processor
        self.max_new_tokens = max_new_tokens
        self.within_rounding = within_rounding
        self.asked_again = 0
        self._collate = collate
        self._ends = frozenset(end_token_ids(model))

    def __call__(self, prompts: Sequence[Encoded]) -> list[Reply]:
        """Answer each prompt."""
        together = self._generate(prompts)
        replies = self._replies(together)
        if len(prompts) > 1:
            # A broken model has no lead at all (NaN), alone or in company: nothing to decide.
            close = (together.margins < self.within_rounding).tolist()
            for row in (i for i, is_close in enumerate(close) if is_close):
                replies[row] = self._replies(self._generate([prompts[row]]))[0]
                self.asked_again += 1
        return replies

    def _generate(self, prompts: Sequence[Encoded]) -> Generated:
        batch = self._collate(prompts).to(self.model.device)
        return generate_with_margins(self.model, batch, max_new_tokens=self.max_new_tokens)

    def _replies(self, generated: Generated) -> list[Reply]:
        texts = decode(self.processor, generated.tokens)
        rows = zip(texts, generated.tokens.tolist(), generated.ended.tolist(), strict=True)
        return [Reply(text, self._length(tokens), ended) for text, tokens, ended in rows]

    def _length(self, tokens: list[int]) -> int:
        return next((i for i, token in enumerate(tokens) if token in self._ends), len(tokens))
