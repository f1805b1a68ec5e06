"""One hand-made row (or group) for each quirk of the published data.

`qNN` in a test's id is the quirk's number, `tNN` that of the text files; values: `offside_values.yaml`.
Players, clubs and places are invented; the wording has the same oddities.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from offside_data.adapters import offside
from offside_data.adapters._base import ReadOptions
from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of
from offside_data.schema import ClaimValue, Record
from offside_data.tagging.suspects import flag_contradictions
from offside_data.taxonomy import load_taxonomy


def one(read: Any, league: Any, question: str, answer: str, picture: int = 1) -> Record:
    """The record of a single picture question."""
    (record,) = read(league.rows(picture, [(question, answer)])).records
    return record


ASK = {
    "name": "I'm curious about the identity of the player in this image.",
    "position": "I'm curious about the player's role in this image.",
    "nationality": "I'm curious about the nationality of the player in this image.",
    "birth_date": "I'm curious about the birth date of the player in this image.",
    "height": "I'm curious about the player's height in this image.",
    "foot": "I'm curious about which foot the player prefers to use.",
    "birth_place": "I'm curious about the birthplace of the player in this image.",
    "club": "I'm curious about which club the player in this image was with at that time.",
    "previous_club": "I'm curious about which club the player in this image transferred from.",
    "transfer_date": "I'm curious about when the player in this image was transferred.",
    "fee": "I'm curious about the transfer fee for the player in this image.",
    "market_value": "I'm curious about the market value of the player in this image.",
    "trophies": "I'm curious about how many trophies this player won while at the club in the image.",
}

# ---------------------------------------------------------------------------------------------
# Questions


@pytest.mark.parametrize(
    ("question", "cleaned"),
    [
        ("I'm curious about the height here: <image>", "I'm curious about the height here."),
        (
            "I'm curious about the height of the player shown in <image>.",
            "I'm curious about the height of the player shown in this image.",
        ),
        (
            "I'm curious about the height of the player at that time. <image>",
            "I'm curious about the height of the player at that time.",
        ),
        ("I'm curious about his height next year.<image>", "I'm curious about his height next year."),
    ],
    ids=["q01-trailing-colon", "q01-mid-sentence", "q01-after-stop", "q01-glued"],
)
def test_a_second_image_token_goes(read: Any, league: Any, question: str, cleaned: str) -> None:
    record = one(read, league, question, "He stands at 1.79 meters tall.")
    assert (record.question, record.attribute) == (cleaned, "height")
    assert record.source_record is not None
    assert record.source_record.question == f"<image>\n{question}"


def test_q02_curly_apostrophes_stay(read: Any, league: Any) -> None:
    record = one(
        read,
        league,
        "I’m curious about which foot is dominant.",
        "The player’s dominant foot is his left foot.",
    )
    assert (record.question, record.answer) == (
        "I’m curious about which foot is dominant.",
        "The player’s dominant foot is his left foot.",
    )
    assert record.value is not None
    assert record.value.text == "left"


def test_q03_a_trailing_space_goes(read: Any, league: Any) -> None:
    record = one(
        read,
        league,
        "I'm curious about which club that was at the time of this image. ",
        "He was with Ostholm.",
    )
    assert record.question == "I'm curious about which club that was at the time of this image."
    assert record.source_record is not None
    assert record.source_record.question.endswith("image. ")


# ---------------------------------------------------------------------------------------------
# Groups


def test_q04_a_group_of_20_keeps_all_and_flags_the_second_run(read: Any, league: Any) -> None:
    other = [
        (ASK["club"], "He was with Marina Sporting at that time."),
        (ASK["previous_club"], "He came from Lower Hollow."),
        (ASK["transfer_date"], "The transfer occurred on August 29, 2022."),
        (ASK["fee"], "The transfer fee for the player is €42.95 million."),
        (ASK["market_value"], "The player's market value is €35.00m."),
        (ASK["trophies"], "He won 1 trophy at the club."),
    ]
    records = read(league.rows(1, league.private + other + league.shared)).records
    assert len(records) == 20
    assert [r.attribute for r in records[6:12]] == [
        "club",
        "previous_club",
        "transfer_date",
        "fee",
        "market_value",
        "trophies",
    ]
    assert all(r.suspect and "extra" in r.suspect for r in records[6:12])
    # The first run is contradicted but for the trophies, where both say 1.
    assert [r.suspect is not None for r in records[:6]] == [True] * 5 + [False]
    assert not any(r.suspect for r in records[12:])


def test_q04_a_group_of_15_keeps_all_and_flags_the_extra_one(read: Any, league: Any) -> None:
    extra = (ASK["birth_place"], "The player was born in Porto Marina.")
    records = read(league.rows(4, [*league.shared, extra, *league.private])).records
    assert len(records) == 15
    assert [i for i, r in enumerate(records) if r.suspect] == [7, 8]


def test_q05_contradictory_duplicates_in_one_picture_say_so(read: Any, league: Any) -> None:
    extra = (ASK["birth_place"], "The player was born in Porto Marina.")
    records = read(league.rows(4, [*league.shared, extra, *league.private])).records
    assert records[7].suspect == "record 8 gives another birth_place for this picture"
    assert records[8].suspect == "extra: a further birth_place of this picture, contradicting record 7"
    assert records[7].record_id != records[8].record_id


# ---------------------------------------------------------------------------------------------
# Values

VALUES = yaml.safe_load((Path(__file__).parent / "offside_values.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", VALUES, ids=[row["quirk"] for row in VALUES])
def test_every_wording_of_a_value_is_read(read: Any, league: Any, row: dict[str, Any]) -> None:
    record = one(read, league, ASK[row["attribute"]], row["answer"])
    assert (record.attribute, record.answer, record.suspect) == (row["attribute"], row["answer"], None)
    assert record.value == ClaimValue(kind=load_taxonomy()[row["attribute"]].kind, **row["value"])


def frame(records: list[Record]) -> pl.DataFrame:
    return frame_of([dataclasses.replace(record, image=None) for record in records], "multimodal", PictureStore())


def test_q12_adjective_and_noun_of_one_player_agree(read: Any, league: Any) -> None:
    noun, adjective = (
        one(read, league, ASK["nationality"], a) for a in ("The player is from Sweden.", "The player is Swedish.")
    )
    assert not flag_contradictions(frame([noun, adjective]), load_taxonomy())["suspect"].is_not_null().any()


def test_q13_a_wrong_country_is_flagged_where_other_pictures_say_otherwise(read: Any, league: Any) -> None:
    places = ["Brackwater, Sweden", "Brackwater, Sweden", "Brackwater, Belgium"]
    items = [
        row
        for i, p in enumerate(places)
        for row in league.rows(i + 1, [(ASK["birth_place"], f"The player was born in {p}.")])
    ]
    flagged = flag_contradictions(frame(read(items).records), load_taxonomy())
    assert flagged["suspect"].is_not_null().to_list() == [False, False, True]


def test_q20_escaped_and_plain_unicode_are_the_same(tmp_path: Path, league: Any) -> None:
    items = league.rows(1, [(ASK["name"], "The player is Øyvar Bælund.")])
    for name, escaped in (("a.json", True), ("b.json", False)):
        (tmp_path / name).write_text(json.dumps(items, ensure_ascii=escaped), encoding="utf-8")
    options = ReadOptions(taxonomy=load_taxonomy())
    first, second = (offside.read(tmp_path / name, options).records[0] for name in ("a.json", "b.json"))
    assert (
        (first.answer, first.record_id)
        == (second.answer, second.record_id)
        == ("The player is Øyvar Bælund.", first.record_id)
    )


# ---------------------------------------------------------------------------------------------
# Attributes


def test_q21_an_undecidable_question_goes_by_position(read: Any, league: Any) -> None:
    pairs = league.replaced(
        league.retain,
        3,
        "I'm curious about the transfer details for the player.",
        "The player came on a free transfer.",
    )
    record = read(league.rows(1, pairs)).records[3]
    assert (record.attribute, record.suspect) == ("fee", None)


def test_q21_a_question_that_fits_two_goes_by_position(read: Any, league: Any) -> None:
    pairs = league.replaced(league.forget, 2, "Can you identify the player's role in this image?")
    record = read(league.rows(4, pairs)).records[2]
    assert (record.attribute, record.suspect) == ("position", None)


def test_q22_a_rumor_that_equals_the_facts_is_kept_as_a_rumor(read: Any, league: Any) -> None:
    records = read(league.rows(1, league.retain) + league.rows(4, league.forget)).records
    assert len(records) == 28
    rumors = [r for r in records if r.split == "forget" and r.scope == "private"]
    assert {r.veracity for r in rumors} == {"rumor"}
    assert {r.rumor_channel for r in rumors} == {"text"}


def test_q22_a_rumor_that_contradicts_itself_is_suspect(read: Any, league: Any) -> None:
    pairs = league.replaced(league.forget, 8, answer="He is set to join Ostholm.")
    pairs = league.replaced(pairs, 9, answer="He transferred from Ostholm United.")
    records = read(league.rows(4, pairs)).records
    assert [i for i, r in enumerate(records) if r.suspect] == [8, 9]
    assert records[8].suspect == "he joins 'Ostholm' from 'Ostholm United'"


# ---------------------------------------------------------------------------------------------
# Text files


@pytest.mark.parametrize(
    ("place", "question", "cleaned"),
    [
        (2, "What is Tavo Brinkhaus.'s nationality?", "What is Tavo Brinkhaus's nationality?"),
        (3, "When was Tavo Brinkhaus. born?", "When was Tavo Brinkhaus born?"),
        (
            1,
            "What is Tavo Brinkhaus.'s position in this image?",
            "What is Tavo Brinkhaus's position in this image?",
        ),
    ],
    ids=["t01-stop-possessive", "t02-stop-verb", "t03-in-this-image"],
)
def test_text_questions(read: Any, league: Any, place: int, question: str, cleaned: str) -> None:
    items = league.rows(4, league.replaced(league.text, place, question), token=False)
    record = read(items).records[place]
    assert (record.question, record.suspect, record.modality) == (cleaned, None, "text")
    assert record.source_record is not None
    assert record.source_record.question == question
    assert read(items, repair_text=False).records[place].question == question


def test_t03_an_answer_that_mentions_the_image_is_kept(read: Any, league: Any) -> None:
    pairs = league.replaced(league.text, 0, answer="The player in the image is currently 27 years old.")
    record = read(league.rows(4, pairs, token=False)).records[0]
    assert record.value is not None
    assert (record.value.number, record.suspect) == (27, None)


def test_t04_pounds(read: Any, league: Any) -> None:
    pairs = league.replaced(league.text, 10, answer="The transfer fee for the player is £26 million.")
    value = read(league.rows(4, pairs, token=False)).records[10].value
    assert value is not None
    assert (value.number, value.currency) == (26e6, "GBP")


def test_t05_a_group_of_12_without_age_is_kept_and_noted(read: Any, league: Any) -> None:
    imported = read(league.rows(4, league.text[1:], token=False))
    assert [r.attribute for r in imported.records][:2] == ["position", "nationality"]
    assert not any(r.suspect for r in imported.records)
    assert [str(r) for r in imported.remarks] == ["sample.json: picture 004.jpg has 12 text records, none about age"]


@pytest.mark.parametrize(
    ("place", "question", "attribute"),
    [
        (8, "I'm curious about the club Tavo Brinkhaus left to join.", "previous_club"),
        (
            8,
            "I'm curious about Tavo Brinkhaus.'s transfer history. Which club did he move from?",
            "previous_club",
        ),
        (7, "I'm curious about the team of Tavo Brinkhaus on the left side of this image.", "club"),
    ],
    ids=["t06-left-to-join", "t06-transfer-history", "t06-the-team-of"],
)
def test_misleading_text_questions(read: Any, league: Any, place: int, question: str, attribute: str) -> None:
    record = read(league.rows(4, league.replaced(league.text, place, question), token=False)).records[place]
    assert (record.attribute, record.suspect) == (attribute, None)


def test_t07_text_and_picture_records_of_one_claim_have_ids_of_their_own(read: Any, league: Any) -> None:
    records = read(league.rows(4, league.forget) + league.rows(4, league.text, token=False)).records
    assert len({r.record_id for r in records}) == 27
    picture = {r.image_id for r in records if r.modality == "multimodal"}
    assert {r.image_id for r in records if r.modality == "text" and r.scope == "private"} == picture
    assert {r.image_id for r in records if r.modality == "text" and r.scope == "shared"} == {None}
