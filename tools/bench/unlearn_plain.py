"""What `unlearn.py` compares with: plain training loops with a second model, and the same losses in so many words.

The policy carries the adapter; the frozen model is a deep copy that does a forward pass in each step. The losses are
written from the methods' formulas, with nothing of `offside_unlearn.losses`; that they are the same shows in the loss
of each step, which the bench compares. Shared is only what isn't measured: the batches, and the forward pass, which
passes each picture once and computes logits where an answer is predicted. All that the plain loop has more is the copy
and its passes.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional

from offside_data.vlm import Collator, Encoded, forward
from offside_unlearn.batches import BatchPlan, PairedBatch, Side
from offside_unlearn.layers import layers_of

Tensor = torch.Tensor


@dataclass
class Plain:
    """One plain training: both models, and what the loss is made of.

    Args:
        policy: With its adapter.
        frozen: The copy; null for methods that need none.
        method: For its options, and what it draws or decides before the first step.
        donors: By record, what only the frozen model is asked.
        collate: Makes batches of those.
    """

    policy: Any
    frozen: Any
    method: Any
    donors: dict[str, list[Encoded]]
    collate: Collator
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def config(self) -> Any:
        """The method's options."""
        return self.method.config

    @torch.no_grad()
    def asked(self, side: Side) -> Tensor:
        """What the frozen model says of each record's donors, their mean: (answer tokens, vocabulary)."""
        given = [self.donors[record] for record in side.record_ids]
        inputs = self.collate([example for examples in given for example in examples])
        logits, labels = _answers(self.frozen, inputs.to(side.inputs["input_ids"].device))
        parts = torch.split(torch.log_softmax(logits, -1), (labels != -100).sum(1).tolist())
        means, start = [], 0
        for examples in given:
            same = torch.stack(parts[start : start + len(examples)])
            means.append(same.logsumexp(0) - math.log(len(examples)))
            start += len(examples)
        return torch.cat(means)


def _answers(model: Any, inputs: Any) -> tuple[Tensor, Tensor]:
    """Logits at all answer tokens of a batch, row by row, and the labels as (rows, positions)."""
    output = forward(model, inputs, keep="answer")
    labels = output.labels[:, 1:]
    return output.logits[:, : labels.shape[1]][labels != -100].float(), labels


def _said(model: Any, side: Side) -> tuple[Tensor, Tensor]:
    """Logits and ids of the answer tokens of a batch."""
    logits, labels = _answers(model, side.inputs)
    return logits, labels[labels != -100]


def _ce(model: Any, side: Side) -> Tensor:
    return functional.cross_entropy(*_said(model, side))


def _by_record(values: Tensor, side: Side) -> list[Tensor]:
    return list(torch.split(values, (side.inputs["labels"][:, 1:] != -100).sum(1).tolist()))


def _logp(model: Any, side: Side, *, mean: bool = False) -> Tensor:
    """Log-probability of each record's answer."""
    parts = _by_record(-functional.cross_entropy(*_said(model, side), reduction="none"), side)
    return torch.stack([part.mean() if mean else part.sum() for part in parts])


def _frozen_logp(plain: Plain, side: Side) -> Tensor:
    with torch.no_grad():
        return _logp(plain.frozen, side)


def _whole_kl(plain: Plain, side: Side) -> Tensor:
    """KL from the frozen model to the policy over the whole vocabulary, mean over answer tokens."""
    with torch.no_grad():
        wanted = torch.log_softmax(_said(plain.frozen, side)[0], -1)
    said = torch.log_softmax(_said(plain.policy, side)[0], -1)
    return functional.kl_div(said, wanted, log_target=True, reduction="sum") / len(said)


def _coarse(logprobs: Tensor, named: Tensor) -> Tensor:
    """Distributions of which only the named tokens are told apart; the last column is all others."""
    rest = logprobs.scatter(-1, named, -math.inf).logsumexp(-1, keepdim=True)
    return torch.cat([logprobs.gather(-1, named), rest], -1)


def _retained(plain: Plain, batch: PairedBatch) -> Tensor | float:
    if plain.config.lambda_r == 0:
        return 0.0
    kind = getattr(plain.config, "retention", "ce")
    term = _ce(plain.policy, batch.retain) if kind == "ce" else _whole_kl(plain, batch.retain)
    return plain.config.lambda_r * term  # type: ignore[no-any-return]


def _preference(chosen: Tensor | float, rejected: Tensor, beta: float) -> Tensor:
    return -2 / beta * functional.logsigmoid(beta * (chosen - rejected)).mean()


