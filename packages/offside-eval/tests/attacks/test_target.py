"""The model under attack: batches, resuming, losses and states beside the model called by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from offside_data.vlm.encode import IGNORED
from offside_data.vlm.generation import end_token_ids
from offside_data.vlm.vision_once import model_inputs
from offside_eval.attacks import _target
from offside_eval.attacks._base import Ask, Attempt, Sampling
from offside_eval.attacks._claims import ClaimSet
from offside_eval.attacks._target import AttackTarget, _bucket
from offside_eval.inference.generation import Reply

Real = Callable[..., AttackTarget]


class Echo(AttackTarget):
    """Says each question back; one of more than 60 characters is too long, and `heavy` ones don't fit into memory."""

    def encode(self, ask: Ask) -> Any:
        if len(ask.question) > 60:
            return None
        return SimpleNamespace(input_ids=[0] * len(ask.question), image_key=None, text=ask.question)

    def _greedy(self, change: Any) -> Any:
        def answer(prompts: Sequence[Any]) -> list[Reply]:
            self.known.setdefault("batches", []).append([prompt.text for prompt in prompts])  # type: ignore[arg-type]
            if any("heavy" in prompt.text for prompt in prompts):
                raise torch.OutOfMemoryError
            return [Reply(prompt.text, 1, True) for prompt in prompts]

        return lambda number: answer


class Saved:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], Any] = {}

    def load(self, stage: str, number: int, kind: type) -> Any:
        return self.kept.get((stage, number))

    def save(self, stage: str, number: int, outcomes: Any) -> None:
        self.kept[stage, number] = outcomes


def echo(drawn: ClaimSet, **fields: Any) -> Echo:
    return Echo(model=None, processor=None, data=None, drawn=drawn, batch_size=2, **fields)  # type: ignore[arg-type]


def test_questions_go_in_batches_by_length_and_come_back_in_order(drawn: ClaimSet) -> None:
    texts = ["m" * 20, "x" * 61, "s" * 5, "heavy" * 9, "t" * 5, "l" * 50]
    asks = [Ask(claim=c, name="n/1", question=t) for c, t in zip(drawn.claims, texts, strict=False)]
    target = echo(drawn, saved=Saved())
    found = target.ask(asks)
    assert [a.answer for a in found] == [texts[i] for i in (0, 2, 4, 5)]
    assert [a.claim for a in found] == [asks[i].claim for i in (0, 2, 4, 5)]
    assert target.n_too_long == 1
    heavy = asks[3].claim.record_id
    assert heavy in target.left_out
    assert [c.record_id for c in target.claims] == [c.record_id for c in drawn.claims if c.record_id != heavy]
    batches = target.known.pop("batches")
    whole = [["s" * 5, "t" * 5], ["m" * 20, "heavy" * 9], ["m" * 20], ["heavy" * 9], ["l" * 50]]
    assert batches == whole  # the shortest first; what doesn't fit is halved
    assert target.saved.kept.keys() == {("call1", 0), ("call1", 1), ("call1", 2)}  # type: ignore[union-attr]
    again = echo(drawn, saved=target.saved)
    assert [a.answer for a in again.ask(asks)] == [a.answer for a in found]
    assert "batches" not in again.known  # nothing is asked twice
    assert heavy in again.left_out
    again.ask(asks[:1])
    assert ("call2", 0) in target.saved.kept  # type: ignore[union-attr]
    assert [_bucket(SimpleNamespace(input_ids=[0] * n)) for n in (0, 1, 2, 100)] == [0, 0, 3, 20]  # type: ignore[arg-type]


def test_own_questions_are_asked_once_and_never_kept(drawn: ClaimSet) -> None:
    target = echo(drawn, saved=Saved())
    first, second = target.claims[:2]
    target.known = {first.record_id: Attempt(claim=first, name="plain", said="", question="", answer="known")}
    target.plain = lambda claim, name="plain": Ask(  # type: ignore[method-assign]
        claim=claim, name=name, question="x" * (61 if claim is second else 5)
    )
    found = target.ask_plainly()
    assert [a.claim for a in found] == [c for c in target.claims if c is not second]
    assert [a.answer for a in found] == ["known"] + ["x" * 5] * (len(target.claims) - 2)
    assert target.saved is not None
    assert target.saved.kept == {}  # type: ignore[attr-defined]
    assert target.n_too_long == 1


def test_what_isnt_tried_is_left_out_and_an_intervention_acts_in_its_block(drawn: ClaimSet) -> None:
    target = echo(drawn)
    with target.attached():
        pass
    acts: list[str] = []

    @contextlib.contextmanager
    def attached(model: Any) -> Iterator[None]:
        acts.append("on")
        yield
        acts.append("off")

    target.intervention = SimpleNamespace(attached=attached)  # type: ignore[assignment]
    with target.attached():
        assert acts == ["on"]
    assert acts == ["on", "off"]
    before = target.claims
    learn, tried = target.halved(0)
    assert target.claims == tried
    assert {c.record_id for c in before} - {c.record_id for c in tried} == target.left_out.keys()
    assert {c.record_id for c in learn} <= target.left_out.keys()


