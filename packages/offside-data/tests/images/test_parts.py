from __future__ import annotations

from pathlib import Path

import pytest

from offside_data.errors import DatasetError
from offside_data.images.parts import add_part, read_parts


def test_parts_add_up_and_the_same_part_counts_once(tmp_path: Path) -> None:
    assert list(read_parts(tmp_path / "none")) == []
    for rows in ([{"n": 1}, {"n": 2}], [{"n": 3}], [{"n": 3}]):
        add_part(tmp_path, rows)
    assert sorted(row["n"] for row in read_parts(tmp_path)) == [1, 2, 3]


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    add_part(tmp_path, [{"n": 1}])
    (part,) = tmp_path.iterdir()
    part.write_text('{"n": ')
    with pytest.raises(DatasetError, match=rf"{part.name}: not readable: .*\. Delete it"):
        list(read_parts(tmp_path))
