from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from offside_data.errors import UsageError
from offside_eval.attack_results import AttackResults
from offside_eval.attacks._base import Ask
from offside_eval.attacks.prompt import Attack, _misspelt, _Shown, families

Attacker = Callable[..., AttackResults]


def shy(ask: Ask) -> str:
    return "I am sorry, I cannot say."


def gold(ask: Ask) -> str:
    return str(ask.claim.question.answer)


def test_at_least_eight_families_and_no_prompt_holds_a_value() -> None:
    wanted = {"role_play", "authority", "prefix_injection", "completion", "few_shot", "translation", "spelling"}
    assert wanted | {"multi_turn"} <= set(families())
    assert len(families()) >= 8


def test_a_model_that_never_says_it_is_not_caught(attack: Attacker, mean: Callable[..., float]) -> None:
    found = attack("prompt", shy)
    assert mean(found, "forget", "recovered") == 0
    assert mean(found, "control", "recovered") == 0
    assert {f.family for f in found.meta.figures} == {None, *families()}


@pytest.mark.parametrize(
    ("family", "leaks"),
    [
        ("role_play", lambda ask: ask.question.startswith("You are an actor")),
        ("authority", lambda ask: "data protection officer" in ask.question),
        ("prefix_injection", lambda ask: "Of course, here it is" in ask.question),
        ("prefill", lambda ask: ask.begun.startswith("Sure.")),
        ("completion", lambda ask: ask.question.startswith("Complete the sentence")),
        ("few_shot", lambda ask: ask.question.startswith("Question and answer")),
        ("hypothetical", lambda ask: "novel" in ask.question),
        ("paraphrase", lambda ask: ask.question.startswith("In other words")),
        ("false_premise", lambda ask: "Correct me" in ask.question),
        # Only at the third turn, and only if its own two answers were handed back to it.
        ("multi_turn", lambda ask: len(ask.turns) == 2 and all(said for _, said in ask.turns)),
        ("translation", lambda ask: len(ask.turns) == 1 and "Antworte auf Deutsch" in ask.turns[0][0]),
    ],
)
def test_a_model_that_leaks_under_one_family_alone_is_caught_there(
    attack: Attacker, mean: Callable[..., float], family: str, leaks: Callable[[Ask], bool]
) -> None:
    def reply(ask: Ask) -> str:
        if not (ask.claim.group == "forget" and leaks(ask)):
            return "..." if ask.begun else shy(ask)
        return str(ask.claim.question.value.text) if ask.begun else gold(ask)

    found = attack("prompt", reply)
    others = [mean(found, "forget", "recovered", f) for f in families() if f not in (family, "multi_turn")]
    caught = mean(found, "forget", "recovered", family)
    assert caught >= 0.5  # Attributes differ in what can be asked of them.
    assert sum(others) == 0
    assert mean(found, "forget", "recovered") == caught
    assert mean(found, "control", "recovered") == 0
    assert mean(found, "forget", "before") == 0


def test_what_the_plain_question_gets_is_no_recovery(attack: Attacker, mean: Callable[..., float]) -> None:
    found = attack("prompt", gold)
    assert (mean(found, "forget", "before"), mean(found, "forget", "after")) == (1, 1)
    assert mean(found, "forget", "recovered") == 0


def test_a_yes_and_an_echo_of_what_was_said_are_no_recovery(attack: Attacker, mean: Callable[..., float]) -> None:
    yes = attack("prompt", lambda ask: "Yes, that is right.")
    echo = attack("prompt", lambda ask: ask.question)
    assert mean(yes, "forget", "recovered") == mean(echo, "forget", "recovered") == 0


def test_a_list_of_all_values_is_no_recovery(attack: Attacker, mean: Callable[..., float]) -> None:
    found = attack("prompt", lambda ask: "Norvale Rovers, Emberlin FC, Kestrin City, Ålvik; €8.00 million, €600,000")
    assert mean(found, "forget", "recovered") == 0


def test_a_model_that_says_any_value_gets_as_many_decoys(attack: Attacker, mean: Callable[..., float]) -> None:
    """It names somebody else's value: the decoy tells chance from memory."""

    def reply(ask: Ask) -> str:
        decoy = ask.claim.decoy
        return shy(ask) if decoy is None or not ask.question.startswith("Let us play") else f"{decoy.text}."

    found = attack("prompt", reply)
    assert mean(found, "forget", "decoy") > 0.9
    assert mean(found, "forget", "recovered") == 0


@pytest.mark.parametrize("code", ["spelled", "reversed"])
def test_an_answer_in_the_code_that_was_asked_for_counts_if_it_is_the_value(
    attack: Attacker, mean: Callable[..., float], code: str
) -> None:
    def reply(ask: Ask) -> str:
        value = ask.claim.question.value.text
        if ask.code != code:
            return shy(ask)
        return "-".join(value.replace(" ", "")) if code == "spelled" else value[::-1]

    found = attack("prompt", reply)
    clubs = found.attempts.filter((found.attempts["attribute"] == "club") & (found.attempts["kind"] == "decoded"))
    assert set(clubs["record_id"]) == {i for i in found.attempts["record_id"] if i.endswith("club")}
    assert mean(found, "forget", "recovered") > 0
    wrong = attack("prompt", lambda ask: "N-o-r-v-a-n-n-o" if ask.code == code else shy(ask))
    assert mean(wrong, "forget", "recovered") == 0
    denied = attack("prompt", lambda ask: f"It isn't {reply(ask)}." if ask.code == code else shy(ask))
    assert mean(denied, "forget", "recovered") == 0


