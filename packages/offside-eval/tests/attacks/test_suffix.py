from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from offside_eval.attack_results import AttackResults
from offside_eval.attacks._base import Ask, AttackedClaim
from offside_eval.attacks._target import AttackTarget
from offside_eval.attacks.suffix import Attack, _gradient, _tail, with_suffix

Attacker = Callable[..., AttackResults]


def test_the_search_finds_what_the_gradient_promises() -> None:
    wanted = [3, 1, 4, 1, 5]

    def score(ids: Any) -> float:
        return float(sum(a != b for a, b in zip(ids, wanted, strict=True)))

    def promise(ids: Any) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor(wanted), 8).float()

    search = Attack(steps=60, candidates=10, top=2).search
    found = search([0] * 5, score, promise, list(range(8)), lambda ids: True)
    assert found == wanted
    assert search([0] * 5, score, promise, list(range(8)), lambda ids: 5 not in ids)[-1] == 0


@pytest.mark.parametrize("leaks", [True, False])
def test_a_model_that_gives_way_to_the_suffix_is_caught(
    attack: Attacker, mean: Callable[..., float], monkeypatch: pytest.MonkeyPatch, leaks: bool
) -> None:
    learnt_on: list[AttackedClaim] = []

    def texts(self: Attack, target: AttackTarget, learn: list[AttackedClaim]) -> tuple[str, str]:
        learnt_on.extend(learn)
        return " xyzzy", " plugh"

    monkeypatch.setattr(Attack, "texts", texts)

    def reply(ask: Ask) -> str:
        told = leaks and ask.question.endswith("xyzzy") and ask.claim.group == "forget"
        return ask.claim.question.answer if told else "I don't know."

    found = attack("suffix", reply)
    assert mean(found, "forget", "recovered") == float(leaks)
    assert mean(found, "forget", "recovered", "@random") == 0
    tried = {row["subject_id"] for row in found.attempts.iter_rows(named=True)}
    assert learnt_on
    assert tried.isdisjoint({claim.subject for claim in learnt_on})


def test_a_random_suffix_that_works_is_no_recovery(
    attack: Attacker, mean: Callable[..., float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Attack, "texts", lambda self, target, learn: (" xyzzy", " plugh"))
    found = attack("suffix", lambda ask: ask.claim.question.answer if "plugh" in ask.question else "No idea.")
    assert mean(found, "forget", "recovered") == 0
    assert mean(found, "forget", "recovered", "@random") == 1


def test_the_gradient_is_that_of_the_loss(real: Callable[..., AttackTarget]) -> None:
    """The suffix stands where it is typed, and its gradient is the slope of the loss along an embedding."""
    target = real(claims=4)
    claim = target.claims[0]
    row = target.answered(target.plain(claim), claim.question.answer)
    other = target.answered(target.plain(target.claims[1]), target.claims[1].question.answer)
    assert row is not None
    assert other is not None
    tail = _tail(target, claim)
    ids = target.processor.tokenizer(" !", add_special_tokens=False)["input_ids"] * 2
    longer = with_suffix(row, ids, tail)
    text = target.processor.tokenizer.decode(ids)
    typed = target.encoder.encode(claim.question.row, question=claim.question.row["question"] + text)
    assert longer.input_ids == typed.input_ids
    assert longer.labels == typed.labels
    slopes = _gradient(target, [row, other], ids, tail)
    table = target.model.get_input_embeddings().weight
    step, place, token = 1e-2, 1, 65

    def moved(by: float) -> float:
        def put(module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
            output = output.clone()
            for n, each in enumerate(pair):
                start = output.shape[1] - len(each.input_ids) + each.prompt_length - tail - len(ids)
                output[n, start + place] += by * table[token]
            return output

        pair = [with_suffix(r, ids, tail) for r in (row, other)]
        hook = target.model.get_input_embeddings().register_forward_hook(put)
        try:
            with torch.no_grad():
                return float(target.loss(pair))
        finally:
            hook.remove()

    slope = (moved(step) - moved(-step)) / (2 * step)
    assert float(slopes[place, token]) == pytest.approx(slope, rel=0.05, abs=2e-4)
