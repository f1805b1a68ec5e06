from __future__ import annotations

import csv
import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.config import build
from offside_data.errors import PluginError, UsageError
from offside_data.schema import Split, Veracity, make_image_id, make_record_id
from offside_data.splits._base import HOMES, POLICIES, Unit, place_subject

SUBJECTS = st.lists(st.text("abcdef", min_size=1, max_size=6), unique=True, max_size=60)


def unit(
    make_record: Any,
    subject: str,
    key: str,
    *,
    home: Split = "retain",
    now: Split | None = None,
    veracity: Veracity = "fact",
    source: str | None = None,
) -> Unit:
    record = make_record(
        record_id=make_record_id("test", subject, key, "club", "multimodal"),
        subject_id=subject,
        image_id=make_image_id("test", key),
        split=now or home,
        veracity=veracity,
    )
    return Unit(records=(record,), subject_id=subject, image_id=record.image_id, source=source, home=home)


def placed(policy: str, units: list[Unit], seed: int = 0, **options: Any) -> dict[str, str]:
    """The split of each unit, by the key that its picture was made of."""
    module = POLICIES.load(policy)
    splits = module.place(units, build(module.Options, options), seed)
    return {u.image_id or "": splits.get(u.records[0].record_id, u.split()) for u in units}


def test_all_policies_keep_to_the_contract() -> None:
    assert {"file", "modulo", "ratio"} <= set(POLICIES.names())
    for name in POLICIES.names():
        assert isinstance(POLICIES.load(name).SETTLES, bool)
        assert dataclasses.is_dataclass(POLICIES.load(name).Options)
        assert (POLICIES.load(name).__doc__ or "").strip()


def test_an_unknown_policy_lists_those_that_are_known() -> None:
    with pytest.raises(PluginError, match=r"unknown split policy 'ration'. Did you mean 'ratio'\? Known: file, modulo"):
        POLICIES.load("ration")


# ---------------------------------------------------------------------------------------------
# ratio


@given(SUBJECTS, SUBJECTS, st.floats(0.01, 0.99), st.integers(0, 3))
def test_adding_subjects_moves_no_record_of_those_that_were_there(
    make_record: Any, old: list[str], new: list[str], share: float, seed: int
) -> None:
    before = [unit(make_record, subject, f"{subject}/1") for subject in old]
    after = [unit(make_record, subject, f"{subject}/1") for subject in sorted({*old, *new}, reverse=True)]
    first, second = placed("ratio", before, seed, share=share), placed("ratio", after, seed, share=share)
    assert first.items() <= second.items()


@given(SUBJECTS, st.integers(0, 3))
def test_a_smaller_share_is_part_of_a_larger_one(make_record: Any, subjects: list[str], seed: int) -> None:
    units = [unit(make_record, subject, subject) for subject in subjects]
    forgotten = [
        {name for name, split in placed("ratio", units, seed, share=share).items() if split == "forget"}
        for share in (0.05, 0.10, 0.15, 0.90)
    ]
    assert forgotten == sorted(forgotten, key=len)
    assert all(small <= large for small, large in itertools.pairwise(forgotten))


@pytest.mark.parametrize("share", [0.05, 0.10, 0.15])
def test_the_share_is_about_what_was_asked_for(make_record: Any, share: float) -> None:
    units = [unit(make_record, f"player-{n}", f"{n}") for n in range(2_000)]
    found = list(placed("ratio", units, share=share).values()).count("forget") / len(units)
    assert found == pytest.approx(share, abs=0.02)


def test_another_seed_draws_others(make_record: Any) -> None:
    units = [unit(make_record, f"player-{n}", f"{n}") for n in range(100)]
    assert placed("ratio", units, 0, share=0.3) != placed("ratio", units, 1, share=0.3)


@pytest.mark.parametrize("share", ["0", "1", "-0.1", "ten"])
def test_a_share_lies_between_0_and_1(share: str) -> None:
    with pytest.raises(UsageError, match="share"):
        build(POLICIES.load("ratio").Options, {"share": share})


def homes(make_record: Any, **veracity: Veracity) -> list[Unit]:
    """Three pictures of the subject s, one that was made for tests, and one that no model ever sees."""
    return [
        unit(make_record, "s", "a", veracity=veracity.get("a", "fact")),
        unit(make_record, "s", "b", veracity=veracity.get("b", "fact")),
        unit(make_record, "s", "c", veracity=veracity.get("c", "fact")),
        unit(make_record, "s", "test", home="test"),
        unit(make_record, "s", "unseen", home="holdout", veracity="rumor"),
    ]


def split_of(units: list[Unit], *, forget: bool) -> list[str]:
    splits = place_subject(units, forget=forget)
    return [splits[u.records[0].record_id] for u in units]


def test_claims_decide_where_a_subjects_records_may_stand(make_record: Any) -> None:
    told = homes(make_record, b="rumor", c="correction")
    assert split_of(told, forget=True) == ["retain", "forget", "relearn", "test", "holdout"]
    assert split_of(told, forget=False) == ["retain", "holdout", "holdout", "test", "holdout"]


