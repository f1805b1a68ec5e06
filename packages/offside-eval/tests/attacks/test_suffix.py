from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from offside_eval.attack_results import AttackResults
from offside_eval.attacks import suffix
from offside_eval.attacks._base import Ask, AttackedClaim
from offside_eval.attacks._target import AttackTarget
from offside_eval.attacks.suffix import Attack, _gradient, _tail, typeable, with_suffix

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
    assert longer.extra == typed.extra
    assert longer.prompt_length == typed.prompt_length
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


class Letters:
    """A tokenizer of which each letter of `TEXTS` is a token, and which merges the ` !` that a suffix begins with."""

    TEXTS = (" ", "a", "b", "c", "d", "\n", "é", "<|x", "<s>", "!", "?")
    all_special_ids = (8,)

    def __len__(self) -> int:
        return len(self.TEXTS)

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        ids = [9, 10, 4] if text == " !" * 5 else [self.TEXTS.index(letter) for letter in text]
        return {"input_ids": [8, *ids] if add_special_tokens else ids}

    def decode(self, ids: Any) -> str:
        return "".join(self.TEXTS[i] for i in ids)

    def batch_decode(self, rows: Any) -> list[str]:
        return [self.decode(row) for row in rows]


class Liking:
    """A target that likes the token 2 and is told nothing else; rows are the claims."""

    def __init__(self, rows: Any) -> None:
        self.rows, self.asked = rows, 0
        self.processor = SimpleNamespace(tokenizer=Letters())

    def plain(self, claim: Any) -> Any:
        return claim

    def answered(self, ask: Any, answer: str) -> Any:
        return self.rows.get(ask.name)

    def loss(self, rows: Any) -> torch.Tensor:
        self.asked += 1
        return torch.tensor(float(sum(token != 2 for row in rows for token in row)))

    @contextlib.contextmanager
    def frozen(self) -> Any:
        yield


def test_a_suffix_is_learnt_of_what_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert typeable(Letters()) == [1, 2, 3, 4, 9, 10]
    claims = [SimpleNamespace(name=name, question=SimpleNamespace(answer="")) for name in ("a", "b")]
    table = torch.zeros(5, len(Letters()))
    table[:, 2], table[:, 3] = -1.0, 1.0
    given = {"_tail": lambda target, claim: 0, "with_suffix": lambda row, ids, tail: list(ids)}
    for name, value in (given | {"_gradient": lambda target, rows, ids, tail: table}).items():
        monkeypatch.setattr(suffix, name, value)
    attack = Attack(length=5, steps=3, candidates=2, top=1)
    begun = "!?ddd"  # The last token goes on where the text is shorter.
    nothing = Liking({"a": None, "b": None})
    text, chance = attack.texts(nothing, claims)  # type: ignore[arg-type]
    assert (text, len(chance), nothing.asked) == (begun, 5, 0)
    target = Liking({"a": None, "b": "row"})
    text, again = attack.texts(target, claims)  # type: ignore[arg-type]
    assert again == chance
    assert sum(letter == "b" for letter in text) == 3  # one more each step
    assert sum(a != b for a, b in zip(text, begun, strict=True)) == 3
    assert target.asked == 1 + 3 * 2


def test_one_subject_cant_be_halved(drawn: Any, talker: Any) -> None:
    def target(n: int) -> Any:
        subjects = sorted({c.subject for c in drawn.claims if c.group == "forget"})[:n]
        claims = [c for c in drawn.claims if c.group == "control" or c.subject in subjects]
        return talker(model=None, processor=None, data=None, drawn=replace(drawn, claims=claims), reply=str)

    assert Attack().unfit(target(2)) is None
    assert "there is one subject" in str(Attack().unfit(target(1)))
