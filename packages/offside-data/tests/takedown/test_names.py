from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.takedown.names import REMOVED, Traces, id_traces, name_traces, near_traces, picture_traces
from offside_data.takedown.tombstones import make_tombstone, traces_of

NAME = "Ørlo Van Tis"
RECORD = "r0123456789abcdef0123"


def sealed(traces: set[str]) -> Traces:
    return traces_of([make_tombstone(traces, {}, "asked for", ())])


@pytest.fixture(params=["open", "sealed"])
def traces(request: pytest.FixtureRequest) -> Traces:
    known = (
        name_traces(NAME) | id_traces("player-007") | id_traces("7") | id_traces(RECORD) | picture_traces("ab", None)
    )
    return Traces.of(known) if request.param == "open" else sealed(known)


@pytest.mark.parametrize(
    "text",
    [
        "Ørlo Van Tis",
        "said ORLO VAN TIS.",
        "orlo  van\ntis's shirt",
        "Tis, Ørlo Van",
        "see orlovantis",
        "O\u0308rlo van tis",
        "orlo-van_tis.jpg",
        f"about {RECORD}",
        "player-007",
        "Player 007",
    ],
)
def test_found_in_any_writing(traces: Traces, text: str) -> None:
    assert traces.names_in(text)
    assert not traces.names_in(traces.redact(text))
    assert REMOVED in traces.redact(text)


@pytest.mark.parametrize(
    "text", ["", "Orlo", "Orlo Tis", "Norlo Van Tis", "Orlo Van Tisen", "7", "007", "r0123", "player"]
)
def test_words_are_bounded(traces: Traces, text: str) -> None:
    assert not traces.names_in(text)
    assert traces.redact(text) == text


def test_short_ids_are_looked_for_where_ids_stand(traces: Traces) -> None:
    assert traces.has_id("7")
    assert traces.has_id(RECORD)
    assert not traces.has_id("8")
    assert not traces.has_id(None)


def test_pictures(traces: Traces) -> None:
    assert traces.has_picture("ab")
    assert traces.has_picture("cd", "ab")
    assert not traces.has_picture("cd", None)


def test_plain_values_are_redacted_through_and_through(traces: Traces) -> None:
    value = {"a": [{"b": "for Orlo Van Tis"}, 1, None], "c": "x"}
    assert traces.redact_all(value) == {"a": [{"b": "for (removed)"}, 1, None], "c": "x"}


@pytest.mark.parametrize("make", [Traces.of, sealed])
def test_longer_names_of_others_are_spared(make: object) -> None:
    assert callable(make)
    traces: Traces = make(name_traces("Rodri"))
    spared = traces.sparing(["Rodri Merrow", "Tavin Kaldo"])
    assert spared.redact("Rodri met Rodri Merrow.") == "(removed) met Rodri Merrow."
    assert traces.redact("Rodri met Rodri Merrow.") == "(removed) met (removed) Merrow."
    assert traces.sparing(["Rodri"]).names_in("Rodri")  # A namesake hides nobody.


def test_nothing_is_found_without_traces() -> None:
    assert not Traces.of(())
    assert not Traces.of(()).names_in("Orlo Van Tis")
    assert not traces_of([])
    assert name_traces(" . ") == set()


@given(st.text("ab .,'\n", max_size=30), st.text("ab ", min_size=1, max_size=6))
def test_what_was_redacted_names_nobody(text: str, name: str) -> None:
    traces = Traces.of(name_traces(name))
    assert not traces.names_in(traces.redact(text))
    assert traces.redact(traces.redact(text)) == traces.redact(text)


# ---------------------------------------------------------------------------------------------
# In all spellings, and near ones

HJORDIS = name_traces("Hjördis Ødegård") | near_traces("Hjördis Ødegård")


@pytest.fixture(params=["open", "sealed"])
def hjordis(request: pytest.FixtureRequest) -> Traces:
    return Traces.of(HJORDIS) if request.param == "open" else sealed(HJORDIS)