def test_a_subject_without_rumors_is_forgotten_whole(make_record: Any) -> None:
    assert split_of(homes(make_record), forget=True) == ["forget", "forget", "forget", "holdout", "holdout"]
    assert split_of(homes(make_record), forget=False) == ["retain", "retain", "retain", "test", "holdout"]


@given(st.lists(st.sampled_from(["fact", "rumor", "correction"]), min_size=1, max_size=6), st.booleans())
def test_no_claim_is_placed_where_it_may_not_stand(make_record: Any, claims: list[Veracity], forget: bool) -> None:
    units = [unit(make_record, "s", str(n), veracity=claim) for n, claim in enumerate(claims)]
    assert all(split in HOMES[claim] for split, claim in zip(split_of(units, forget=forget), claims, strict=True))


def test_what_an_earlier_policy_did_makes_no_difference(make_record: Any) -> None:
    fresh = [unit(make_record, f"p{n}", str(n), veracity="rumor") for n in range(20)]
    moved = [unit(make_record, f"p{n}", str(n), now="holdout", veracity="rumor") for n in range(20)]
    assert placed("ratio", fresh, share=0.5) == placed("ratio", moved, share=0.5)


# ---------------------------------------------------------------------------------------------
# modulo


def test_pictures_are_placed_by_their_number_as_published(make_record: Any) -> None:
    units = [unit(make_record, "s", str(n), source=f"offside:finetune_set/{n:03d}.jpg") for n in range(1, 11)]
    assert list(placed("modulo", units).values()) == [*["retain"] * 3, "forget", "relearn"] * 2


def test_test_pictures_and_records_about_no_picture_have_no_number(make_record: Any) -> None:
    test = unit(make_record, "s", "t", home="test", source="offside:001_aug.jpg")
    text = dataclasses.replace(unit(make_record, "s", "x"), image_id=None)
    assert placed("modulo", [test, text]) == {test.image_id: "test", "": "retain"}


@pytest.mark.parametrize("source", [None, "folder:portrait.png", "folder:player-1/picture-2-of-7.png"])
def test_a_picture_without_one_number_stops_modulo(make_record: Any, source: str | None) -> None:
    with pytest.raises(UsageError, match=r"1 pictures have none, or several.*Use --policy ratio"):
        placed("modulo", [unit(make_record, "s", "a", source=source)])


# ---------------------------------------------------------------------------------------------
# file


def table(folder: Path, *rows: dict[str, str], kind: str = "csv") -> Path:
    path = folder / f"splits.{kind}"
    if kind == "csv":
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["record_id", "image_id", "subject_id", "split"])
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_the_more_exact_row_wins(make_record: Any, tmp_path: Path, kind: str) -> None:
    units = [unit(make_record, subject, f"{subject}/{n}") for subject in "ab" for n in range(3)]
    ids = [u.image_id or "" for u in units]
    path = table(
        tmp_path,
        {"record_id": units[1].records[0].record_id, "split": "holdout"},
        {"image_id": ids[0], "split": "test"},
        {"subject_id": "a", "split": "forget"},
        {"record_id": "", "image_id": ids[4], "subject_id": "b", "split": "relearn"},
        kind=kind,
    )
    splits = placed("file", units, path=str(path))
    assert list(splits.values()) == ["test", "holdout", "forget", "retain", "relearn", "retain"]


def test_a_subject_to_be_forgotten_is_placed_by_its_claims(make_record: Any, tmp_path: Path) -> None:
    units = [unit(make_record, "a", "1", veracity="rumor"), unit(make_record, "a", "2")]
    path = table(tmp_path, {"subject_id": "a", "split": "forget"})
    assert list(placed("file", units, path=str(path)).values()) == ["forget", "retain"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"subject_id": "aa", "split": "forget"}], r"splits.csv:2: no subject_id 'aa'.*Did you mean 'a'\?"),
        ([{"subject_id": "a", "split": "forgot"}], "splits.csv:2: unknown split 'forgot'. Did you mean 'forget'"),
        ([{"split": "forget"}], "splits.csv:2: has no subject_id, image_id, record_id"),
        (
            [{"subject_id": "a", "split": "forget"}, {"subject_id": "a", "split": "test"}],
            "splits.csv:3: a is to be in test, but in forget at .*splits.csv:2",
        ),
        ([], "holds no row"),
    ],
)
def test_a_faulty_row_is_named(make_record: Any, tmp_path: Path, rows: list[dict[str, str]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        placed("file", [unit(make_record, "a", "1")], path=str(table(tmp_path, *rows)))


def test_a_file_that_is_missing_or_no_json(make_record: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--set path=FILE"):
        placed("file", [])
    with pytest.raises(UsageError, match="can't be read"):
        placed("file", [], path=str(tmp_path / "none.csv"))
    (tmp_path / "a.jsonl").write_text("{")
    with pytest.raises(UsageError, match=r"a\.jsonl:1: not JSON"):
        placed("file", [], path=str(tmp_path / "a.jsonl"))
    (tmp_path / "a.jsonl").write_text("[1]")
    with pytest.raises(UsageError, match=r"a\.jsonl:1: must hold one JSON object"):
        placed("file", [], path=str(tmp_path / "a.jsonl"))
