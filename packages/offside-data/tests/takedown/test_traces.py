from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.dataset.decisions import append_decisions, decisions_text
from offside_data.takedown.names import REMOVED, Traces, id_traces, name_traces, picture_traces
from offside_data.takedown.tombstones import is_taken_down, make_tombstone, read_tombstones, traces_of

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
# Tombstones


def test_a_tombstone_tells_no_name(tmp_path: Path) -> None:
    stone = make_tombstone(name_traces(NAME) | id_traces("orlo-van-tis"), {"records": 3}, "asked for", ())
    text = decisions_text([stone])
    assert not Traces.of(name_traces(NAME)).names_in(text)
    assert stone["what"]["removed"] == {"records": 3}


def test_salts_differ_between_datasets_and_are_shared_within(tmp_path: Path) -> None:
    first = make_tombstone(name_traces(NAME), {}, "asked for", ())
    other = make_tombstone(name_traces(NAME), {}, "asked for", ())
    second = make_tombstone(name_traces("Bremi Kaldo"), {}, "asked for", [first])
    assert first["what"]["traces"] != other["what"]["traces"]
    assert first["what"]["salt"] == second["what"]["salt"] != other["what"]["salt"]
    append_decisions(tmp_path, [{"kind": "note"}, first, second, other])
    traces = read_tombstones(tmp_path)
    assert traces.names_in("Bremi Kaldo and others")
    assert traces.names_in("orlo van tis")


@pytest.mark.parametrize(
    ("subject", "name", "gone"),
    [
        ("s1", "Somebody Else", True),
        ("s9", "ORLO VAN TIS", True),
        ("s9", "Orlo Van Tis Junior", False),
        ("s9", None, False),
    ],
)
def test_who_comes_back_is_recognised(subject: str, name: str | None, gone: bool) -> None:
    assert is_taken_down(sealed(name_traces(NAME) | id_traces("s1")), subject, name) is gone