def test_the_loss_is_the_mean_over_rows_of_the_mean_over_tokens(real: Real) -> None:
    target = real(claims=3)
    answers = ("It is Norvale Rovers.", "No.", "He left for a fee of €8.00 million.")
    rows = [target.answered(target.plain(c), a) for c, a in zip(target.claims, answers, strict=False)]
    by_hand = []
    for row in rows:
        assert row is not None
        batch = target.batch([row])
        with torch.no_grad():
            logits = target.model(**model_inputs(target.model, batch)).logits[0].double()
        labels = batch["labels"][0]
        places = [i for i, label in enumerate(labels.tolist()) if label != IGNORED]
        told = [torch.log_softmax(logits[i - 1], 0)[labels[i]] for i in places]
        by_hand.append(-sum(told) / len(told))
    with torch.no_grad():
        found = float(target.loss(rows))  # type: ignore[arg-type]
    assert found == pytest.approx(float(sum(by_hand)) / 3, rel=1e-5)


def test_states_are_the_layers_at_the_last_place(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    target = real(claims=3, batch_size=2)
    asks = [target.plain(c) for c in target.claims[:3]]
    asks[1] = replace(asks[1], begun="It is")
    encode = target.encode
    long = replace(asks[0], question="long")
    monkeypatch.setattr(target, "encode", lambda ask: None if ask.question == "long" else encode(ask))
    read, states = target.states([asks[0], long, *asks[1:]])
    assert read == asks
    assert target.n_too_long == 1
    for n, ask in enumerate(asks):
        prompt = encode(ask)
        assert prompt is not None
        with torch.no_grad():
            given = model_inputs(target.model, target.batch([prompt]))
            known = target.model(**given, output_hidden_states=True).hidden_states
        assert states.shape[1] == len(known) - 1
        for layer in range(len(known) - 2):  # Behind the last one stands the model's norm.
            torch.testing.assert_close(states[n, layer], known[layer + 1][0, -1].float(), atol=1e-5, rtol=1e-5)
    plain, begun = encode(asks[0]), encode(replace(asks[0], begun="It is"))
    assert plain is not None
    assert begun is not None
    ids = target.processor.tokenizer("It is", add_special_tokens=False)["input_ids"]
    assert begun.input_ids == [*plain.input_ids, *ids]
    assert begun.prompt_length == len(begun.input_ids) == len(plain.input_ids) + len(ids)
    assert set(begun.labels) == {IGNORED}
    assert {len(values) for values in begun.extra.values()} <= {len(begun.input_ids)}


def test_a_layer_may_give_a_tuple() -> None:
    class Layer(torch.nn.Module):
        def forward(self, states: torch.Tensor) -> Any:
            return states, states + 7

    layers, seen = [Layer(), torch.nn.Identity()], list[torch.Tensor]()
    states = torch.arange(12.0, dtype=torch.float64).view(2, 3, 2)
    with _target._watched(layers, seen):
        for layer in layers:
            layer(states)
    layers[0](states)
    assert [state.tolist() for state in seen] == [[[4.0, 5.0], [10.0, 11.0]]] * 2
    assert {state.dtype for state in seen} == {torch.float32}


def test_draws_end_where_the_model_ends_and_leave_it_as_it_was(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    target = real(claims=2)
    end = end_token_ids(target.model)[0]
    told: dict[str, Any] = {}
    own = target.model.generation_config

    def generate(input_ids: torch.Tensor, max_new_tokens: int, **others: Any) -> torch.Tensor:
        told["config"], told["most"], told["seed"] = (
            target.model.generation_config,
            max_new_tokens,
            torch.initial_seed(),
        )
        new = torch.tensor([[65, 66, end, end], [65, 66, 67, 68]])
        return torch.cat([input_ids, new[: len(input_ids)]], 1)

    monkeypatch.setattr(target.model, "generate", generate)
    asks = [target.plain(c, "draw/1") for c in target.claims[:2]]
    prompts = [prompt for ask in asks if (prompt := target.encode(ask)) is not None]
    replies = target._draw(prompts, Sampling(temperature=0.7, seed=3), 0, None)
    assert [(reply.n_new_tokens, reply.ended) for reply in replies] == [(2, True), (4, False)]
    config = told["config"]
    assert (config.do_sample, config.temperature, config.top_k, config.top_p) == (True, 0.7, 0, 1.0)
    assert told["most"] == target.max_new_tokens
    assert target.model.generation_config is own
    first = told["seed"]
    target._draw(prompts, Sampling(temperature=0.7, seed=4), 0, None)
    assert told["seed"] != first
    target._draw(prompts, Sampling(temperature=0.7, seed=3), 1, None)
    assert told["seed"] != first
    target._draw(prompts, Sampling(temperature=0.7, seed=3), 0, None)
    assert told["seed"] == first


def test_only_weights_that_took_gradients_take_them_again(real: Real) -> None:
    target = real(claims=1)
    model: Any = torch.nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    target.model = model
    with target.frozen():
        assert not any(weight.requires_grad for weight in model.parameters())
    assert (model.weight.requires_grad, model.bias.requires_grad) == (True, False)


def test_what_was_said_is_all_of_it(drawn: ClaimSet) -> None:
    claim = drawn.claims[0]
    ask = Ask(claim=claim, name="n/1", question="And?", turns=(("Who?", "He."),), begun="It is", typeset="written")
    made = _target._attempt(ask, Reply("so", 1, True))
    assert made.said.split() == ["Who?", "And?", "written", "It", "is"]
    assert made.answer == "It is so"
    assert _target._attempt(replace(ask, begun=""), Reply("so", 1, True)).answer == "so"
