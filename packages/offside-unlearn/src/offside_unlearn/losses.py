"""The losses: pure functions of logits, labels and masks.

`labels` has the shape (batch, tokens) and is -100 everywhere but on answer tokens; position `t` of
the logits predicts token `t + 1`. Only answer tokens count, so padding and prompt never change a
number, and a batch without any answer token is an error. Formulas: `docs/methods/`.

Each mean takes its divisor as an option. Left out, it is the batch's own number of answer tokens
(or records); the trainer passes the number that makes accumulated micro-batches equal to one batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from offside_data.errors import RecordError
from offside_data.vlm.encode import IGNORED
from offside_data.vlm.logprobs import answer_mask, sequence_logprobs


def answer_logits(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits that predict answer tokens, (answer tokens, vocabulary) in float32, and those tokens.

    Row by row, each row from left to right: padding on either side changes nothing.

    Raises:
        RecordError: If the batch has no answer token.
    """
    mask = answer_mask(labels)
    if not bool(mask.any()):
        raise RecordError("the batch has no answer token: every label is ignored, so there is nothing to learn from.")
    return logits[:, : mask.shape[1]][mask].float(), labels[:, 1:][mask]


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, *, tokens: float | None = None) -> torch.Tensor:
    """`CE`: negative log-likelihood, mean over all answer tokens of the batch."""
    predicted, targets = answer_logits(logits, labels)
    return functional.cross_entropy(predicted, targets, reduction="sum") / (tokens or len(targets))


