from __future__ import annotations

import pytest
import yaml

from offside_data.dataset.card import split_front_matter
from offside_data.errors import CardError
from offside_data.hub.card_merge import merge_cards


def card(version: str, head: str = "Prose.", tail: str = "", **front: object) -> str:
    told = {"license": "cc0-1.0", **front, "offside": {"version": version}}
    section = f"<!-- offside:begin load -->\nLoad {version}.\n<!-- offside:end load -->"
    body = "\n\n".join(part for part in (head, section, tail) if part)
    return f"---\n{yaml.safe_dump(told, sort_keys=False)}---\n\n{body}\n"


def test_ours_where_nobody_changed_theirs() -> None:
    ours = card("1.1.0", "New prose.", license="mit")
    assert merge_cards(ours, None, None) == (ours, [])
    merged, notes = merge_cards(ours, card("1.0.0"), card("1.0.0"))
    assert "New prose." in merged
    assert "license: mit" in merged
    assert notes == []


def test_theirs_where_only_they_changed() -> None:
    theirs = card("1.0.0", "Prose, corrected.", "More.", license="mit", tags=["club"])
    merged, notes = merge_cards(card("1.1.0"), theirs, card("1.0.0"))
    front, body = split_front_matter(merged, "")
    assert front == {"license": "mit", "tags": ["club"], "offside": {"version": "1.1.0"}}
    assert body == (
        "Prose, corrected.\n\n<!-- offside:begin load -->\nLoad 1.1.0.\n<!-- offside:end load -->\n\nMore.\n"
    )
    assert notes == []


def test_theirs_and_a_note_where_both_changed() -> None:
    ours, theirs = card("1.1.0", "Ours.", license="mit"), card("1.0.0", "Theirs.", license="cc-by-4.0")
    merged, notes = merge_cards(ours, theirs, card("1.0.0"))
    assert "Theirs." in merged
    assert "license: cc-by-4.0" in merged
    assert [note.split(" stays")[0] for note in notes] == ["`license` of the card", "The card's text at the beginning"]


def test_what_is_generated_is_ours() -> None:
    theirs = card("1.0.0", configs=["edited"]).replace("Load 1.0.0.", "Edited.")
    merged, _ = merge_cards(card("1.1.0", configs=["new"]), theirs, card("1.0.0", configs=["old"]))
    assert "Edited." not in merged
    assert "- new" in merged


def test_merging_again_changes_nothing() -> None:
    theirs = card("1.0.0", "Theirs.", "More.").replace("license: cc0-1.0", "license:   cc0-1.0")
    merged, _ = merge_cards(card("1.1.0"), theirs, card("1.0.0"))
    assert merge_cards(card("1.1.0"), merged, card("1.1.0")) == (merged, [])
    odd = card("1.1.0").replace("license: cc0-1.0", "license:   cc0-1.0")
    assert merge_cards(card("1.1.0"), odd, None)[0] == odd  # Byte by byte.


def test_a_page_that_was_there_before_comes_first() -> None:
    merged, _ = merge_cards(card("1.0.0"), "# Soon\n\nHere.\n", None)
    assert merged.index("# Soon") < merged.index("Prose.")
    with pytest.raises(CardError, match=r"README\.md on the Hub: the front matter isn't valid YAML"):
        merge_cards(card("1.0.0"), "---\na: [\n---\n", None)


BEGIN, END = "<!-- offside:begin load -->\n", "<!-- offside:end load -->\n"


@pytest.mark.parametrize("marker", [BEGIN, END])
def test_a_marker_that_was_lost_takes_no_prose_with_it(marker: str) -> None:
    theirs = card("1.0.0", "Prose.", "More.").replace(marker, "Theirs.\n\n")
    merged, notes = merge_cards(card("1.1.0", "Prose.", "More."), theirs, card("1.0.0", "Prose.", "More."))
    again, _ = merge_cards(card("1.2.0", "Prose.", "More."), merged, card("1.1.0", "Prose.", "More."))
    for text, version in ((merged, "1.1.0"), (again, "1.2.0")):
        assert [text.count(part) for part in ("Theirs.", "More.", "Load ", BEGIN, END)] == [1] * 5, text
        assert f"Load {version}." in text
    assert [note for note in notes if "lost a marker" in note]


def test_prose_around_a_section_that_is_there_twice_stays() -> None:
    section = f"{BEGIN}Load 1.0.0.\n{END}"
    theirs = card("1.0.0", "Prose.", f"Between.\n\n{section}\nAfter.")
    merged, _ = merge_cards(card("1.1.0"), theirs, card("1.0.0"))
    assert [merged.count(part) for part in ("Between.", "After.", "Load 1.1.0.", BEGIN)] == [1] * 4


def test_a_section_of_somebodys_own_is_prose() -> None:
    own = "<!-- offside:begin thanks -->\nThanks to Orla.\n<!-- offside:end thanks -->"
    merged, notes = merge_cards(card("1.1.0"), card("1.0.0", tail=own), card("1.0.0"))
    assert own in merged
    assert notes == []


def test_what_was_written_into_a_generated_section_is_told() -> None:
    theirs = card("1.0.0").replace("Load 1.0.0.", "Load 1.0.0, please.")
    merged, notes = merge_cards(card("1.1.0"), theirs, card("1.0.0"))
    assert "please" not in merged
    assert [note for note in notes if "section 'load' is generated anew" in note]
