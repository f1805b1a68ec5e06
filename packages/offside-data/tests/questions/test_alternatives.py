from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from offside_data.questions import alternatives
from offside_data.schema import ClaimValue
from offside_data.seeding import rng
from offside_data.tagging.values import same_value
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")


def fee(millions: float, text: str | None = None) -> ClaimValue:
    return ClaimValue(kind="amount", text=text or f"€{millions:.2f}m", number=millions * 1e6, currency="EUR")


def test_equal_values_in_another_wording_are_not_wrong() -> None:
    pool = [fee(35), fee(35, "35 million euros"), fee(10), fee(10, "€10 million"), fee(20)]
    wrong = alternatives.wrong_values(FOOTBALL["fee"], pool, [fee(35)], rng("any"))
    assert sorted(value.number or 0 for value in wrong) == [10e6, 20e6]


@given(st.lists(st.sampled_from([5, 10, 15, 20, 25, 30]), min_size=1), st.integers(0, 50))
def test_wrong_values_are_distinct_and_never_what_is_forbidden(pool: list[int], seed: int) -> None:
    attribute = FOOTBALL["fee"]
    never = [fee(10), fee(20)]
    wrong = alternatives.wrong_values(attribute, [fee(n) for n in pool], never, rng(seed))
    everything = [*wrong, *never]
    for number, value in enumerate(everything):
        assert not any(same_value(value, other, attribute) for other in everything[number + 1 :])
    assert len(wrong) == min(3, len(set(pool) - {10, 20}))


def test_options_of_a_choice_join_the_pool() -> None:
    never = [ClaimValue(kind="choice", text="left")]
    wrong = alternatives.wrong_values(FOOTBALL["foot"], [], never, rng("any"))
    assert {value.text for value in wrong} == {"right", "both"}


def test_choices_hold_the_right_option_at_a_seeded_place() -> None:
    places = set()
    for seed in range(20):
        options, correct = alternatives.choices("a", ["b", "c", "d"], rng(seed))
        assert options[correct] == "a"
        assert sorted(options) == ["a", "b", "c", "d"]
        assert alternatives.choices("a", ["b", "c", "d"], rng(seed)) == (options, correct)
        places.add(correct)
    assert places == {0, 1, 2, 3}


def test_too_few_wrong_values_are_worded_in_other_ways() -> None:
    wrong = [ClaimValue(kind="choice", text="right"), ClaimValue(kind="choice", text="both")]
    texts = alternatives.perturbed_answers(FOOTBALL["foot"], wrong)
    assert texts == (
        "The preferred foot is right.",
        "The preferred foot is both.",
        "The stronger foot is right.",
    )