def token_logprobs(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The whole distribution at each answer token: log-probabilities, (answer tokens, vocabulary)."""
    return torch.log_softmax(answer_logits(logits, labels)[0], dim=-1)


def record_logprobs(logits: torch.Tensor, labels: torch.Tensor, *, mean: bool = False) -> torch.Tensor:
    """`log p(y | x)` of each record: the sum over its answer tokens, or their mean.

    Raises:
        RecordError: If a record has no answer token.
    """
    sums, counts = sequence_logprobs(logits, labels)
    return sums / counts if mean else sums


def kl(
    frozen_logprobs: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor, *, tokens: float | None = None
) -> torch.Tensor:
    """`KL(p0 || p)`, mean over answer tokens.

    Args:
        frozen_logprobs: What `token_logprobs` gives for the frozen model.
        logits: Of the model being changed.
        labels: -100 outside the answers.
        tokens: Divisor of the sum over answer tokens.
    """
    logprobs = token_logprobs(logits, labels)
    if frozen_logprobs.shape != logprobs.shape:
        raise ValueError(
            f"frozen distributions of shape {tuple(frozen_logprobs.shape)} don't fit {tuple(logprobs.shape)}"
        )
    frozen_logprobs = frozen_logprobs.float()
    # exp(log p0) is 0 where p0 is 0; there the product must be 0 too, not 0 * inf.
    summed = torch.where(
        torch.isneginf(frozen_logprobs), 0.0, frozen_logprobs.exp() * (frozen_logprobs - logprobs)
    ).sum()
    return summed / (tokens or len(logprobs))


def npo(
    logprobs: torch.Tensor, frozen_logprobs: torch.Tensor | float, *, beta: float, records: float | None = None
) -> torch.Tensor:
    """`-(2/beta) E[log sigmoid(-beta (log p - log p0))]` over records.

    It is never below 0 and flattens as an answer becomes unlikely, where gradient ascent goes on.
    """
    ratio = logprobs - frozen_logprobs
    return (-2.0 / beta) * functional.logsigmoid(-beta * ratio).sum() / (records or len(logprobs))


def simnpo(mean_logprobs: torch.Tensor, *, beta: float, gamma: float, records: float | None = None) -> torch.Tensor:
    """`-(2/beta) E[log sigmoid(-beta log p / T - gamma)]` over records: `npo` against a constant.

    Args:
        mean_logprobs: What `record_logprobs(mean=True)` gives, so that an answer's length `T` doesn't count.
        beta: How sharply the push fades.
        gamma: How far below certainty an answer must fall before it fades.
        records: Divisor of the sum over records.
    """
    return npo(mean_logprobs, -gamma / beta, beta=beta, records=records)


def dpo(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    frozen_chosen: torch.Tensor,
    frozen_rejected: torch.Tensor,
    *,
    beta: float,
    records: float | None = None,
) -> torch.Tensor:
    """`-(2/beta) E[log sigmoid(beta (log p/p0 of the chosen answer - log p/p0 of the rejected one))]` over records.

    All four are `log p(y | x)` by record, in the same order. Without a chosen answer it is `npo`.
    """
    return npo(rejected - chosen, frozen_rejected - frozen_chosen, beta=beta, records=records)


def token_nll(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """`-log p(y_t)` of each answer token, in the order of `answer_logits`."""
    predicted, targets = answer_logits(logits, labels)
    return functional.cross_entropy(predicted, targets, reduction="none")


def reweighted_ascent(
    nll: torch.Tensor, *, saturation: float, importance: float = 0.0, divisor: float | None = None
) -> torch.Tensor:
    """`sum_t w_t log p(y_t)` with `w = p^saturation (1 - p)^importance`, through which no gradient flows.

    Args:
        nll: What `token_nll` gives.
        saturation: The larger, the sooner a token that has become unlikely is left alone.
        importance: The larger, the less a token counts of which the model is certain.
        divisor: Of the sum over answer tokens: a number of tokens, or of records. Left out, the answer tokens.
    """
    certain = nll.detach()
    # 1 - p by expm1, because p rounds to 1 where the model is certain; never below 0, of which there is no root.
    weights = (-saturation * certain).exp() * (-torch.expm1(-certain)).clamp(min=0) ** importance
    return -(weights * nll).sum() / (divisor or len(nll))


def undial(
    frozen_logprobs: torch.Tensor,
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    gamma: float,
    tokens: float | None = None,
) -> torch.Tensor:
    """Cross-entropy to the frozen distribution with each answer token's logit lowered, mean over answer tokens.

    The target is `softmax(z0 - gamma onehot(y))`, which log-probabilities in place of the logits `z0` give as well.

    Args:
        frozen_logprobs: What `token_logprobs` gives for the frozen model.
        logits: Of the model being changed.
        labels: -100 outside the answers.
        gamma: By how much the logit of the answer's token is lowered.
        tokens: Divisor of the sum over answer tokens.

    Raises:
        RecordError: If the batch has no answer token.
        ValueError: If the frozen distributions are of other tokens.
    """
    predicted, targets = answer_logits(logits, labels)
    if frozen_logprobs.shape != predicted.shape:
        raise ValueError(
            f"frozen distributions of shape {tuple(frozen_logprobs.shape)} don't fit {tuple(predicted.shape)}"
        )
    one_hot = functional.one_hot(targets, predicted.shape[-1])
    wanted = torch.softmax(frozen_logprobs.float() - gamma * one_hot, dim=-1)
    return functional.cross_entropy(predicted, wanted, reduction="sum") / (tokens or len(targets))


def without_first(labels: torch.Tensor, count: int) -> torch.Tensor:
    """The labels with the first `count` answer tokens of each row ignored.

    Raises:
        RecordError: If a row has no answer token left: what is left out would be no part of any mean.
    """
    if count == 0:
        return labels
    mask = answer_mask(labels)
    kept = mask & (mask.cumsum(dim=1) > count)
    empty = (~kept.any(dim=1)).nonzero()[:, 0].tolist()
    if empty:
        raise RecordError(
            f"no answer token is left in row {', '.join(map(str, empty))} of the batch once the first {count} of each "
            f"answer are left out; the shortest answer has {int(mask.sum(dim=1).min())}. Leave out fewer."
        )
    return torch.cat([labels[:, :1], labels[:, 1:].masked_fill(~kept, IGNORED)], dim=1)


def ce_u(logits: torch.Tensor, labels: torch.Tensor, *, tokens: float | None = None) -> torch.Tensor:
    """Cross-entropy to the model's own distribution with the answer's token removed, mean over answer tokens.

    The target is the softmax of the model's logits with that of the answer's token at -inf. No gradient flows into
    it, so the gradient pushes the answer's token down by its probability and every other one up in proportion.

    Raises:
        RecordError: If the batch has no answer token.
    """
    predicted, targets = answer_logits(logits, labels)
    rest = predicted.detach().scatter(-1, targets.unsqueeze(-1), float("-inf"))
    wanted = torch.softmax(rest, dim=-1)
    return functional.cross_entropy(predicted, wanted, reduction="sum") / (tokens or len(targets))


def logit_margin(logits: torch.Tensor, labels: torch.Tensor, *, tokens: float | None = None) -> torch.Tensor:
    """`mean_t (max_v z - mean_v z)^2` over answer tokens: 0 where all logits are equal, so that nothing is known.

    Raises:
        RecordError: If the batch has no answer token.
    """
    predicted, targets = answer_logits(logits, labels)
    margin = predicted.max(dim=-1).values - predicted.mean(dim=-1)
    return margin.square().sum() / (tokens or len(targets))


@dataclass(frozen=True)
class TopLogprobs:
    """Distributions at answer tokens by their likeliest tokens, in the order of `answer_logits`.

    Args:
        logprobs: (answer tokens, k), of the k likeliest ones.
        indices: Which tokens these are; null: the whole vocabulary in its order, so that nothing is lost.
        rest: Log of the mass of all others, (answer tokens); meaningless without `indices`.
        gold: Log-probability of the answer's token, (answer tokens), whether or not it is a likely one.
        targets: The answer's tokens.
    """

    logprobs: torch.Tensor
    indices: torch.Tensor | None
    rest: torch.Tensor
    gold: torch.Tensor
    targets: torch.Tensor

    @classmethod
    def of(cls, logits: torch.Tensor, labels: torch.Tensor, top: int | None = None) -> TopLogprobs:
        """What a model says.

        Args:
            logits: Its logits.
            labels: -100 outside the answers.
            top: How many tokens to keep; null, or as many as there are, keeps all.

        Raises:
            RecordError: If the batch has no answer token.
        """
        return cls.of_logprobs(token_logprobs(logits, labels), labels[:, 1:][answer_mask(labels)], top)

    @classmethod
    def of_logprobs(cls, logprobs: torch.Tensor, targets: torch.Tensor, top: int | None = None) -> TopLogprobs:
        """As `of`, of log-probabilities (answer tokens, vocabulary) and the answer's tokens."""
        gold = logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        if top is None or top >= logprobs.shape[-1]:
            return cls(logprobs, None, torch.full_like(gold, -torch.inf), gold, targets)
        values, indices = logprobs.topk(top, dim=-1)
        return cls(values, indices.int(), _rest(logprobs, indices), gold, targets)

    def to(self, device: torch.device) -> TopLogprobs:
        """The same on another device."""
        indices = None if self.indices is None else self.indices.to(device)
        others = (self.logprobs, self.rest, self.gold, self.targets)
        logprobs, rest, gold, targets = (tensor.to(device) for tensor in others)
        return TopLogprobs(logprobs, indices, rest, gold, targets)


def _rest(logprobs: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Log of the mass beside `indices`: by their sum, for 1 minus a mass close to 1 has no digits left."""
    return logprobs.scatter(-1, indices.long(), -torch.inf).logsumexp(-1)


def top_kl(wanted: TopLogprobs, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """`KL(T || p)` at each answer token, in the order of `answer_logits`; all tokens that `T` doesn't name are one.

    So it is never more than the KL of the whole distributions, and the same where `T` names all tokens.

    Raises:
        RecordError: If the batch has no answer token.
        ValueError: If `T` is of other answers.
    """
    predicted, targets = answer_logits(logits, labels)
    _require_same_answers(wanted, targets)
    logprobs = torch.log_softmax(predicted, dim=-1)
    if wanted.indices is None:
        return _divergence(wanted.logprobs, logprobs).sum(-1)
    named = _divergence(wanted.logprobs, logprobs.gather(-1, wanted.indices.long())).sum(-1)
    return named + _divergence(wanted.rest, _rest(logprobs, wanted.indices))


def _divergence(wanted: torch.Tensor, logprobs: torch.Tensor) -> torch.Tensor:
    # exp(log T) is 0 where T is 0; there the product must be 0 too, not 0 * inf.
    return torch.where(torch.isneginf(wanted), 0.0, wanted.exp() * (wanted - logprobs))


def entropy(of: TopLogprobs) -> torch.Tensor:
    """Entropy in nats at each answer token; all tokens that aren't named count as one, so it is never too high."""
    parts = of.logprobs if of.indices is None else torch.cat([of.logprobs, of.rest.unsqueeze(-1)], dim=-1)
    # exp(log p) is 0 where p is 0; there the product must be 0 too, not 0 * inf.
    return -torch.where(torch.isneginf(parts), 0.0, parts.exp() * parts).sum(-1)


def gold_gap(wanted: TopLogprobs, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """`(log p(y) - log T(y))^2` at each answer token `y`, in the order of `answer_logits`.

    Raises:
        RecordError: If the batch has no answer token.
        ValueError: If `T` is of other answers.
    """
    nll = token_nll(logits, labels)
    _require_same_answers(wanted, labels[:, 1:][answer_mask(labels)])
    return (-nll - wanted.gold).square()


def _require_same_answers(wanted: TopLogprobs, targets: torch.Tensor) -> None:
    if wanted.targets.shape != targets.shape or not bool((wanted.targets == targets).all()):
        raise ValueError(
            f"the distributions are of {len(wanted.targets)} answer tokens, and these {len(targets)} are others: "
            "a teacher must see the very answers that are learnt from."
        )


def of_records(values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """One value a row of a batch, (rows), as one for each answer token, in the order of `answer_logits`."""
    mask = answer_mask(labels)
    return values.unsqueeze(-1).expand(mask.shape)[mask]


def state_distance(states: torch.Tensor, wanted: torch.Tensor, *, tokens: float | None = None) -> torch.Tensor:
    """Squared distance of hidden states to where they should be: mean over their width and over answer tokens.

    Args:
        states: (answer tokens, width).
        wanted: The same, or one vector for all.
        tokens: Divisor of the sum over answer tokens.
    """
    return (states - wanted).square().mean(dim=-1).sum() / (tokens or len(states))
