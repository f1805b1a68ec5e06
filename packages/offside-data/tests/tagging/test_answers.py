"""Answers as people write them: `answers/plain.yaml` must be read, `answers/doubtful.yaml` must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from offside_data.schema import ClaimValue
from offside_data.tagging.values import answer_says, how_stated, parse_value, same_value, why_unparsed
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")
ANSWERS = Path(__file__).parent / "answers"


def listed(name: str) -> dict[str, Any]:
    cases: dict[str, Any] = yaml.safe_load((ANSWERS / f"{name}.yaml").read_text(encoding="utf-8"))
    return cases


PLAIN, DOUBTFUL = listed("plain"), listed("doubtful")
READ = [
    (name, str(answer), said) for name, cases in PLAIN.items() for answer, said in cases.items() if said is not None
]
"""Attribute, answer and what it states, of all plain answers."""


def said_by(value: ClaimValue | None) -> str | float | None:
    """A value as `plain.yaml` has it."""
    if value is None:
        return None
    if value.number is not None:
        return value.number
    return value.date or value.unit or value.text


def meant_by(said: Any) -> str | float:
    return float(said) if isinstance(said, int | float) else str(said)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_answers_are_read(name: str) -> None:
    read = {answer: said_by(parse_value(str(answer), FOOTBALL[name])) for answer in PLAIN[name]}
    meant = {answer: None if said is None else meant_by(said) for answer, said in PLAIN[name].items()}
    assert read == pytest.approx(meant)


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in DOUBTFUL.items() for kind in kinds])
def test_doubtful_answers_are_not(name: str, kind: str) -> None:
    attribute = FOOTBALL[name]
    for answer in DOUBTFUL[name][kind].splitlines():
        assert parse_value(answer, attribute) is None, answer
        assert repr(answer) in why_unparsed(answer, attribute)


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("fee", "The fee was not €5m.", "doesn't state '€5m' for certain: 'not' denies it"),
        ("fee", "under €5m", "'under' makes it a bound"),
        ("fee", "around €5m", "'around' makes it an approximation"),
        ("fee", "€10 zillion", "'zillion' isn't known to change nothing"),
        ("fee", "10% of €5m", "'10' is another number"),
        ("fee", "35 mil euros", "'mil' may be a million in English slang, a thousand in Spanish"),
        ("fee", "€12.50", "it is no more than small change"),
        ("height", "18.7 m", "height is 2.3 at most"),
        ("club", "TBC", "holds no value but the placeholder 'TBC'"),
        ("club", "He left SK Ostholm.", "says of 'SK Ostholm' something else than what it is asked for"),
        ("club", "FC Varnhavn and SK Ostholm", "may name two"),
    ],
)
def test_why_an_answer_is_doubtful(name: str, answer: str, why: str) -> None:
    assert why in why_unparsed(answer, FOOTBALL[name])


# ---------------------------------------------------------------------------------------------
# Clause by clause, for models


@pytest.mark.parametrize(
    ("name", "gold", "answer", "told"),
    [
        ("fee", "€40m", "It was not 35 million but 40 million.", "stated"),
        ("fee", "€35m", "It was not 35 million but 40 million.", "denied"),
        ("fee", "€35m", "35 or 40 million", "not_stated"),
        ("fee", "€40m", "35 or 40 million", "among_several"),
        ("fee", "€40m", "It was 40 million, not 35 million.", "stated"),
        ("fee", "€35m", "It was 40 million rather than 35 million.", "denied"),
        ("fee", "€35m", "I'm not sure, but I think it was €35m.", "stated"),
        ("fee", "€35m", "It was around €35m.", "stated"),
        ("fee", "€35m", "It was at least €35m.", "doubtful"),
        ("fee", "€35m", "It was €35 zillion.", "not_stated"),
        ("fee", "€35m", "He never came close. The club is in Halden. The fee was €35m.", "stated"),
        ("fee", "€35m", "No, it was €35m.", "stated"),
        ("fee", "€35m", "The transfer fee was €35m, which surprised everybody for no less than 3 weeks.", "stated"),
        ("height", "1.80 m", "He is 5 ft 11 in (1.80 m) tall.", "stated"),
        ("birth_date", "March 6, 1997", "He was born on March 6, 1997, in Halden.", "stated"),
        ("birth_place", "Halden", "He was born in Halden on 3 May 1999 and plays for Ostholm.", "stated"),
        ("birth_place", "Halden", "He wasn't born in Halden.", "denied"),
        ("club", "FC Varnhavn", "He joined FC Varnhavn from SK Ostholm.", "stated"),
        ("club", "SK Ostholm", "He joined FC Varnhavn from SK Ostholm.", "other_role"),
        ("previous_club", "SK Ostholm", "He joined FC Varnhavn from SK Ostholm.", "stated"),
        ("previous_club", "FC Varnhavn", "He joined FC Varnhavn from SK Ostholm.", "other_role"),
        ("club", "FC Varnhavn", "He did not join FC Varnhavn.", "denied"),
        ("club", "FC Varnhavn", "He is linked with FC Varnhavn and SK Ostholm.", "among_several"),
        ("club", "FC Varnhavn", "He plays for FC Varnhavn against SK Ostholm.", "stated"),
        ("club", "FC Varnhavn", "Bo Lund is set to sign for FC Varnhavn on a five-year contract.", "stated"),
        ("foot", "right", "He is right-footed but can use both feet.", "stated"),
        ("name", "Bo Lund", "Bo Lund and Ada Vest", "among_several"),
        ("club", "FC Varnhavn", "FC Varnhavn or SK Ostholm", "among_several"),
        ("club", "FC Varnhavn", "Kjell Tamsvik will join Varnhavn next summer.", "stated"),
        ("foot", "left", "He is not left-footed, he is right-footed.", "denied"),
        ("foot", "right", "He is not left-footed, he is right-footed.", "stated"),
        ("trophies", "2", "He won 2 trophies and scored 30 goals.", "among_several"),
        ("nationality", "Sweden", "The player is Swedish.", "stated"),
        ("nationality", "Sweden", "The player isn't Swedish.", "denied"),
        ("position", "Centre-Forward", "He plays as a striker for Ostholm.", "stated"),
        ("name", "Øyvar Lindqvist", "This is oyvar lindqvist, I believe.", "stated"),
        ("club", "Ostholm", "The player moved last summer.", "not_stated"),
    ],
)
def test_what_an_answer_says_of_a_value(name: str, gold: str, answer: str, told: str) -> None:
    value = parse_value(gold, FOOTBALL[name])
    assert value is not None
    assert how_stated(answer, value, FOOTBALL[name]) == told
    assert answer_says(answer, value, FOOTBALL[name]) is (told == "stated")


OF_MODELS = listed("of_models")


@pytest.mark.parametrize(
    ("name", "gold", "kind"),
    [(name, gold, kind) for name, golds in OF_MODELS.items() for gold in golds for kind in golds[gold]],
)
def test_what_models_answer_is_told_apart(name: str, gold: str, kind: str) -> None:
    value = parse_value(gold, FOOTBALL[name])
    assert value is not None
    told = {answer: how_stated(answer, value, FOOTBALL[name]) for answer in OF_MODELS[name][gold][kind].splitlines()}
    assert {answer: said for answer, said in told.items() if (said == "stated") != (kind == "stated")} == {}


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("height", "He grew 1.80 m.", "'grew' says by how much it changed"),
        ("age", "He was 27 when he signed.", "'when' leaves open whether it is so"),
        ("nationality", "The player represents FC Sweden.", "names a club, 'FC Sweden'"),
        ("name", "This looks like Bo Lund.", "'looks like' makes it an approximation"),
        ("birth_place", "He was born near Halden.", "'near' makes it a bound"),
    ],
)
def test_a_guess_a_change_or_another_time_is_no_fact(name: str, answer: str, why: str) -> None:
    assert why in why_unparsed(answer, FOOTBALL[name])


# ---------------------------------------------------------------------------------------------
# Laws: what is added to a readable answer never leaves the old value standing

DENIALS = [
    "not {}",
    "it is not true: {}",
    "{} is false",
    "never {}",
    "{}, which is wrong",
    "no, not {}",
    "nicht {}",
    "ne pas {}",
]
BOUNDS = [
    "under {}",
    "at least {}",
    "up to {}",
    "more than {}",
    "{} or more",
    "{} at most",
    "over {}",
    ">{}",
    "{}+",
    "before {}",
]
MEASURED = ("date", "amount", "length", "count")
UNKNOWN = st.from_regex(r"[bcdfghjklmnpqrstvwxz]{4,9}illi?on(en|s)?", fullmatch=True)


def still_read(name: str, answer: str, said: Any) -> bool:
    """Whether an answer still states what another did."""
    old = parse_value(str(said) if isinstance(said, str) else answer, FOOTBALL[name])
    new = parse_value(answer, FOOTBALL[name])
    return new is not None and old is not None and said_by(new) == meant_by(said)


@given(st.sampled_from(READ), st.sampled_from(DENIALS))
def test_law_a_denial_leaves_no_value(case: tuple[str, str, Any], denial: str) -> None:
    name, answer, said = case
    assert not still_read(name, denial.format(answer.rstrip(".")), said)


@given(st.sampled_from([c for c in READ if FOOTBALL[c[0]].kind in MEASURED]), st.sampled_from(BOUNDS))
def test_law_a_bound_leaves_no_value(case: tuple[str, str, Any], bound: str) -> None:
    name, answer, said = case
    assert not still_read(name, bound.format(answer.rstrip(".")), said)


@given(st.sampled_from(READ), st.sampled_from(READ), st.sampled_from([" or ", " / ", " and ", ", ", "; "]))
def test_law_a_second_value_leaves_none(one: tuple[str, str, Any], other: tuple[str, str, Any], between: str) -> None:
    name, answer, said = one
    second = parse_value(other[1], FOOTBALL[name])
    first = parse_value(answer, FOOTBALL[name])
    if other[0] != name or first is None or second is None or same_value(first, second, FOOTBALL[name]):
        return
    assert not still_read(name, f"{answer.rstrip('.')}{between}{second.text}", said)


@given(st.integers(2, 900), st.sampled_from(["€{} {}", "{} {} euros", "{} {}", "£{}{}"]), UNKNOWN)
def test_law_an_unknown_scale_word_leaves_no_value(number: int, written: str, word: str) -> None:
    assert parse_value(written.format(number, word), FOOTBALL["fee"]) is None
    assert parse_value(f"The fee was {written.format(number, word.capitalize())}.", FOOTBALL["fee"]) is None


PRINTED = {
    "en": ("€{} million", "."),
    "de": ("{} Mio. €", ","),
    "fr": ("{} millions d'euros", ","),
    "es": ("{} millones de euros", ","),
    "it": ("{} milioni di euro", ","),
    "pt": ("R$ {} milhões", ","),
    "nl": ("{} miljoen euro", ","),
    "sv": ("{} miljoner kronor", ","),
    "pl": ("{} mln zł", ","),
    "tr": ("{} milyon €", ","),
    "ru": ("{} млн евро", ","),
    "en-IN": ("₹{} crore", "."),
    "ja": ("{}億円", "."),
}
FACTOR = {"en-IN": 10_000_000, "ja": 100_000_000}


@given(st.integers(1, 9_999), st.sampled_from(sorted(PRINTED)))
def test_law_an_amount_printed_in_a_language_is_read_back(hundredths: int, language: str) -> None:
    written, decimal = PRINTED[language]
    printed = f"{hundredths / 1000:.3f}".replace(".", decimal)
    value = parse_value(written.format(printed), FOOTBALL["fee"])
    number = hundredths * FACTOR.get(language, 1_000_000) // 1000
    if number <= 1_000_000_000 and number > 10_000:
        assert value is not None
        assert value.number == number


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("office", "Mayor of Halden", "Mayor"),
        ("office", "Vice President", None),
        ("office", "Mayor-elect", None),
        ("office", "Lieutenant Governor", None),
        ("votes", "12k", 12_000.0),
        ("votes", "12 thousand votes", 12_000.0),
        ("votes", "1.2 million votes", 1_200_000.0),
        ("votes", "12 345 votes", 12_345.0),
        ("votes", "12.3 votes", None),
        ("education", "claims to have studied at Halden University", None),
        ("donation", "€500 was returned", None),
        ("constituency", "next to Halden", None),
    ],
)
def test_answers_about_office_holders(name: str, answer: str, said: str | float | None) -> None:
    assert said_by(parse_value(answer, load_taxonomy("office")[name])) == said
