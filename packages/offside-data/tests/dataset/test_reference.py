from __future__ import annotations

from pathlib import Path

import pytest
from raw_card import edit_block

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.reference import Reference, local_folder, parse_reference
from offside_data.errors import CardError, DatasetReferenceError

# Each range with versions inside and outside, as npm's documentation and its test table have them.
RANGES = [
    ("1.2.3", ["1.2.3"], ["1.2.4", "1.2.3-rc.1", "1.2.2"]),
    ("1.2.3-rc.1", ["1.2.3-rc.1"], ["1.2.3", "1.2.3-rc.2"]),
    ("^1.2.3", ["1.2.3", "1.2.4", "1.9.0"], ["1.2.2", "2.0.0", "2.0.0-alpha", "1.2.4-beta", "1.2.3-beta"]),
    ("^1.2", ["1.2.0", "1.8.1"], ["1.1.9", "2.0.0"]),
    ("^1.0", ["1.0.0", "1.9.9"], ["0.9.9", "2.0.0"]),
    ("^1", ["1.0.0", "1.8.1"], ["2.0.0", "0.9.0"]),
    ("^1.x", ["1.0.0", "1.8.1"], ["2.0.0", "0.9.0"]),
    ("^1.2.x", ["1.2.0", "1.3.0"], ["1.1.0", "2.0.0"]),
    ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "0.2.2", "1.0.0"]),
    ("^0.0.3", ["0.0.3"], ["0.0.4", "0.0.2"]),
    ("^0.0", ["0.0.0", "0.0.9"], ["0.1.0"]),
    ("^0.0.x", ["0.0.0", "0.0.9"], ["0.1.0"]),
    ("^0.1", ["0.1.0", "0.1.2"], ["0.2.0", "0.0.9"]),
    ("^0", ["0.0.0", "0.9.9"], ["1.0.0"]),
    ("^0.x", ["0.0.0", "0.9.9"], ["1.0.0"]),
    (
        "^1.2.3-beta.2",
        ["1.2.3-beta.2", "1.2.3-beta.4", "1.2.3", "1.3.0"],
        ["1.2.3-beta.1", "1.2.4-beta.2", "2.0.0"],
    ),
    ("^0.0.1-alpha", ["0.0.1-alpha", "0.0.1-beta", "0.0.1"], ["0.0.2-alpha", "0.0.2"]),
    ("~1.2.3", ["1.2.3", "1.2.9"], ["1.3.0", "1.2.2"]),
    ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0", "1.1.9", "1.2.1-rc.1"]),
    ("~1", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.9"]),
    ("~0.2.3", ["0.2.3", "0.2.5"], ["0.3.0"]),
    ("~0", ["0.0.0", "0.9.9"], ["1.0.0"]),
    (
        "~1.2.0-rc.1",
        ["1.2.0-rc.1", "1.2.0-rc.2", "1.2.0", "1.2.9"],
        ["1.2.0-beta", "1.2.1-rc.1", "1.3.0", "1.3.0-a"],
    ),
    ("^1.0.0-rc.1", ["1.0.0-rc.1", "1.0.0", "1.9.9"], ["1.0.1-rc.1", "2.0.0"]),
    ("~1.2.3-beta.2", ["1.2.3-beta.4", "1.2.3", "1.2.4"], ["1.2.4-beta.2", "1.3.0"]),
]


@pytest.mark.parametrize(("text", "inside", "outside"), RANGES, ids=[r[0] for r in RANGES])
def test_ranges_follow_npm(text: str, inside: list[str], outside: list[str]) -> None:
    reference = parse_reference(f"org/name@{text}")
    assert [v for v in inside if not reference.matches(v)] == []
    assert [v for v in outside if reference.matches(v)] == []


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("./a/b", "a/b"),
        ("../a", "../a"),
        ("/data/league", "/data/league"),
        ("league", "league"),
        ("a/b/c", "a/b/c"),
        ("./a@^1", "a@^1"),
    ],
)
def test_folders(text: str, folder: str) -> None:
    assert parse_reference(text) == Reference(text, "folder", folder=Path(folder))
    assert not parse_reference(text).matches("1.0.0")


def test_home_is_expanded() -> None:
    assert parse_reference("~/league").folder == Path.home() / "league"


def test_org_and_name_is_the_newest_release() -> None:
    reference = parse_reference("org/my-data.set")
    assert (reference.kind, reference.repo, reference.versions, reference.revision) == (
        "hub",
        "org/my-data.set",
        None,
        None,
    )
    assert reference.matches("0.1.0")
    assert not reference.matches("2.0.0-rc.1")


def test_main_is_not_released() -> None:
    reference = parse_reference("org/name@main")
    assert reference.revision == "main"
    assert not reference.matches("1.0.0")


def test_a_folder_of_that_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "org" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert parse_reference("org/name").kind == "folder"
    assert parse_reference("org/other").kind == "hub"
    assert parse_reference("org/name@1.0.0").kind == "hub"


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "1",
        "1.2",
        ">=1.0.0",
        "1.x",
        "*",
        "^",
        "~",
        "dev",
        "^1.x.3",
        "^1.2-rc.1",
        "v1.2.0",
        "^1 ^2",
        "^1||^2",
        "^1.2.3-",
        "^1.2.3.x",
        "~01",
    ],
)
def test_other_ranges_are_refused(wanted: str) -> None:
    with pytest.raises(DatasetReferenceError, match=r"Allowed: a folder.*ORG/NAME@\^1\.0"):
        parse_reference(f"org/name@{wanted}")


def test_an_empty_reference_is_refused() -> None:
    with pytest.raises(DatasetReferenceError, match="empty"):
        parse_reference(" ")


def test_a_folder_resolves_to_what_its_card_says(small: OffsideDataset) -> None:
    assert open_dataset(small.path).ref == small.ref
    assert open_dataset(str(small.path)).ref == small.ref


def test_what_cannot_be_resolved(tmp_path: Path, fresh: OffsideDataset) -> None:
    with pytest.raises(DatasetReferenceError, match=r"no such dataset folder.*offside-data fictional"):
        open_dataset(tmp_path / "gone")
    edit_block(fresh.path, digest="md5:1")
    with pytest.raises(CardError, match=r"block `offside:`: key 'digest': must be sha256"):
        open_dataset(fresh.path)


def test_what_is_published_is_not_changed_in_place() -> None:
    with pytest.raises(DatasetReferenceError, match=r"never changes.*offside-data fetch org/name@\^1\.0 FOLDER"):
        local_folder(parse_reference("org/name@^1.0"))