def _grad_ascent(plain: Plain, batch: PairedBatch) -> Tensor:
    return -_ce(plain.policy, batch.forget)


def _grad_diff(plain: Plain, batch: PairedBatch) -> Tensor:
    return -_ce(plain.policy, batch.forget) + _retained(plain, batch)


def _po(plain: Plain, batch: PairedBatch) -> Tensor:
    return _ce(plain.policy, batch.refusal) + _retained(plain, batch)


def _npo(plain: Plain, batch: PairedBatch) -> Tensor:
    ratio = _logp(plain.policy, batch.forget) - _frozen_logp(plain, batch.forget)
    return _preference(0.0, ratio, plain.config.beta) + _retained(plain, batch)


def _dpo(plain: Plain, batch: PairedBatch) -> Tensor:
    good, bad = batch.sides.get("refusal") or batch.alternative, batch.forget
    chosen = _logp(plain.policy, good) - _frozen_logp(plain, good)
    rejected = _logp(plain.policy, bad) - _frozen_logp(plain, bad)
    return _preference(chosen, rejected, plain.config.beta) + _retained(plain, batch)


def _simnpo(plain: Plain, batch: PairedBatch) -> Tensor:
    mean = _logp(plain.policy, batch.forget, mean=True)
    return _preference(-plain.config.gamma / plain.config.beta, mean, plain.config.beta) + _retained(plain, batch)


def _weighted(plain: Plain, batch: PairedBatch) -> Tensor:
    """`wga` and `sat_imp`."""
    config = plain.config
    nll = functional.cross_entropy(*_said(plain.policy, batch.forget), reduction="none")
    likely = (-nll.detach()).exp()
    if hasattr(config, "saturation"):
        weights = likely**config.saturation * (1 - likely) ** config.importance
    else:
        weights = likely**config.beta
    loss: Tensor = -(weights * nll).mean() + _retained(plain, batch)
    return loss


def _ce_u(plain: Plain, batch: PairedBatch) -> Tensor:
    logits, ids = _said(plain.policy, batch.forget)
    wanted = logits.detach().scatter(-1, ids[:, None], -math.inf).softmax(-1)
    parts = _by_record(functional.cross_entropy(logits, wanted, reduction="none"), batch.forget)
    return torch.cat([part[plain.config.skip_first :] for part in parts]).mean() + _retained(plain, batch)


def _pdu(plain: Plain, batch: PairedBatch) -> Tensor:
    config, notes = plain.config, plain.notes
    if "excess" in notes:  # The dual variable moves once a step.
        notes["dual"] = max(0.0, notes["dual"] + config.dual_lr * notes["excess"])
    logits, _ = _said(plain.policy, batch.forget)
    flat = (logits.max(-1).values - logits.mean(-1)).square().mean()
    excess = _ce(plain.policy, batch.retain) - config.epsilon
    notes["excess"] = float(excess.detach())
    loss: Tensor = flat + notes.setdefault("dual", config.dual_start) * excess
    return loss


def _kl_min(plain: Plain, batch: PairedBatch) -> Tensor:
    loss: Tensor = -_ce(plain.policy, batch.forget) + plain.config.alpha * _whole_kl(plain, batch.retain)
    return loss


def _undial(plain: Plain, batch: PairedBatch) -> Tensor:
    with torch.no_grad():
        wanted, ids = _said(plain.frozen, batch.forget)
        wanted[torch.arange(len(ids)), ids] -= plain.config.gamma
    logits, _ = _said(plain.policy, batch.forget)
    return functional.cross_entropy(logits, wanted.softmax(-1)) + _retained(plain, batch)


def _states(model: Any, side: Side, depth: float) -> Tensor:
    """Hidden states after a layer where answer tokens are predicted."""
    layers, caught = list(layers_of(model, "language").values()), []
    layer = layers[min(len(layers) - 1, round(depth * len(layers)))]
    handle = layer.register_forward_hook(lambda _module, _inputs, output: caught.append(output))
    forward(model, side.inputs, keep="answer")
    handle.remove()
    states: Tensor = caught[0] if isinstance(caught[0], Tensor) else caught[0][0]
    return states[:, :-1][side.inputs["labels"][:, 1:] != -100].float()