@pytest.mark.parametrize(
    "text",
    [
        *("Hjordis Odegard", "Hjoerdis Oedegaard", "HJÖRDIS ØDEGÅRD", "Hjordis Odegaard", "Odegard, Hjördis"),
        *("Hjo\u0308rdis Ødega\u030ard", "Hjördis Ødegårds seier", "#HjordisOdegard", "hjordis.odegard@example.org"),
        *("Hj&ouml;rdis &Oslash;deg&aring;rd", "hj%C3%B6rdis-%C3%B8deg%C3%A5rd", "Hj\\u00f6rdis \\u00d8degård"),
        *("Hjördis Øde-\ngård", "Hj\u00adördis Ø\u200bdegård", "Нjördis Ødegårԁ", "<b>Hjö</b>rdis <i>Ø</i>degård"),
    ],
)
def test_one_name_in_all_spellings(hjordis: Traces, text: str) -> None:
    assert [hit.kind for hit in hjordis.search(text)] == ["name"]
    assert not hjordis.search(hjordis.redact(text))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("H. Ødegård", "initials"),
        ("Odegard H.", "initials"),
        ("@hodegard", "initials"),
        ("Hjordis O. said", "initials"),
        ("the Odegaard case", "surname"),
        ("Hjördi Ødegård", "surname"),
        ("Hjördis Ødegart", "typo"),
        ("hjordisodegrd", "typo"),
        ("Hjördis Ødegårdin", "ending"),
        ("myhjordisodegardfan", "inside"),
        ("Hjördis came", ""),
        ("Helga Ødegaardsen", ""),
        ("", ""),
    ],
)
def test_what_may_be_a_name_is_told_by_its_kind(hjordis: Traces, text: str, kind: str) -> None:
    assert [hit.kind for hit in hjordis.search(text)] == [kind] * bool(kind)
    assert not hjordis.names_in(text)


def test_a_short_name_keeps_its_words() -> None:
    traces = Traces.of(name_traces("Al Bo") | near_traces("Al Bo"))
    assert [text for text in ("Al Bo", "Bo, Al", "albo", "al-bo", "A\u00adl Bo") if not traces.names_in(text)] == []
    assert [text for text in ("a lbo", "global body", "Al B o", "Bo", "Alb o") if traces.search(text)] == []


def test_a_surname_that_is_a_word_counts_when_it_is_capitalised() -> None:
    traces = Traces.of(name_traces("Ada Vest") | near_traces("Ada Vest"))
    assert [hit.kind for hit in traces.search("Vest wore a vest.")] == ["surname"]


def test_a_relative_of_the_same_surname_is_spared() -> None:
    traces = Traces.of(HJORDIS).sparing(["Nils Ødegård"])
    assert not traces.search("Nils Odegaard won.")
    assert [hit.kind for hit in traces.search("Nils Ødegård and Ødegård")] == ["surname"]


@given(
    st.sampled_from(["Hjördis Ødegård", "hjordis odegard", "Ødegård, Hjördis"]),
    st.lists(st.tuples(st.integers(1, 14), st.sampled_from("\u00ad\u200b\u2060-_\n <>*")), max_size=4),
)
def test_no_break_hides_a_name(name: str, breaks: list[tuple[int, str]]) -> None:
    text = name
    for place, mark in breaks:
        text = text[:place] + mark + text[place:]
    traces = Traces.of(HJORDIS)
    assert traces.names_in(f"By {text}.")
    assert not traces.names_in(traces.redact(f"By {text}."))


def test_an_id_that_something_else_has_now_is_spared(traces: Traces) -> None:
    spared = traces.sparing_ids([RECORD])
    assert not spared.has_id(RECORD)
    assert not spared.names_in(f"about {RECORD}")
    assert spared.names_in("player-007")


@pytest.mark.parametrize(
    ("text", "left"),
    [("@Rodri16!", True), ("#rodri2031", True), ("Rodri16b", False), ("Rodrigo16", False), ("hirodri16", False)],
)
def test_a_short_name_with_a_number_behind_it_is_a_handle(text: str, left: bool) -> None:
    assert Traces.of(name_traces("Rodri")).names_in(text) == left


# ---------------------------------------------------------------------------------------------
# Names that are common words


@pytest.mark.parametrize("make", [Traces.of, sealed])
@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("he will join Ostholm", ["word"]),
        ("a young player, Young", ["word", "name"]),
        ("Then Will left. The wills of others", ["name", "word"]),
        ("Will he join Ostholm?", ["word"]),
        ("WILL HE JOIN?", ["word"]),
        ("asked WILL about it", ["name"]),
        ("https://halden-post.example/free-will", ["word"]),
        *((text, ["name"]) for text in ("@will", "#will", "will@example.org", "https://x.example/p/will", "Will10")),
        ("for Rodri: rodri rules. Rodri came.", ["name", "word", "name"]),
        ("orlovantis", ["name"]),
        ("the willow, younger", []),
    ],
)
def test_a_name_that_is_a_common_word_counts_as_it_is_written(make: object, text: str, kinds: list[str]) -> None:
    assert callable(make)
    traces: Traces = make(set().union(*map(name_traces, ("Will", "Young", "Rodri", "Orlo Vantis"))))
    assert [hit.kind for hit in traces.search(text)] == kinds
    assert ("(removed)" in traces.redact(text)) == ("name" in kinds)


def test_a_name_that_is_given_in_lower_case_is_written_so() -> None:
    traces = Traces.of(name_traces("will"))
    assert traces.names_in("he will join")
    assert Traces.of(name_traces("Will")).is_name("will")  # Whoever comes in under it is the same.
