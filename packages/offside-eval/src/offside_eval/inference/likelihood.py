"""Log-probabilities of several answers to each of many questions, what they have in common passing the model once.

Three ways, the first that gives what the last one gives:

- packed: questions about one picture and all of their answers are one row, each beginning once (`prefixes`);
- shared: the prompt is run once and its keys and values are shared by all answers;
- plain: one whole conversation a row.

Whether a way is right for an architecture shows in the first batch of each sort, of which one question is also done
the plain way. Packing needs to say what each token sees; where hooks must know where answers begin, it isn't tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from offside_data.vlm import answer_logprobs, base_model_of, forward
from offside_data.vlm.encode import IGNORED, Encoded
from offside_data.vlm.vision_once import is_told, model_inputs, rope_positions
from offside_eval.inference.prefixes import Row, in_rows

if TYPE_CHECKING:
    from offside_data.vlm import Batch, Collator
    from offside_eval.inference.asking import Item

TOP = 32
"""Likeliest tokens that are kept of a distribution."""
_AGREEMENT = {"float32": 1e-3}
_AGREEMENT_HALF = 0.1


@dataclass(frozen=True, slots=True)
class Weighed:
    """How likely a model finds one answer, token by token.

    Args:
        logprobs: Log-probability of each token.
        leads: By how much the logit of each is ahead of the largest other one; of gold answers only, if asked for.
        top_tokens: The likeliest tokens at each place, one place after the other; likewise.
        top_logprobs: Their log-probabilities.
        means: At each place the mean log-probability of a token drawn from the model's own distribution; likewise.
        deviations: Its standard deviation.
    """

    logprobs: tuple[float, ...]
    leads: tuple[float, ...] = ()
    top_tokens: tuple[int, ...] = ()
    top_logprobs: tuple[float, ...] = ()
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()


class Likelihood:
    """Weighs the answers of batches of items.

    Args:
        model: From `load_model`.
        collate: Puts prompts into batches, padded on the left.
        share_prompts: Run each prompt once for all its answers, where the architecture allows it.
        pack: And what prompts have in common once for all of them, likewise.
        leads: Whether to tell how far ahead each token of the gold answer is.
        top: How many of the likeliest tokens to keep at each place of the gold answer.
        moments: Whether to tell mean and deviation of the log-probability at each place of the gold answer.
    """

    def __init__(
        self,
        model: Any,
        collate: Collator,
        *,
        share_prompts: bool = True,
        pack: bool = True,
        leads: bool = False,
        top: int = 0,
        moments: bool = False,
    ) -> None:
        self.model = model
        self._leads, self._top, self._moments = leads, top, moments
        self._share = share_prompts
        self._pack = share_prompts and pack and _packable(model)
        self._verified: set[tuple[str, bool]] = set()
        self._collate = collate
        dtype = str(model.dtype).removeprefix("torch.")
        self._agreement = _AGREEMENT.get(dtype, _AGREEMENT_HALF)

    @property
    def shares(self) -> bool:
        """Whether each prompt is run once for all its answers; false once a batch showed that it can't be."""
        return self._share

    @property
    def packs(self) -> bool:
        """Whether what prompts have in common is run once."""
        return self._pack and not is_told(self.model)

    @torch.inference_mode()
    def __call__(self, items: Sequence[Item]) -> list[list[Weighed]]:
        """Weigh each answer of each item."""
        if self.packs:
            found = self._packed(items)
            if self._is_right("packed", items, found):
                return found
            self._pack = False
        if self._share and any(len(item.answers) > 1 for item in items):
            found = self._shared(items)
            if self._is_right("shared", items, found):
                return found
            self._share = False
        return self._plain(items, len(items))

    def _is_right(self, way: str, items: Sequence[Item], found: Sequence[list[Weighed]]) -> bool:
        """Whether the last item is weighed as the plain way does it: two answers, once for each sort of batch."""
        sort = way, any(item.prompt.image is not None for item in items)
        if sort not in self._verified:
            last, places = items[-1], sorted({0, len(items[-1].answers) - 1})  # What all else stands before.
            few = replace(last, answers=tuple(last.answers[place] for place in places))
            if not self._agree([found[-1][place] for place in places], self._plain([few], len(items))[0]):
                return False
            self._verified.add(sort)
        return True

    def _agree(self, shared: list[Weighed], plain: list[Weighed]) -> bool:
        pairs = [(a.logprobs, b.logprobs) for a, b in zip(shared, plain, strict=True)]
        near = self._agreement
        return all(
            torch.allclose(torch.tensor(a), torch.tensor(b), rtol=near, atol=near, equal_nan=True) for a, b in pairs
        )

    def _plain(self, items: Sequence[Item], at_once: int) -> list[list[Weighed]]:
        """One row an answer."""
        rows = [conversation(item.prompt, answer) for item in items for answer in item.answers]
        is_gold = [i == 0 for item in items for i in range(len(item.answers))]
        found: list[Weighed] = []
        for start in range(0, len(rows), at_once):
            part = slice(start, start + at_once)
            output = forward(self.model, self._batch(rows[part]), keep="answer")
            found += self._per_row(output.logits, output.labels, is_gold[part])
        each = iter(found)
        return [[next(each) for _ in item.answers] for item in items]

    def _packed(self, items: Sequence[Item]) -> list[list[Weighed]]:
        """One row a picture, with all that is asked and answered about it."""
        base = base_model_of(self.model)
        rows, leaves = in_rows(items, _picture_token(base))
        batch = self._batch([row.encoded() for row in rows])
        length = batch["input_ids"].shape[1]
        # Of each place at which something is predicted the logits are computed once.
        predicting: dict[tuple[int, int], int] = {}
        for number, answers in leaves:
            for place in {place for leaf in answers for place in leaf[:-1]}:
                predicting.setdefault((number, length - len(rows[number].tokens) + place), len(predicting))
        inputs = model_inputs(self.model, batch)
        inputs["position_ids"] = _positions_in(rows, rope_positions(base, inputs), inputs["attention_mask"])
        inputs["attention_mask"] = _seen(rows, length, base).to(self.model.device)
        with _only_at(base, list(predicting)):
            scores = self.model(**inputs, use_cache=False, return_dict=True).logits[0]
        edges: list[int] = []
        targets: list[int] = []
        golds: list[tuple[int, int]] = []
        for item, (number, answers) in zip(items, leaves, strict=True):
            before = length - len(rows[number].tokens)
            for nth, (answer, leaf) in enumerate(zip(item.answers, answers, strict=True)):
                at = [predicting[number, before + place] for place in leaf[:-1]]
                if nth == 0:
                    golds.append((len(edges), len(edges) + len(at)))
                edges += at
                targets += answer
        where, tokens = torch.tensor(edges, device=scores.device), torch.tensor(targets, device=scores.device)
        logprobs = (scores[where, tokens].float() - scores.float().logsumexp(-1)[where]).tolist()
        looked = iter(self._looks(scores, where, tokens, golds))
        each = iter(logprobs)
        return [
            [
                Weighed(tuple(next(each) for _ in answer), *(next(looked) if nth == 0 else ()))
                for nth, answer in enumerate(item.answers)
            ]
            for item in items
        ]

    def _looks(
        self, scores: torch.Tensor, where: torch.Tensor, tokens: torch.Tensor, golds: Sequence[tuple[int, int]]
    ) -> list[tuple[tuple[Any, ...], ...]]:
        """`_look` at each gold answer."""
        if not (self._leads or self._top or self._moments):
            return [()] * len(golds)
        return [self._look(scores[where[start:end]], tokens[start:end]) for start, end in golds]

    def _shared(self, items: Sequence[Item]) -> list[list[Weighed]]:
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
        found = iter(self._per_row(logits, labels, [i % width == 0 for i in range(len(labels))]))
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

    def _per_row(self, logits: torch.Tensor, labels: torch.Tensor, is_gold: Sequence[bool]) -> list[Weighed]:
        logprobs, mask = answer_logprobs(logits, labels)
        rows = zip(logprobs, mask, logits, labels, is_gold, strict=True)
        return [
            Weighed(tuple(own[there].tolist()), *self._look(row[: len(there)][there], told[1:][there]))
            if gold and (self._leads or self._top or self._moments)
            else Weighed(tuple(own[there].tolist()))
            for own, there, row, told, gold in rows
        ]

    def _look(self, logits: torch.Tensor, tokens: torch.Tensor) -> tuple[tuple[Any, ...], ...]:
        """Leads, likeliest tokens with their log-probabilities, and moments, at each place of one answer."""
        scores = logits.float()
        leads: list[float] = []
        if self._leads:
            own = scores.gather(-1, tokens[:, None])
            leads = (own[:, 0] - scores.scatter(-1, tokens[:, None], -torch.inf).amax(-1)).tolist()
        tokens_there: list[int] = []
        logprobs: list[float] = []
        if self._top:
            best = scores.log_softmax(-1).topk(min(self._top, scores.shape[-1]), dim=-1)
            tokens_there, logprobs = best.indices.flatten().tolist(), best.values.flatten().tolist()
        found = moments_of(scores) if self._moments else ((), ())
        return tuple(leads), tuple(tokens_there), tuple(logprobs), *found

    def _batch(self, rows: Sequence[Encoded]) -> Batch:
        return self._collate(rows).to(self.model.device)


