from __future__ import annotations

import dataclasses
from typing import Any

import polars as pl
import pytest

from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of
from offside_data.schema import ClaimValue, Record, Source
from offside_data.tagging.veracity import has_official_source, veracity_by_role, veracity_doubts
from offside_data.taxonomy import Taxonomy


@pytest.mark.parametrize(
    ("split", "scope", "veracity"),
    [
        ("forget", "private", "rumor"),
        ("forget", "shared", "fact"),
        ("relearn", "private", "correction"),
        ("relearn", "shared", "fact"),
        ("retain", "private", "fact"),
        ("general", None, "fact"),
    ],
)
def test_the_role_decides_where_nobody_says(split: Any, scope: Any, veracity: str) -> None:
    assert veracity_by_role(split, scope) == veracity


@pytest.fixture
def claim(make_record: Any) -> Any:
    def make(name: str, club: str, split: str, veracity: str, tier: str | None = None, **fields: Any) -> Record:
        return make_record(
            record_id=name,
            split=split,
            attribute="club",
            scope="private",
            veracity=veracity,
            answer=f"The player was with {club}.",
            value=ClaimValue(kind="name", text=club),
            sources=(Source(publisher="Norvale Herald", tier=tier),) if tier else (),
            **fields,
        )

    return make


def codes(records: list[Record], taxonomy: Taxonomy) -> dict[str, list[str]]:
    claims = frame_of(records, "multimodal", PictureStore()).with_columns(has_official_source())
    found = veracity_doubts(claims, taxonomy).group_by("record_id").agg("code")
    return dict(found.iter_rows())


def test_a_rumor_that_an_official_source_confirms_is_doubtful(claim: Any, taxonomy: Taxonomy) -> None:
    official = claim("fact", "Emberlin FC", "retain", "fact", "official")
    rumor = claim("rumor", "Emberlin", "forget", "rumor", "social")
    assert codes([official, rumor], taxonomy) == {"rumor": ["rumor-official"]}
    assert codes([dataclasses.replace(official, subject_id="s2"), rumor], taxonomy) == {}
    assert codes([claim("fact", "Emberlin FC", "retain", "fact", "media"), rumor], taxonomy) == {}
    assert codes([claim("rumor", "Emberlin", "forget", "rumor", "official")], taxonomy) == {"rumor": ["rumor-official"]}


def test_a_correction_must_say_something_else(claim: Any, taxonomy: Taxonomy) -> None:
    rumor = claim("rumor", "Emberlin", "forget", "rumor")
    same = claim("new", "Emberlin FC", "relearn", "correction", corrects="rumor")
    other = claim("new", "Norvale Rovers", "relearn", "correction", corrects="rumor")
    assert codes([rumor, same], taxonomy) == {"new": ["correction-repeats"]}
    assert codes([rumor, other], taxonomy) == {}


def test_a_claim_that_leaves_its_role_is_doubtful_where_there_are_rumors(claim: Any, taxonomy: Taxonomy) -> None:
    fact = claim("fact", "Emberlin", "forget", "fact")
    assert codes([fact], taxonomy) == {}
    assert codes([fact, claim("rumor", "Norvale", "forget", "rumor")], taxonomy) == {"fact": ["veracity-role"]}
    assert codes([claim("kept", "Norvale", "retain", "rumor")], taxonomy) == {"kept": ["veracity-role"]}
    assert codes([claim("held", "Norvale", "holdout", "rumor")], taxonomy) == {}


def test_only_a_later_part_has_something_doubtful(claim: Any, taxonomy: Taxonomy) -> None:
    """Polars panics at texts made of a frame whose first part was filtered away."""
    parts = [
        [claim("kept", "Norvale", "retain", "fact")],
        [claim("fact", "Emberlin", "forget", "fact"), claim("rumor", "Norvale", "forget", "rumor")],
    ]
    claims = pl.concat([frame_of(part, "multimodal", PictureStore()) for part in parts])
    found = veracity_doubts(claims.with_columns(has_official_source()), taxonomy)
    assert found.select("record_id", "code").rows() == [("fact", "veracity-role")]
