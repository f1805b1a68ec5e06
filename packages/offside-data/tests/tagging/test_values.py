from __future__ import annotations

import dataclasses
import datetime
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offside_data.schema import ClaimValue
from offside_data.tagging.values import answer_states, find_values, parse_value, same_value, why_unparsed
from offside_data.taxonomy import Attribute, load_taxonomy

FOOTBALL = load_taxonomy("football")


def parsed(text: str, attribute: str) -> ClaimValue:
    value = parse_value(text, FOOTBALL[attribute])
    assert value is not None, why_unparsed(text, FOOTBALL[attribute])
    return value


@pytest.mark.parametrize(
    ("attribute", "answer", "expected"),
    [
        (
            "name",
            "The player you are referring to is Tavo Brinkhaus.",
            ClaimValue(kind="name", text="Tavo Brinkhaus"),
        ),
        ("age", "The player is currently 28 years old.", ClaimValue(kind="count", text="28", number=28)),
        (
            "position",
            "He plays as an attacking midfielder.",
            ClaimValue(kind="choice", text="attacking midfielder"),
        ),
        ("nationality", "The player is Swedish.", ClaimValue(kind="place", text="Swedish")),
        (
            "birth_date",
            "The player was born on March 6, 1997.",
            ClaimValue(kind="date", text="March 6, 1997", date="1997-03-06"),
        ),
        (
            "height",
            "He stands at 1.79 meters.",
            ClaimValue(kind="length", text="1.79 meters", number=1.79, unit="m"),
        ),
        ("foot", "The player’s dominant foot is the right one.", ClaimValue(kind="choice", text="right")),
        (
            "birth_place",
            "The player is from Brackwater, England.",
            ClaimValue(kind="place", text="Brackwater, England"),
        ),
        (
            "club",
            "At that time, he was with 1.FSV Ostholm 05.",
            ClaimValue(kind="name", text="1.FSV Ostholm 05"),
        ),
        ("previous_club", "He joined from Hollow U23.", ClaimValue(kind="name", text="Hollow U23")),
        (
            "fee",
            "The transfer fee was €130.00m.",
            ClaimValue(kind="amount", text="€130.00m", number=130e6, currency="EUR"),
        ),
        (
            "fee",
            "The player was transferred on loan.",
            ClaimValue(kind="amount", text="on loan", unit="loan"),
        ),
        (
            "fee",
            "The loan fee was €2 million.",
            ClaimValue(kind="amount", text="€2 million", number=2e6, currency="EUR"),
        ),
        (
            "trophies",
            "The player did not win any trophies.",
            ClaimValue(kind="count", text="did not win any", number=0),
        ),
        ("trophies", "They won 2 trophies in one season.", ClaimValue(kind="count", text="2", number=2)),
    ],
)
def test_gold_answers(attribute: str, answer: str, expected: ClaimValue) -> None:
    assert parsed(answer, attribute) == expected


@pytest.mark.parametrize(
    ("attribute", "answer", "reason"),
    [
        ("fee", "The fee is undisclosed.", "no amount is readable in the answer 'The fee is undisclosed.'"),
        ("birth_date", "Born in March 1997.", "no date is readable"),
        ("club", "He left Ostholm for Hollow City.", "several values: 'Ostholm', 'Hollow City'"),
        ("foot", "He uses the left and the right foot.", "several values: 'left', 'right'"),
    ],
)
def test_what_cannot_be_parsed_says_why(attribute: str, answer: str, reason: str) -> None:
    assert parse_value(answer, FOOTBALL[attribute]) is None
    assert reason in why_unparsed(answer, FOOTBALL[attribute])


FEET = [
    "The player is right-footed.",
    "The player favors his right foot.",
    "The player favors their right foot.",
    "The player primarily uses his right foot.",
    "The player predominantly uses their right foot.",
    "He predominantly uses his right foot.",
    "The player prefers to use his right foot.",
    "The player prefers using his right foot.",
    "The player prefers his right foot as his dominant foot.",
    "The player has a dominant right foot.",
    "The player’s dominant foot is his right foot.",
    "The player's dominant foot is the right one.",
    "The player in the picture on the left is right-footed.",
    "The preferred foot is right.",
]


