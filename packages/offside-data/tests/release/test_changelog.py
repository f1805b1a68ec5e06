from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.release.changelog import make_entry, released_versions, with_entry
from offside_data.release.diff import Change, FieldChange

BORN = "# Changelog\n\n## 0.1.0\n\nFirst version.\n"


def entry(version: str, note: str = "Why.", changes: tuple[Change, ...] = (), parent: str | None = None) -> str:
    return make_entry(version, "2026-01-31", note, changes, digest="sha256:ab", parent=parent)


def test_a_first_release_replaces_what_a_dataset_is_born_with() -> None:
    assert with_entry(BORN, entry("1.0.0")) == (
        "# Changelog\n\n## [1.0.0] - 2026-01-31\n\nWhy.\n\nFirst release; digest `sha256:ab`.\n"
    )
    assert with_entry(None, entry("1.0.0")) == with_entry(BORN, entry("1.0.0"))


def test_the_newest_entry_stands_on_top_and_the_others_stay() -> None:
    text = with_entry("# Changes of ours\n\nRead them.\n\n## Before\n\nLong ago.\n", entry("1.0.0"))
    text = with_entry(text, entry("1.1.0", parent="1.0.0"))
    assert text.startswith("# Changes of ours\n\nRead them.\n\n## [1.1.0]")
    assert text.endswith("\n\n## Before\n\nLong ago.\n")
    assert released_versions(text) == ["1.1.0", "1.0.0"]
    assert "Made from 1.0.0; digest" in text


@pytest.mark.parametrize("heading", ["## [Unreleased]", "## Unreleased"])
def test_what_waited_for_the_release_becomes_part_of_it(heading: str) -> None:
    text = with_entry(
        f"# Changelog\n\n{heading}\n\n- A person's note.\n\n## [1.0.0] - 2026-01-01\n\nOld.\n", entry("1.0.1")
    )
    assert "nreleased" not in text
    assert text.index("[1.0.1]") < text.index("A person's note.") < text.index("[1.0.0]")


def field(name: str) -> tuple[FieldChange, ...]:
    return (FieldChange(field=name, before="Orlo Vantis", after="b"),)


def test_entries_count_and_name_nobody() -> None:
    changes = (
        *(Change(kind="record", action="changed", name=f"r{n}", fields=field("question")) for n in range(1_200)),
        Change(kind="record", action="added", name="orlo-vantis-1"),
        Change(kind="subject", action="removed", name="orlo-vantis"),
        Change(kind="attribute", action="added", name="agent"),
        Change(kind="card", action="changed", name="d", fields=field("license")),
        Change(kind="takedown", action="removed", name="1 subject with 3 records, taken down on request"),
    )
    text = entry("1.1.0", changes=changes, parent="1.0.0")
    assert "### Added\n\n- attribute `agent`\n- 1 record\n" in text
    assert "### Changed\n\n- `question` of 1,200 records\n- `license` of the card\n" in text
    assert "### Removed\n\n- 1 subject with 3 records, taken down on request\n- 1 subject\n" in text
    assert "antis" not in text


@given(st.lists(st.integers(0, 9), unique=True, max_size=6))
def test_every_release_is_told_once_in_order(patches: list[int]) -> None:
    text: str | None = None
    for patch in patches:
        text = with_entry(text, entry(f"1.0.{patch}"))
    assert released_versions(text or "") == [f"1.0.{patch}" for patch in reversed(patches)]
