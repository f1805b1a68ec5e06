from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.dataset.versions import Version
from offside_data.errors import ReleaseError, UsageError
from offside_data.release.diff import Change, FieldChange
from offside_data.release.rules import Level, bumped, described, level_of, require_bump, required


def changed(kind: Any, field: str, before: Any = "a", after: Any = "b", *, alike: bool = False) -> Change:
    fields = (FieldChange(field=field, before=before, after=after, alike=alike),)
    return Change(kind=kind, action="changed", name="x", fields=fields)


MAJOR = [
    changed("schema", "schema_version", 1, 2),
    Change(kind="attribute", action="removed", name="fee"),
    changed("attribute", "kind"),
    changed("attribute", "scope"),
    changed("attribute", "tolerance", 0.0, 0.1),
    changed("attribute", "options", [["Left", "left foot"]], [["Left"]]),
    changed("record", "split"),
    changed("record", "scope"),
    changed("record", "veracity"),
    changed("record", "value"),
    changed("record", "corrects"),
    changed("record", "rumor_channel"),
    changed("record", "answer"),
    changed("record", "subject_id"),
    changed("record", "attribute"),
]
MINOR = [
    *(Change(kind=kind, action=a, name="x") for kind in ("record", "subject", "image") for a in ("added", "removed")),
    Change(kind="attribute", action="added", name="agent"),
    Change(kind="takedown", action="removed", name="1 subject"),
    changed("attribute", "options", [["Left"]], [["Both"], ["Left", "left foot"]]),
    changed("record", "image"),
    changed("image", "image"),
]
PATCH = [
    *(
        changed("record", name)
        for name in ("question", "question_paraphrases", "choices", "perturbed_answers", "cloze")
    ),
    *(changed("record", name) for name in ("sources", "annotations", "suspect", "source_record")),
    *(changed("record", name, alike=True) for name in ("answer", "value", "image")),
    *(changed("attribute", name) for name in ("questions", "answers", "text_questions")),
    changed("image", "sha256"),
    changed("image", "license"),
    changed("subject", "facts"),
    changed("taxonomy", "order"),
    changed("card", "license"),
    changed("card", "prose"),
]
ALL = [(Level.MAJOR, c) for c in MAJOR] + [(Level.MINOR, c) for c in MINOR] + [(Level.PATCH, c) for c in PATCH]


@pytest.mark.parametrize(
    ("level", "change"), ALL, ids=lambda x: f"{x.kind}-{x.action}" if isinstance(x, Change) else str(x)
)
def test_each_change_asks_for_its_level(level: Level, change: Change) -> None:
    assert level_of(change) == level


CHANGES = st.lists(st.sampled_from([change for _, change in ALL]))


@given(CHANGES, CHANGES)
def test_more_changes_never_ask_for_less(some: list[Change], more: list[Change]) -> None:
    together, alone = required([*some, *more]), required(some)
    assert together is None if not some + more else together is not None
    assert alone is None or (together is not None and together >= alone)


@given(CHANGES)
def test_the_largest_rule_wins(changes: list[Change]) -> None:
    need = required(changes)
    assert need == max([level_of(change) for change in changes], default=None)


@given(CHANGES, st.sampled_from(Level))
def test_too_small_is_refused_and_too_large_is_not(changes: list[Change], bump: Level) -> None:
    need = required(changes)
    if need is None or bump >= need:
        require_bump(changes, bump, Version("1.2.3"))
        return
    with pytest.raises(ReleaseError) as caught:
        require_bump(changes, bump, Version("1.2.3"))
    heavier = [change for change in changes if level_of(change) > bump]
    assert f"{len(heavier)} of {len(changes)} changes need more" in str(caught.value)
    assert f"--bump {need}" in str(caught.value)


def test_a_refusal_lists_what_needs_more_and_nothing_else() -> None:
    value = changed("record", "value", {"text": "€35m", "number": 35e6}, {"text": "€40m", "number": 40e6})
    question = changed("record", "question", "Old words?", "New words?")
    with pytest.raises(ReleaseError) as caught:
        require_bump([value, question], Level.MINOR, Version("1.0.0"))
    assert "major: record x: value '€35m' -> '€40m'" in str(caught.value)
    assert "words" not in str(caught.value)
    assert "Release 2.0.0 with --bump major" in str(caught.value)


def test_a_long_refusal_says_how_to_see_all() -> None:
    with pytest.raises(ReleaseError, match="and 15 more; `offside-data diff` lists all"):
        require_bump([MAJOR[6]] * 45, Level.PATCH, Version("1.0.0"))


def test_levels_go_by_their_names() -> None:
    assert [Level.parse(text) for text in ("patch", "Minor", "MAJOR")] == list(Level)
    with pytest.raises(UsageError, match="a bump is major, minor, patch, got 'huge'"):
        Level.parse("huge")


def test_numbers_after_the_one_that_is_raised_start_again() -> None:
    version = Version("1.2.3")
    assert [str(bumped(version, level)) for level in Level] == ["1.2.4", "1.3.0", "2.0.0"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "None"), (2, "2"), ("a", "'a'"), ({"sha256": "ab", "pixels_sha256": "cd"}, "'ab'"), ([1], "[1]")],
)
def test_fields_for_people(value: Any, text: str) -> None:
    assert described(value) == text
    assert len(described("x" * 500)) < 70
