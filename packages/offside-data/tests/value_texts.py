"""Texts that state values of many kinds, or nearly do, for laws about reading them."""

from __future__ import annotations

from hypothesis import strategies as st

_NUMBERS = (
    "0",
    "1",
    "2",
    "two",
    "1.79",
    "1.80",
    "1.8",
    "35",
    "35.1",
    "35.2",
    "2,5",
    "35.00",
    "0.0000001",
    "28",
    "28.0",
)
TEXTS = st.one_of(
    st.builds("€{}m".format, st.sampled_from(_NUMBERS)),
    st.builds("£{} thousand or so".format, st.sampled_from(_NUMBERS)),
    st.builds("It was {} meters, or {} cm.".format, st.sampled_from(_NUMBERS), st.integers(150, 210)),
    st.builds("He won {} trophies".format, st.sampled_from(_NUMBERS)),
    st.builds("On {:%B %d, %Y}.".format, st.dates()),
    st.builds("{} and {}".format, st.dates(), st.dates()),
    st.sampled_from(
        ["on loan", "a free transfer", "FC Ostholm", "Ostholm", "Swedish", "Sweden", "left", "", "€", "both"]
    ),
)
