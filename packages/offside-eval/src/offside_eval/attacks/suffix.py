"""A text suffix learnt by greedy coordinate gradient on half of the subjects, tried on the other half.

One suffix for all questions: one that is learnt on the very claim it is tried on can spell the answer out, and makes a
model say whatever the attacker wants. Each step takes the gradient with respect to the suffix's tokens, tries some of
the replacements that promise most, and keeps the best. It is tried as text, after the question, so that what can't be
typed doesn't count. Beside it a random suffix of the same length (`@random`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from offside_data.errors import UsageError
from offside_data.seeding import rng
from offside_data.vlm import Encoded, base_model_of
from offside_data.vlm.encode import IGNORED
from offside_eval.attacks import Access, AttackedClaim, AttackTarget, Attempt, Paper, RecoveryAttack

PAPER = Paper(
    "Universal and Transferable Adversarial Attacks on Aligned Language Models",
    "https://arxiv.org/abs/2307.15043",
)
_START = " !"


@dataclass(frozen=True, kw_only=True)
class Attack(RecoveryAttack):
    """Greedy coordinate gradient within a budget.

    Args:
        steps: Replacements at most.
        length: Tokens of the suffix.
        candidates: Suffixes tried a step.
        top: Replacements of each token to draw them from, those that promise most.
        learn: Claims that the suffix is learnt on, at most.
    """

    access: ClassVar[Access] = "white-box"
    steps: int = 12
    length: int = 8
    candidates: int = 12
    top: int = 32
    learn: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.steps, self.length, self.candidates, self.top, self.learn) < 1:
            raise UsageError("every option of suffix must be at least 1.")
        if self.length > 1_000:
            raise UsageError(f"a suffix has at most 1,000 tokens, got length {self.length}.")

    def unfit(self, target: AttackTarget) -> str | None:
        """Where subjects can't be halved."""
        n = len({claim.subject for claim in target.claims if claim.group == "forget"})
        return None if n > 1 else "there is one subject, and the suffix is tried on others than it is learnt on"

    def attempts(self, target: AttackTarget) -> Iterator[Attempt]:
        """The learnt suffix and a random one, after each question."""
        learn, tried = target.halved(self.seed)
        text, random_text = self.texts(target, learn[: self.learn])
        plain = [target.plain(claim) for claim in tried]
        yield from target.ask([replace(p, name="suffix/1", question=p.question + text) for p in plain])
        yield from target.ask([replace(p, name="@random/1", question=p.question + random_text) for p in plain])

    def texts(self, target: AttackTarget, learn: Sequence[AttackedClaim]) -> tuple[str, str]:
        """The learnt suffix and a random one of the same length."""
        tokenizer = target.processor.tokenizer
        allowed = typeable(tokenizer)
        dice = rng(self.seed, "suffix")
        random_ids = [dice.choice(allowed) for _ in range(self.length)]
        begun = tokenizer(_START * self.length, add_special_tokens=False)["input_ids"][: self.length]
        begun += [begun[-1]] * (self.length - len(begun))
        rows = [row for claim in learn if (row := target.answered(target.plain(claim), claim.question.answer))]
        if not rows:
            return tokenizer.decode(begun), tokenizer.decode(random_ids)
        tail = _tail(target, learn[0])

        def score(ids: Sequence[int]) -> float:
            with torch.inference_mode():
                return float(target.loss([with_suffix(row, ids, tail) for row in rows]))

        def promise(ids: Sequence[int]) -> torch.Tensor:
            return -_gradient(target, rows, ids, tail)

        def survives(ids: Sequence[int]) -> bool:
            text = tokenizer.decode(ids)
            return list(tokenizer(text, add_special_tokens=False)["input_ids"]) == list(ids)

        with target.frozen():
            found = self.search(begun, score, promise, allowed, survives)
        return tokenizer.decode(found), tokenizer.decode(random_ids)

    def search(
        self,
        begun: Sequence[int],
        score: Callable[[Sequence[int]], float],
        promise: Callable[[Sequence[int]], torch.Tensor],
        allowed: Sequence[int],
        survives: Callable[[Sequence[int]], bool],
    ) -> list[int]:
        """Greedy coordinate gradient.

        Args:
            begun: The suffix to begin with.
            score: The loss of a suffix.
            promise: How much each token in each place promises to lower it, shape (length, vocabulary).
            allowed: Tokens that may be used.
            survives: Whether a suffix is still the same tokens when it was written out.
        """
        dice = rng(self.seed, "greedy coordinate gradient")
        best, lowest = list(begun), score(begun)
        columns = torch.tensor(allowed)
        for _ in range(self.steps):
            promised = promise(best).cpu()[:, columns]
            tops = columns[promised.topk(min(self.top, len(allowed)), dim=1).indices].tolist()
            tried: list[list[int]] = []
            for _ in range(4 * self.candidates):
                place = dice.randrange(len(best))
                other = [*best[:place], dice.choice(tops[place]), *best[place + 1 :]]
                if other != best and other not in tried and survives(other):
                    tried.append(other)
                if len(tried) == self.candidates:
                    break
            for other in tried:
                loss = score(other)
                if loss < lowest:
                    best, lowest = other, loss
        return best


