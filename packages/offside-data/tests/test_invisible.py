from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.adapters._text import clean
from offside_data.invisible import invisible_in, visible


@pytest.mark.parametrize(
    ("text", "seen", "names"),
    [
        ("Hal\x00den", "Halden", ("U+0000",)),
        ("\x1b[31mX", "[31mX", ("U+001B",)),
        ("Ada\x0bVest", "Ada Vest", ("U+000B",)),
        ("Ada\u2028Vest", "Ada Vest", ("U+2028",)),
        ("A\u200bda\u00ad V\u2066est\u202e", "Ada Vest", ("U+200B", "U+00AD", "U+2066", "U+202E")),
        ("Ada\u200dVest", "AdaVest", ("U+200D",)),
        ("Ada\u00a0Vest\n", "Ada\u00a0Vest\n", ()),
        ("می\u200cخواهم", "می\u200cخواهم", ()),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧", ()),
        ("❤\ufe0f", "❤\ufe0f", ()),
    ],
)
def test_what_nobody_sees(text: str, seen: str, names: tuple[str, ...]) -> None:
    assert (visible(text), invisible_in(text)) == (seen, names)


@given(st.text())
def test_what_is_left_holds_nothing_invisible(text: str) -> None:
    """Law: what a clean text holds can be edited, for it holds nothing that `edit` refuses."""
    assert invisible_in(visible(visible(text))) == ()
    assert invisible_in(clean(clean(text))) == ()
