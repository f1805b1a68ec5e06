"""Clauses together; what single answers say is pinned by the corpus of `value_match`, in offside-eval."""

from __future__ import annotations

import pytest

from offside_data.tagging.answering import Asked, how_answered, values_in
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")
CLUB = FOOTBALL["club"]
OSTHOLM = parse_value("The player will join Ostholm.", CLUB)
assert OSTHOLM is not None


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        ("He will join Ostholm. That is false.", "denied"),
        ("It is a false rumour that, as some papers had it, he will join Ostholm.", "denied"),
        ("He will join Grauwick. That is false. He will join Ostholm.", "stated"),
        ("I may be wrong, but he will join Ostholm.", "stated"),
        ("He will join Ostholm. He will join Grauwick.", "among_several"),
        ("- Grauwick\n- Ostholm\n- Tarnby", "among_several"),
        ("Had he been fit, he would have joined Ostholm.", "doubtful"),
        ("Ostholm were interested, but he signed for Tarnby.", "among_several"),
        ("He came from Grauwick. He will join Ostholm.", "stated"),
        ("Nothing about clubs.", "not_stated"),
    ],
)
def test_clauses_speak_of_each_other(answer: str, how: str) -> None:
    assert how_answered(answer, OSTHOLM, CLUB) == how


def test_a_free_text_is_stated_where_its_words_stand() -> None:
    import dataclasses

    motto = dataclasses.replace(CLUB, kind="text")
    value = dataclasses.replace(OSTHOLM, kind="text", text="Always forward")
    assert how_answered("The motto is: always forward.", value, motto) == "stated"


def test_values_are_those_of_the_answer_as_it_is_read() -> None:
    fee = FOOTBALL["fee"]
    gold = parse_value("The fee was €35.00m.", fee)
    assert gold is not None
    assert [value.number for value in values_in("21000000", gold, fee)] == [21e6]
    assert values_in("a lot", gold, fee, Asked(question="What was the fee?")) == []


def test_a_sentence_may_end_with_a_small_number() -> None:
    trophies = FOOTBALL["trophies"]
    three = parse_value("The player won 3 trophies there.", trophies)
    assert three is not None
    assert how_answered("The number of trophies is 3. I'm not sure, though.", three, trophies) == "stated"