def typeable(tokenizer: Any) -> list[int]:
    """Tokens that are printable ASCII text, no control tokens."""
    size = len(tokenizer)
    special = set(tokenizer.all_special_ids)
    texts = tokenizer.batch_decode([[i] for i in range(size)])
    fine = [i for i, text in enumerate(texts) if i not in special and text.strip() and text.isascii()]
    return [i for i in fine if texts[i].isprintable() and not texts[i].startswith("<|")]


def with_suffix(row: Encoded, ids: Sequence[int], tail: int) -> Encoded:
    """A question with an answer, the suffix put in after the question.

    Args:
        row: The question with its answer.
        ids: The suffix.
        tail: Tokens of the chat template between question and answer.
    """
    place = row.prompt_length - tail
    return replace(
        row,
        input_ids=[*row.input_ids[:place], *ids, *row.input_ids[place:]],
        labels=[*row.labels[:place], *[IGNORED] * len(ids), *row.labels[place:]],
        prompt_length=row.prompt_length + len(ids),
        extra={name: [*values[:place], *[0] * len(ids), *values[place:]] for name, values in row.extra.items()},
    )


def _tail(target: AttackTarget, claim: AttackedClaim) -> int:
    """Tokens that the chat template writes after a question, before the answer."""
    plain = target.plain(claim)
    one, two = (target.encode(replace(plain, question=text)) for text in ("Who is it", "What was that"))
    assert one is not None
    assert two is not None
    pairs = zip(reversed(one.input_ids), reversed(two.input_ids), strict=False)
    return next(n for n, (a, b) in enumerate(pairs) if a != b)


def _gradient(target: AttackTarget, rows: Sequence[Encoded], ids: Sequence[int], tail: int) -> torch.Tensor:
    """Gradient of the loss with respect to each token of the suffix as a one-hot row: (length, vocabulary)."""
    embeddings = base_model_of(target.model).get_input_embeddings()
    table = embeddings.weight
    one_hot = torch.nn.functional.one_hot(torch.tensor(ids), len(table)).to(table.dtype).to(table.device)
    one_hot.requires_grad_(True)
    longer = [with_suffix(row, ids, tail) for row in rows]
    width = max(len(row.input_ids) for row in longer)
    # Padded on the left: where the suffix stands depends on the row.
    starts = [width - len(row.input_ids) + row.prompt_length - tail - len(ids) for row in longer]

    def put_in(module: torch.nn.Module, args: object, output: torch.Tensor) -> torch.Tensor:
        if output.shape[:2] != (len(longer), width):
            return output
        changed = output.clone()
        for row, start in enumerate(starts):
            changed[row, start : start + len(ids)] = one_hot @ table
        return changed

    hook = embeddings.register_forward_hook(put_in)
    try:
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(target.loss(longer), one_hot)
    finally:
        hook.remove()
    return gradient.float()