def _rmu(plain: Plain, batch: PairedBatch) -> Tensor:
    config = plain.config
    pushed = _states(plain.policy, batch.forget, config.depth)
    wanted = config.steering_coeff * plain.method.state["direction"].to(pushed.device)
    with torch.no_grad():
        held = _states(plain.frozen, batch.retain, config.depth)
    kept = functional.mse_loss(_states(plain.policy, batch.retain, config.depth), held)
    loss: Tensor = functional.mse_loss(pushed, wanted.expand_as(pushed)) + config.alpha * kept
    return loss


def _vgid(plain: Plain, batch: PairedBatch) -> Tensor:
    wanted, said = plain.asked(batch.forget), torch.log_softmax(_said(plain.policy, batch.forget)[0], -1)
    named = wanted.topk(plain.config.top_k).indices
    term = functional.kl_div(_coarse(said, named), _coarse(wanted, named), log_target=True, reduction="sum")
    loss: Tensor = plain.config.alpha * term / len(said) + plain.config.beta * _whole_kl(plain, batch.retain)
    return loss


def _viker(plain: Plain, batch: PairedBatch) -> Tensor:
    config = plain.config
    logits, ids = _said(plain.policy, batch.forget)
    wanted, said = plain.asked(batch.forget), torch.log_softmax(logits, -1)
    named = wanted.topk(config.top_k).indices
    coarse = _coarse(wanted, named)
    ideal = functional.kl_div(_coarse(said, named), coarse, log_target=True, reduction="sum") / len(said)
    key = (-(coarse.exp() * coarse).sum(-1) >= config.entropy).float()
    nll = functional.cross_entropy(logits, ids, reduction="none")
    loss: Tensor = config.ideal * ideal - config.ascent * (key * nll).mean() + _retained(plain, batch)
    return loss


def _prior_match(plain: Plain, batch: PairedBatch) -> Tensor:
    config, side, refused = plain.config, batch.forget, plain.method.abstaining
    logits, ids = _said(plain.policy, side)
    wanted, said = plain.asked(side), torch.log_softmax(logits, -1)
    named = wanted.topk(config.top_k).indices
    divergence = functional.kl_div(_coarse(said, named), _coarse(wanted, named), log_target=True, reduction="none")
    gap = (said - wanted).gather(-1, ids[:, None])[:, 0].square()
    twice = _flags([record in refused for record in side.record_ids], side) + 1
    loss: Tensor = (twice * (config.kl * divergence.sum(-1) + config.gold_match * gap)).mean()
    if refused:
        nll = functional.cross_entropy(*_said(plain.policy, batch.refusal), reduction="none")
        counts = _flags([record in refused for record in batch.refusal.record_ids], batch.refusal)
        loss += config.refusal * (counts * nll).mean()
    loss += config.keep * _whole_kl(plain, batch.retain)
    return loss


def _flags(of_records: Sequence[bool], side: Side) -> Tensor:
    """1 or 0 a record as one for each of its answer tokens."""
    tokens = (side.inputs["labels"][:, 1:] != -100).sum(1)
    return torch.tensor(of_records, dtype=torch.float32, device=tokens.device).repeat_interleave(tokens)


LOSSES: dict[str, Callable[[Plain, PairedBatch], Tensor]] = {
    "alt_po": _dpo,
    "ce_u": _ce_u,
    "dpo": _dpo,
    "grad_ascent": _grad_ascent,
    "grad_diff": _grad_diff,
    "kl_min": _kl_min,
    "npo": _npo,
    "pdu": _pdu,
    "po": _po,
    "prior_match": _prior_match,
    "rmu": _rmu,
    "sat_imp": _weighted,
    "simnpo": _simnpo,
    "undial": _undial,
    "vgid": _vgid,
    "viker": _viker,
    "wga": _weighted,
}
"""The loss of each method, by its name."""


def train_plainly(plain: Plain, plan: BatchPlan, name: str, *, lr: float, clip: float) -> Iterator[float]:
    """The loop that a script would have; gives the loss of each step, after the step."""
    trained = [parameter for parameter in plain.policy.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, fused=True)
    device = trained[0].device
    plain.policy.train()
    for batch in plan.batches():
        loss = LOSSES[name](plain, batch.to(device))
        torch.autograd.backward([loss])
        torch.nn.utils.clip_grad_norm_(trained, clip)
        optimizer.step()
        optimizer.zero_grad()
        yield float(loss.detach())


def by_record(examples: Sequence[Encoded]) -> dict[str, list[Encoded]]:
    """The examples of each record."""
    found: dict[str, list[Encoded]] = defaultdict(list)
    for example in examples:
        found[example.record_id].append(example)
    return dict(found)