@pytest.mark.parametrize(("a", "b"), itertools.pairwise(FEET))
def test_every_wording_of_a_foot_is_the_same(a: str, b: str) -> None:
    foot = FOOTBALL["foot"]
    assert same_value(parsed(a, "foot"), parsed(b, "foot"), foot)
    assert not answer_states(a, parsed("He is left-footed.", "foot"), foot)


@pytest.mark.parametrize(
    ("attribute", "gold", "answer", "stated"),
    [
        ("fee", "€35.00m", "It cost 35 million euros.", True),
        ("fee", "€35.00m", "It cost £35 million.", False),
        ("fee", "€35.00m", "It cost 35 million.", True),
        ("market_value", "2.50 million", "It was €2.5m.", True),
        ("fee", "€35.00m", "Between €30m and €40m.", False),
        ("fee", "a free transfer", "He came for free, for €0.", True),
        ("fee", "a free transfer", "He came on loan.", False),
        ("fee", "on loan", "It was a loan move.", True),
        ("height", "1.80 meters", "He is 5 ft 11 in tall.", True),
        ("height", "1.80 meters", "He is 179 cm tall.", False),
        ("age", "28 years old", "A twenty-eight-year-old.", True),
        ("trophies", "two trophies", "He won 2 trophies there in 2019.", True),
        ("trophies", "1 trophy", "He is one of the best, with 3 trophies.", False),
        ("trophies", "0 trophies", "He has not won any trophies.", True),
        ("position", "Central Midfielder", "He plays in central midfield.", True),
        ("position", "Left Winger", "He plays as a left-back.", False),
        ("position", "Centre-Forward", "He is the centre forward.", True),
        ("position", "Centre-Forward", "He is a striker.", True),
        ("position", "Centre-Forward", "He is a second striker.", False),
        ("nationality", "from Sweden", "The player is Swedish.", True),
        ("nationality", "from the Netherlands", "He is a Dutchman.", True),
        ("birth_place", "born in Brackwater, England", "He was born in Brackwater.", True),
        ("birth_place", "born in Brackwater, England", "He was born in Brackwater, Wales.", False),
        ("club", "with FC Ostholm", "He played for Ostholm.", True),
        ("club", "with Ostholm", "He played for Ostholm B.", True),
        ("club", "with Ostholm B", "He played for Ostholm.", False),
        ("name", "This is Øyvar Lindqvist.", "I think it is oyvar lindqvist!", True),
        ("name", "This is Øyvar Lindqvist.", "I think it is Lindqvist.", False),
        ("birth_date", "born on March 6, 1997", "He was born on 6 March 1997.", True),
        ("birth_date", "born on March 6, 1997", "He was born on March 16, 1997.", False),
        ("club", "with Ostholm", "", False),
    ],
)
def test_a_value_is_found_in_an_answer_however_it_is_written(
    attribute: str, gold: str, answer: str, stated: bool
) -> None:
    assert answer_states(answer, parsed(gold, attribute), FOOTBALL[attribute]) is stated


def test_options_give_a_name_its_other_spellings() -> None:
    club = dataclasses.replace(FOOTBALL["club"], options=(("Ostholm Sankt-Veit", "Ostholm SV"),))
    assert answer_states("He joined Ostholm SV.", ClaimValue(kind="name", text="Ostholm Sankt-Veit"), club)


def test_kinds_never_mix() -> None:
    a, b = (
        ClaimValue(kind="count", text="2", number=2),
        ClaimValue(kind="length", text="2 m", number=2, unit="m"),
    )
    assert not same_value(a, b, FOOTBALL["trophies"])


def test_tolerance_is_relative_for_amounts_and_in_days_for_dates() -> None:
    fee = FOOTBALL["fee"]
    assert same_value(parsed("€40.1m", "fee"), parsed("€40m", "fee"), fee)
    assert not same_value(parsed("€41m", "fee"), parsed("€40m", "fee"), fee)
    date = dataclasses.replace(FOOTBALL["birth_date"], tolerance=1)
    assert same_value(parsed("March 6, 1997", "birth_date"), parsed("March 7, 1997", "birth_date"), date)


