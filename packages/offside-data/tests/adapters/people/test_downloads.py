from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offside_data.adapters._examples import write_table
from offside_data.adapters._parquet import columns_of
from offside_data.adapters._people.downloads import DownloadedTable, find_tables, has_column, read_rows
from offside_data.adapters._pictures import Pixels, as_pixels, as_pixels_list, places_of
from offside_data.adapters._values import UnusableError
from offside_data.errors import SourceError


def config_of(name: str) -> str | None:
    return name if name in ("forget", "retain") else None


def test_tables_are_found_by_their_folders(tmp_path: Path) -> None:
    for name in ("retain/b", "retain/train/a", "forget/a", "other/a", ".cache/forget/a", "forget/a/b/c/d"):
        write_table(tmp_path / f"{name}.parquet", [{"x": 1}])
    (tmp_path / "more.csv").write_text("")
    (tmp_path / "README.md").write_text("")
    tables, others = find_tables(tmp_path, config_of)
    assert [(table.config, table.name) for table in tables] == [
        ("forget", "forget/a.parquet"),
        ("retain", "retain/b.parquet"),
        ("retain", "retain/train/a.parquet"),
    ]
    assert others == ["more.csv", "other/a.parquet"]
    assert [table.config for table in find_tables(tmp_path / "retain", config_of)[0]] == ["retain", "retain"]
    assert find_tables(tmp_path / "retain" / "b.parquet", config_of)[0][0].config == "retain"
    assert find_tables(tmp_path / "other" / "a.parquet", config_of)[0][0].config == ""
    assert find_tables(tmp_path / "nowhere", config_of) == ([], [])


def test_files_may_be_links_as_in_the_hubs_cache(tmp_path: Path) -> None:
    write_table(tmp_path / "blobs" / "0a1b", [{"x": 1}])
    link = tmp_path / "snapshots" / "c0ffee" / "forget" / "a.parquet"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "blobs" / "0a1b")
    for source in (link, link.parent, link.parent.parent):
        (table,) = find_tables(source, config_of)[0]
        assert (table.config, [row for _, row in read_rows(table, ["x"])]) == ("forget", [{"x": 1}])


def test_rows_have_the_known_columns_and_bad_ones_are_named(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    broken = pa.array([b"fine", b"\xff\xfe", None]).view(pa.string())
    pq.write_table(pa.table({"ID": broken, "more": [1, 2, 3]}), tmp_path / "t.parquet")
    rows = list(read_rows(DownloadedTable("", tmp_path / "t.parquet", "t"), ["id", "absent"]))
    assert [index for index, _ in rows] == [0, 1, 2]
    assert (rows[0][1], rows[2][1]) == ({"ID": "fine"}, {"ID": None})
    assert isinstance(rows[1][1], UnusableError)
    assert list(read_rows(DownloadedTable("", tmp_path / "t.parquet", "t"), ["absent"])) == []


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "forget").mkdir()
    (tmp_path / "forget" / "t.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(SourceError, match="not readable as Parquet"):
        columns_of(tmp_path / "forget" / "t.parquet")
    assert not has_column(tmp_path, config_of, ["x"])


def test_a_file_that_is_damaged_inside(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, [{"x": f"row {number}"} for number in range(2000)])
    data = bytearray(path.read_bytes())
    data[10:1500] = bytes(1490)
    path.write_bytes(bytes(data))
    with pytest.raises(SourceError, match=r"t\.parquet: damaged after 0 rows"):
        list(read_rows(DownloadedTable("", path, "t"), ["x"]))


@pytest.mark.parametrize(
    ("cell", "pixels"),
    [
        ({"bytes": b"x", "path": "a.png"}, Pixels(data=b"x")),
        ({"bytes": None, "path": "a.png"}, Pixels(path="a.png")),
        (b"x", Pixels(data=b"x")),
        ("a.png", Pixels(path="a.png")),
    ],
)
def test_a_picture_cell(cell: Any, pixels: Pixels) -> None:
    assert as_pixels(cell, "it") == pixels
    assert as_pixels_list(cell, "it") == as_pixels_list([cell], "it") == [pixels]


@pytest.mark.parametrize("cell", [None, {}, {"bytes": None}, {"bytes": b"", "path": None}, " ", 3, [3], "a\0b"])
def test_no_picture_cell(cell: Any) -> None:
    with pytest.raises(UnusableError, match=r"^it (is missing|must be bytes or a path)"):
        as_pixels(cell, "it")


def test_a_list_of_pictures_has_a_reason_for_each_bad_one() -> None:
    good, bad = as_pixels_list([b"x", None], "it")
    assert good == Pixels(data=b"x")
    assert str(bad) == "it[1] is missing: the cell holds no picture"
    with pytest.raises(UnusableError, match="the list of pictures is empty"):
        as_pixels_list([], "it")


def test_places_stay_inside_the_given_folders(tmp_path: Path) -> None:
    base, own = tmp_path / "base", tmp_path / "own"
    assert places_of("./a/b/1.png", [own, base], shorten="folders") == (
        own / "a/b/1.png",
        base / "a/b/1.png",
        own / "b/1.png",
        base / "b/1.png",
        own / "1.png",
        base / "1.png",
    )
    assert places_of("..\\..\\1.png", [base], shorten="folders") == (base / "1.png",)
    assert places_of("/etc/1.png", [base], shorten="folders") == (base / "etc/1.png", base / "1.png")
    assert places_of("..", [base], shorten="folders") == ()