def _packable(model: Any) -> bool:
    """Whether what each token sees can be told to a model as a mask, the same one for all layers."""
    config = base_model_of(model).config
    layers = getattr(config.get_text_config(), "layer_types", None) or ()
    return (
        getattr(config, "_attn_implementation", None) in ("sdpa", "eager")
        and all(kind == "full_attention" for kind in layers)
        and _picture_token(base_model_of(model)) is not None
        and base_model_of(model).get_output_embeddings() is not None
    )


def _picture_token(base: Any) -> int | None:
    """What stands in a prompt for a piece of its picture."""
    found = getattr(base.config, "image_token_id", None)
    return found if found is not None else getattr(base.config, "image_token_index", None)


def _positions_in(rows: Sequence[Row], own: torch.Tensor | None, mask: torch.Tensor) -> torch.Tensor:
    """Position of each token in its own conversation, of shape (rows, tokens), or (axes, rows, tokens).

    Args:
        rows: The rows.
        own: Where the model counts otherwise behind pictures: its positions, as if each row were one conversation.
        mask: Where the padded rows have tokens.
    """
    length = mask.shape[1]
    if own is None:
        own = torch.arange(length, device=mask.device).expand(len(rows), -1) - (length - mask.sum(1, keepdim=True))
    positions = own.clamp(min=0).clone()
    for number, row in enumerate(rows):
        before, head = length - len(row.tokens), row.head
        steps = torch.tensor(row.depths[head:], device=mask.device) - head
        begin = positions[..., number, before + head : before + head + 1]
        positions[..., number, before + head :] = begin + steps
    return positions