def test_templates_of_any_taxonomy_give_values_that_are_no_names() -> None:
    mandate = Attribute(
        name="mandate",
        scope="private",
        kind="name",
        questions=("Which?",),
        answers=("The mandate is {value}.",),
    )
    value = parse_value("The mandate is cheaper ferries for all.", mandate)
    assert value is not None
    assert value.text == "cheaper ferries for all"


# ---------------------------------------------------------------------------------------------
# Laws

ATTRIBUTES = st.sampled_from(FOOTBALL.attributes)
NAMES = st.from_regex(r"[A-Z][a-zåéø]{2,8}( [A-Z][a-z]{2,8}){0,2}", fullmatch=True)
SNIPPETS = [
    "€35.00m",
    "35 million euros",
    "£2k",
    "free transfer",
    "on loan",
    "two",
    "0",
    "1.79 meters",
    "5 ft 11 in",
    "March 6, 1997",
    "Swedish",
    "the Netherlands",
    "Brackwater, Ostland",
    "Left Winger",
    "left-footed",
    "1.FSV Ostholm 05",
    "did not win any",
    "the right one",
    ".",
    ",",
    "’s",
]
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.one_of(st.sampled_from(SNIPPETS), NAMES), max_size=5).map(" ".join))


@given(TEXTS, ATTRIBUTES)
@settings(max_examples=300)
def test_law_a_gold_value_is_stated_by_its_own_answer(text: str, attribute: Attribute) -> None:
    value = parse_value(text, attribute)
    if value is None:
        assert text in why_unparsed(text, attribute) or repr(text) in why_unparsed(text, attribute)
    else:
        assert answer_states(text, value, attribute)
        assert answer_states(value.text, value, attribute)
        assert value.text in text


@given(TEXTS, TEXTS, ATTRIBUTES)
@settings(max_examples=300)
def test_law_equality_is_reflexive_and_symmetric(a: str, b: str, attribute: Attribute) -> None:
    values = find_values(a, attribute) + find_values(b, attribute)
    for left in values:
        assert same_value(left, left, attribute)
        assert same_value(left, dataclasses.replace(left), attribute)
        for right in values:
            assert same_value(left, right, attribute) == same_value(right, left, attribute)


AMOUNT_SPELLINGS = [
    "€{:.2f}m",
    "€{:.2f} million",
    "{:.2f} million euros",
    "EUR {:.2f}m",
    "{:.2f}m €",
]


@given(st.integers(1, 99_999), st.sampled_from(AMOUNT_SPELLINGS), st.sampled_from(AMOUNT_SPELLINGS))
def test_law_an_amount_in_any_spelling_is_read_back(hundredths: int, one: str, other: str) -> None:
    fee = FOOTBALL["fee"]
    a = parsed(f"The fee was {one.format(hundredths / 100)}.", "fee")
    b = parsed(f"It cost {other.format(hundredths / 100)}", "fee")
    assert a.number == b.number == hundredths * 10_000
    assert same_value(a, b, fee)


@given(st.integers(101, 999_999_999))
def test_law_whole_amounts_are_read_back(number: int) -> None:
    for text in (f"€{number}", f"€{number:,}", f"€{number:,}".replace(",", "."), f"{number} euros"):
        assert parsed(text, "fee").number == number


@given(NAMES, ATTRIBUTES.filter(lambda a: a.kind == "name"), st.data())
def test_law_a_name_in_any_phrasing_is_read_back(name: str, attribute: Attribute, data: st.DataObject) -> None:
    template = data.draw(st.sampled_from(attribute.answers + attribute.rumor_answers))
    value = parse_value(template.format(value=name), attribute)
    if value is not None:  # A name such as "The May" may be no name to us.
        assert same_value(value, ClaimValue(kind="name", text=name), attribute)


@given(
    st.dates(min_value=datetime.date(1850, 1, 1), max_value=datetime.date(2025, 12, 31)),
    st.sampled_from(["{:%d.%m.%Y}", "{:%Y-%m-%d}", "{0.day} {0:%B %Y}"]),
)
def test_law_a_date_in_any_spelling_is_read_back(date: datetime.date, spelling: str) -> None:
    assert parsed(spelling.format(date), "birth_date").date == date.isoformat()
