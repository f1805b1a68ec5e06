"""A sheet whose reader would make room for more than there is memory."""

from __future__ import annotations

import io

import pytest

from offside_data.adapters._tables.sheets import _BLOCK, _last_cell


@pytest.mark.parametrize("before", [0, _BLOCK - 20, _BLOCK - 12, _BLOCK])
def test_the_last_cell_is_found_wherever_a_block_ends(before: int) -> None:
    stream = io.BytesIO(b" " * before + b'<c r="B7"/><c r = "XFD1048576" s="1"/><c r="A9"/>')
    assert _last_cell(stream) == (1_048_576, 16_384)


def test_a_sheet_without_places_reaches_nowhere() -> None:
    assert _last_cell(io.BytesIO(b"<row><c/></row>")) == (0, 0)