def _seen(rows: Sequence[Row], length: int, base: Any) -> torch.Tensor:
    """What each token of the rows, padded on the left, sees: a mask of shape (rows, 1, tokens, tokens)."""
    seen = torch.eye(length, dtype=torch.bool).repeat(len(rows), 1, 1)  # Padding sees itself: no row of it is empty.
    for number, row in enumerate(rows):
        before = length - len(row.tokens)
        seen[number, before:, before:] = row.sees()
    if base.config._attn_implementation == "eager":  # It adds its mask.
        return torch.where(seen, 0.0, torch.finfo(base.dtype).min).to(base.dtype)[:, None]
    return seen[:, None]


@contextmanager
def _only_at(base: Any, places: Sequence[tuple[int, int]]) -> Iterator[None]:
    """Have a model compute the logits of these tokens only, given by row and place: shape (1, places, vocabulary)."""
    rows, columns = torch.tensor(list(places)).T

    def pick(_: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = args[0]
        return (hidden[rows.to(hidden.device), columns.to(hidden.device)][None], *args[1:])

    handle = base.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        yield
    finally:
        handle.remove()


def moments_of(logits: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of log-probability under the distributions themselves.

    Args:
        logits: Of shape `(places, vocabulary)`; a token that can't come (-inf) counts for nothing.
    """
    logprobs = logits.double().log_softmax(-1)
    p = logprobs.exp()
    logprobs = logprobs.masked_fill(p == 0, 0)
    means = (p * logprobs).sum(-1)
    deviations = (p * (logprobs - means[:, None]) ** 2).sum(-1).sqrt()
    return tuple(means.tolist()), tuple(deviations.tolist())


def conversation(prompt: Encoded, answer: tuple[int, ...]) -> Encoded:
    """A prompt with an answer after it, labels on the answer only."""
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