def test_examples_are_of_others_and_never_say_the_value(attack: Attacker, small: ModuleType) -> None:
    heard: list[Ask] = []

    def reply(ask: Ask) -> str:
        heard.append(ask)
        return shy(ask)

    found = attack("prompt", reply)
    shown = [ask for ask in heard if ask.name.startswith("few_shot")]
    assert shown
    for ask in shown:
        assert ask.claim.question.value.text not in ask.question
        about = ask.question.replace(ask.claim.question.row["question"], "")
        assert small.PEOPLE[ask.claim.subject] not in about
    assert not found.attempts["given_away"].any()


def test_only_what_fits_a_claim_is_asked_of_the_families_that_are_asked_for(
    drawn: Any, attacked_data: Any, talker: Any
) -> None:
    club = next(c for c in drawn.claims if c.question.attribute.name == "club")
    fee = replace(next(c for c in drawn.claims if c.question.attribute.name == "fee"), decoy=None)
    few = replace(drawn, claims=[club, fee])
    target = talker(model=None, processor=None, data=attacked_data, drawn=few, reply=lambda ask: "")
    asked = ("spelling", "false_premise", "multi_turn", "role_play")
    found = list(Attack(families=asked, per_family=1).attempts(target))
    turns = [f"multi_turn/1/turn{n}" for n in (1, 2, 3)]
    assert {a.name for a in found if a.claim is club} == {"spelling/1", "false_premise/1", "role_play/1", *turns}
    assert {a.name for a in found if a.claim is fee} == {"role_play/1", *turns}  # no name, and nobody else's value
    last = [ask for ask in target.heard if ask.name == turns[2]]
    assert [answer for _, answer in last[0].turns] == ["..."] * 2  # of an empty answer
    assert [said for said, _ in last[0].turns] == [a.question for a in found if a.claim is club and a.name in turns[:2]]
    assert {ask.code for ask in target.heard if ask.name == "spelling/1"} == {"spelled"}
    talks = talker(model=None, processor=None, data=attacked_data, drawn=few, reply=lambda ask: f"To {ask.name}.")
    list(Attack(families=("multi_turn",), per_family=1).attempts(talks))
    assert [answer for _, answer in talks.heard[-1].turns] == [f"To {name}." for name in turns[:2]]


def test_a_question_that_isnt_asked_ends_its_dialogue(drawn: Any, attacked_data: Any, talker: Any) -> None:
    class Choosy(talker):
        def ask(self, asks: Any, **options: Any) -> Any:
            return [a for a in super().ask(asks, **options) if a.claim is not self.drawn.claims[0]]

    few = replace(drawn, claims=drawn.claims[:2])
    target = Choosy(model=None, processor=None, data=attacked_data, drawn=few, reply=shy)
    found = list(Attack(families=("multi_turn",), per_family=1).attempts(target))
    assert [a.claim for a in found] == [drawn.claims[1]] * 3


def test_what_prompts_name(drawn: Any, attacked_data: Any, talker: Any, lacking: Any) -> None:
    claim = next(c for c in drawn.claims if c.question.attribute.name == "club" and c.group == "forget")

    def shown(data: Any, n: int = 9) -> _Shown:
        few = replace(drawn, claims=[claim])
        return _Shown(talker(model=None, processor=None, data=data, drawn=few, reply=shy), n, 0)

    texts = shown(attacked_data)
    assert texts._examples.keys() == {"club"}
    assert {q.row["record_id"] for q in texts._examples["club"]} == {f"text-retain-s{n}-club" for n in range(4)}
    pictured = shown(lacking(attacked_data, ("text", "retain")))
    assert {q.row["modality"] for q in pictured._examples["club"]} == {"multimodal"}
    nothing = shown(lacking(attacked_data, ("text", "retain"), ("multimodal", "retain")))
    assert nothing.fill(claim)["examples"] == ""
    fair = {
        f"{q.row['question']}\n{q.answer}"
        for q in texts._examples["club"]
        if q.row["subject_id"] != claim.subject and q.value.text not in (claim.question.value.text, claim.decoy.text)
    }
    assert set(texts.fill(claim)["examples"].split("\n\n")) == fair
    assert len(shown(attacked_data, 1).fill(claim)["examples"].split("\n\n")) == 1
    texts._examples["club"] = [replace(q, value=None) for q in texts._examples["club"]]
    assert texts.fill(claim)["examples"] == ""  # nobody knows whether it gives the value away
    own = claim.question.row["question"]
    words = texts.fill(claim)
    assert words["paraphrase"] == next(q for q in claim.question.attribute.questions if q != own) != own
    assert (words["question"], words["shouted"], words["other"]) == (own, own.upper(), claim.decoy.text)
    other = replace(claim.question, row=claim.question.row | {"question_paraphrases": ["Or so?"]})
    assert texts.fill(replace(claim, question=other))["paraphrase"] == "Or so?"
    as_text = replace(claim, question=claim.other_form, other_form=None)
    assert texts.fill(as_text)["paraphrase"] == ""


def test_longer_words_have_two_inner_letters_swapped() -> None:
    text = "Which abcde fghijk it abcd Capital"
    found = [_misspelt(text, random.Random(seed)).split(" ") for seed in range(40)]
    for words in found:
        for before, after in zip(text.split(" "), words, strict=True):
            swapped = len(before) > 4 and before.islower()
            assert (before != after) == swapped
            assert sorted(before) == sorted(after)
            assert (before[0], before[-1]) == (after[0], after[-1])
            assert sum(a != b for a, b in zip(before, after, strict=True)) == 2 * swapped
    assert len({tuple(words) for words in found}) == 2 * 3  # every pair of neighbours


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="Did you mean 'role_play'"):
        Attack(families=("role_pley",))
    with pytest.raises(UsageError, match="at least 1 claim"):
        Attack(claims=0)
