from __future__ import annotations

from pathlib import Path

import pytest
from appended import append_decisions

from offside_data.dataset.decisions import decisions_text
from offside_data.errors import DatasetError
from offside_data.takedown.names import Traces, id_traces, name_traces
from offside_data.takedown.tombstones import is_taken_down, make_tombstone, read_tombstones, traces_of

NAME = "Ørlo Van Tis"


def sealed(traces: set[str]) -> Traces:
    return traces_of([make_tombstone(traces, {}, "asked for", ())])


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


def test_a_tombstone_of_before_still_knows_its_own() -> None:
    """Written by version 0.1.0 for the words `orlo van tis`, `tis orlo van`, `orlovantis` and the id `s1`."""
    stone = {
        "kind": "takedown",
        "what": {
            "removed": {},
            "salt": "00",
            "longest": 3,
            "traces": [
                *(
                    "52e25cab5ec487070618c6ca",
                    "9684ab1a6f66fec76952475d",
                    "d0d9cf07283ac3087184004e",
                    "dfc08fea9b9f632a3d7e4da1",
                ),
            ],
        },
    }
    traces = traces_of([stone])
    assert traces
    assert traces.names_in("said ORLO van Tis.")
    assert traces.names_in("Tis, Ørlo Van")
    assert traces.has_id("s1")
    assert is_taken_down(traces, "s9", "Orlo Van Tis")
    assert not traces.names_in("Orlo Tis")
    assert not traces.knows_near


@pytest.mark.parametrize(
    "what",
    [
        *(5, None, [], {}, {"salt": "x"}, {"salt": "x", "traces": [[1]]}, {"salt": "x", "traces": [], "lengths": 3}),
        *({"salt": "x", "traces": ["y"], "longest": longest} for longest in (10**9, -1, True)),
        *({"salt": "x", "traces": ["y"], "lengths": {"name": [length]}} for length in (10**9, -1, True)),
    ],
)
def test_a_malformed_tombstone_is_told(what: object) -> None:
    with pytest.raises(DatasetError, match="the takedown d1 is malformed"):
        traces_of([{"id": "d1", "kind": "takedown", "what": what}])
