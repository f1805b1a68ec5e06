"""Rows are the trees they say they are: each token sees its own conversation, and nothing of another."""

from __future__ import annotations

import random

import pytest

from offside_data.vlm import Encoded
from offside_eval.inference import prefixes
from offside_eval.inference.asking import Item
from offside_eval.inference.prefixes import in_rows

PICTURE = 9


def item(key: str, prompt: list[int], answers: list[list[int]], image: str | None = None) -> Item:
    kinds = {"kinds": [int(token == PICTURE) for token in prompt]}
    encoded = Encoded(key, prompt, [-100] * len(prompt), len(prompt), kinds, b"" if image else None, image)
    return Item(key, encoded, tuple(map(tuple, answers)), ())


def drawn(n: int, seed: int) -> list[Item]:
    """Questions about three pictures and none, of few tokens, so that many begin alike."""
    dice = random.Random(seed)
    made = []
    for number in range(n):
        image = dice.choice([None, "a", "b", "c"])
        # The same picture comes behind two beginnings, as where something is said before some questions.
        head = [] if image is None else [dice.choice([1, 2]), *[PICTURE] * 3]
        prompt = [*head, *(dice.randrange(3) for _ in range(dice.randrange(1, 5)))]
        answers = [[dice.randrange(3) for _ in range(dice.randrange(1, 5))] for _ in range(dice.randrange(1, 4))]
        made.append(item(str(number), prompt, answers, image))
    return made


@pytest.mark.parametrize("room", [1, 12, 10_000])
def test_each_answers_tokens_see_their_own_conversation_in_its_order(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefixes, "ROOM", room)
    items = drawn(40, seed=1)
    rows, found = in_rows(items, PICTURE)
    for question, (number, answers) in zip(items, found, strict=True):
        row = rows[number]
        seen = row.sees()
        assert row.first.image_key == question.prompt.image_key
        assert row.tokens.count(PICTURE) == question.prompt.input_ids.count(PICTURE), "its picture stands there once"
        for tokens, leaf in zip(question.answers, answers, strict=True):
            assert [row.tokens[place] for place in leaf[1:]] == list(tokens)
            for nth, place in enumerate(leaf):
                before = seen[place].nonzero()[:, 0].tolist()
                assert [row.tokens[i] for i in before] == [*question.prompt.input_ids, *tokens[:nth]]
                assert [row.depths[i] for i in before] == list(range(len(before)))
                assert [row.extra["kinds"][i] for i in before] == [int(row.tokens[i] == PICTURE) for i in before]
    whole = sum(len(i.prompt.input_ids) + len(answer) for i in items for answer in i.answers)
    assert sum(len(row.tokens) for row in rows) < whole


def test_a_beginning_stands_once_and_rows_are_about_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    two = [item("0", [1, PICTURE, 3], [[4, 5], [4, 6]], "a"), item("1", [1, PICTURE, 7], [[4, 5]], "a")]
    (row,), _ = in_rows(two, PICTURE)
    assert row.tokens == [1, PICTURE, 3, 4, 5, 6, 7, 4, 5]
    monkeypatch.setattr(prefixes, "ROOM", 10)
    rows, _ = in_rows([item(str(n), [1, PICTURE, 10 + n], [[4, 5, 6, 7]], "a") for n in range(9)], PICTURE)
    lengths = [len(row.tokens) for row in rows]
    assert len(rows) > 3
    assert max(lengths) - min(lengths) <= 5, "one question's tokens"


def test_where_it_is_not_known_what_stands_for_a_picture_only_equal_prompts_share_a_row() -> None:
    asked = [item("0", [1, 2, 3], [[4]], "a"), item("1", [1, 2, 5], [[4]], "a"), item("2", [1, 2, 3], [[6]], "a")]
    rows, found = in_rows(asked, None)
    assert len(rows) == 2
    assert [number for number, _ in found] == [0, 1, 0]
