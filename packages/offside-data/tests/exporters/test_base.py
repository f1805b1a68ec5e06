from __future__ import annotations

import sys
from typing import Any

import pytest

from offside_data import exporters
from offside_data.errors import DatasetError
from offside_data.exporters import EXPORTERS, Exported, Loss, Pictures
from offside_data.schema import EncodedImage


def test_ours_are_found_without_importing_them() -> None:
    assert {"llamafactory", "mllmu_bench", "offside", "swift"} <= set(EXPORTERS.names())
    assert EXPORTERS.group == exporters.__name__


@pytest.mark.parametrize(
    ("files", "losses", "message"),
    [
        ({}, [], r"has 2 records lost in silence, e\.g\. a"),
        ({"f": ["a", "b", "c"]}, [], r"has 1 records that nobody gave it, e\.g\. c"),
        ({"f": ["a", "b"]}, [Loss(record_id="b", why="x")], "has 1 records accounted twice"),
        ({"f": ["a"]}, [Loss(record_id="b", why="x"), Loss(record_id="b", why="y")], "has 1 records accounted twice"),
    ],
)
def test_accounts_that_don_t_add_up(
    make_record: Any, files: dict[str, list[str]], losses: list[Loss], message: str
) -> None:
    records = [make_record(record_id=name) for name in "ab"]
    with pytest.raises(DatasetError, match=message):
        Exported(files=files, losses=losses).check_accounts(records)


def test_a_record_may_be_in_several_files_and_lose_a_field(make_record: Any) -> None:
    losses = [Loss(record_id="a", why="x", field="choices"), Loss(record_id="b", why="y")]
    exported = Exported(files={"f": ["a"], "g": ["a"]}, losses=losses)
    exported.check_accounts([make_record(record_id=name) for name in "ab"])
    assert exported.written == {"a"}
    assert exported.left_out == losses[1:]


def test_a_picture_is_written_once_and_called_by_what_it_is(tmp_path: Any, make_png: Any) -> None:
    pictures = Pictures(tmp_path)
    first = pictures.add(EncodedImage(bytes=make_png(1), path="/etc/one.jpg"))
    assert pictures.add(EncodedImage(bytes=make_png(1), path="two.gif")) == first
    assert pictures.add(EncodedImage(bytes=make_png(2), path="two.gif")) != first
    assert first.startswith("images/")
    assert first.endswith(".png")
    assert (tmp_path / first).read_bytes() == make_png(1)
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_listing_the_formats_imports_none_of_them() -> None:
    import subprocess

    code = (
        "import sys; from offside_data.exporters import EXPORTERS; EXPORTERS.names();"
        "print([m for m in sys.modules if m.startswith('offside_data.exporters.') and '._' not in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
