from __future__ import annotations

import pytest

from offside_data.schema import ClaimValue
from offside_data.tagging import easing
from offside_data.tagging.easing import said_of, speaks_of_another_role
from offside_data.tagging.values import HowStated, find_values, how_stated, parse_value
from offside_data.taxonomy import Attribute, load_taxonomy

FOOTBALL = load_taxonomy("football")


@pytest.mark.parametrize(
    ("name", "gold", "clause", "how"),
    [
        ("club", "The player will join Ostholm.", "He was heavily linked with Ostholm.", "stated"),
        ("club", "The player will join Ostholm.", "The winger agreed a lucrative deal with Ostholm.", "stated"),
        ("club", "The player will join Ostholm.", "He might join Ostholm.", "stated"),
        ("club", "The player will join Ostholm.", "He devoured a sandwich in front of Ostholm.", "other_role"),
        ("club", "The player will join Ostholm.", "He joined a rival of Ostholm.", "other_role"),
        ("club", "The player will join Ostholm.", "He would have joined Ostholm.", "doubtful"),
        ("fee", "The fee was €35.00m.", "The fee was a hefty €35m.", "stated"),
        ("fee", "The fee was €35.00m.", "The fee was half of €35m.", "doubtful"),
        ("fee", "The fee was €35.00m.", "The fee was €35m too high.", "doubtful"),
        ("nationality", "The player represents Sweden.", "Sweden, Denmark, Norway", "among_several"),
    ],
)
def test_words_that_nobody_knows_pass_in_a_clause_about_the_attribute(
    name: str, gold: str, clause: str, how: str
) -> None:
    value = parse_value(gold, FOOTBALL[name])
    assert value is not None
    said = said_of(clause, value, FOOTBALL[name])
    assert ("stated" if said == "stated" else "not") == ("stated" if how == "stated" else "not")
    if how in ("among_several", "doubtful"):
        assert said == how


def test_gold_answers_stay_as_strict_as_they_were() -> None:
    value = parse_value("The fee was €35.00m.", FOOTBALL["fee"])
    assert value is not None
    assert how_stated("The fee was a hefty €35m.", value, FOOTBALL["fee"]) == "doubtful"
    assert parse_value("The fee was a hefty €35m.", FOOTBALL["fee"]) is None


@pytest.mark.parametrize(
    ("name", "clause", "is_other"),
    [
        ("fee", "His market value was €35m.", True),
        ("fee", "The transfer was worth €35m.", False),
        ("fee", "A bid of €35m for the transfer.", True),
        ("market_value", "They paid €35m for him.", True),
        ("club", "He previously played for Ostholm.", True),
        ("previous_club", "He previously played for Ostholm.", False),
    ],
)
def test_a_clause_may_be_about_another_attribute_of_the_kind(name: str, clause: str, is_other: bool) -> None:
    assert speaks_of_another_role(clause, FOOTBALL[name]) == is_other


@pytest.mark.parametrize(
    ("clause", "expected", "most"),
    [
        ("The fee was €5m, €5m, €5m.", True, 1),
        ("The fee was " + ", ".join(f"€{number}m" for number in range(5, 40)) + ".", False, 0),
    ],
)
def test_a_clause_is_read_for_few_different_values(
    clause: str, expected: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ClaimValue] = []

    def counted(clause: str, gold: ClaimValue, attribute: Attribute) -> HowStated:
        asked.append(gold)
        return said_of(clause, gold, attribute)

    monkeypatch.setattr(easing, "said_of", counted)
    fee = FOOTBALL["fee"]
    assert easing.states_one(clause, find_values(clause, fee), fee) is expected
    assert len(asked) <= most
