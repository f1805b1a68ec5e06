from __future__ import annotations

import pytest

from offside_data.tagging.places import same_place, states_place


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Swedish", "Sweden"),
        ("the Netherlands", "Netherlands"),
        ("Dutch", "The Netherlands"),
        ("Congolese", "DR Congo"),
        ("Brackwater", "Brackwater, Sweden"),
        ("Brackwater, Lower Hollow, South Korea", "Brackwater, South Korea"),
        ("Brackwater, Swedish", "brackwåter, sweden"),
    ],
)
def test_same_place(a: str, b: str) -> None:
    assert same_place(a, b)
    assert same_place(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Northern Ireland", "Ireland"),
        ("Brackwater, Belgium", "Brackwater, Senegal"),
        ("Brackwater, Sweden", "Sweden"),
        ("Niger", "Nigeria"),
        ("", ""),
    ],
)
def test_other_place(a: str, b: str) -> None:
    assert not same_place(a, b)
    assert not same_place(b, a)


@pytest.mark.parametrize(
    ("answer", "place", "stated"),
    [
        ("He is a Swedish international.", "Sweden", True),
        ("he is swedish", "Sweden", True),
        ("The player is Northern Irish.", "Ireland", False),
        ("Born in Brackwater, in the south of Sweden.", "Brackwater, Sweden", True),
        ("He was born in Brackwater.", "Brackwater, Sweden", True),
        ("He was born in Brackwater, Norway.", "Brackwater, Sweden", False),
        ("He was born in Sweden.", "Brackwater, Sweden", False),
    ],
)
def test_states_place(answer: str, place: str, stated: bool) -> None:
    assert states_place(answer, place) is stated
