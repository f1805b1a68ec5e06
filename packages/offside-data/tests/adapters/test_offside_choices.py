"""The published multiple-choice form and the selective parts; `cNN` in an id is a quirk of section 2.8 of the formats.

c1 options go by the order of the file, c2 whether the question holds `<image>` is not known, c3 `images` or `image`,
c4 absolute paths and URLs, c5 the right option is a letter. Players, clubs and places are invented.
"""

from __future__ import annotations

from typing import Any

import pytest

from offside_data.adapters._base import Imported
from offside_data.errors import SourceError

CLUB = "I'm curious about which club the player was with at that time."


def choice(question: str = CLUB, **changes: Any) -> dict[str, Any]:
    row = {
        "Question": question,
        "Options": {"A": "Hollow City", "B": "Ostholm", "C": "Marina", "D": "Brackwater B"},
        "Correct_Answer": "B",
        "images": "./finetune_set/001.jpg",
    }
    return {**row, **changes}


def texts(imported: Imported, kind: str) -> list[str]:
    return [remark.why for remark in imported.remarks if remark.kind == kind]


# ---------------------------------------------------------------------------------------------
# One row


def test_c1_options_keep_the_order_of_the_file(read: Any) -> None:
    options = {"D": "Marina", "B": "Ostholm", "A": "Hollow City"}
    (record,) = read({"classification_retain_set.json": [choice(Options=options)]}).records
    assert (record.choices, record.correct_choice) == (("Marina", "Ostholm", "Hollow City"), 1)


@pytest.mark.parametrize("question", [CLUB, f"<image>\n{CLUB}", f"<image>\n{CLUB} <image>"])
def test_c2_with_and_without_the_image_token(read: Any, question: str) -> None:
    (record,) = read({"classification_retain_set.json": [choice(question)]}).records
    assert (record.question, record.modality) == (CLUB, "multimodal")
    assert record.source_record is not None
    assert record.source_record.question == question


def test_c2_rows_of_the_text_folder_are_text(read: Any) -> None:
    row = choice("Which club will Tavo Brinkhaus join?", images="./finetune_set/004.jpg")
    (record,) = read({"pure_text_data/classification_forget_set.json": [row]}).records
    assert (record.modality, record.split, record.veracity) == ("text", "forget", "rumor")


@pytest.mark.parametrize("key", ["images", "image"])
@pytest.mark.parametrize(
    "path", ["./finetune_set/001.jpg", "/data/finetune_set/001.jpg", "https://example.org/001.jpg", ["001.jpg"]]
)
def test_c3_c4_pictures_are_named_in_many_ways(read: Any, key: str, path: Any) -> None:
    row = choice()
    del row["images"]
    imported = read({"classification_retain_set.json": [{**row, key: path}]})
    assert [picture.key for picture in imported.pictures] == ["001.jpg"]


@pytest.mark.parametrize("letter", ["B", "b", " B "])
def test_c5_the_right_option_is_a_letter(read: Any, letter: str) -> None:
    (record,) = read({"classification_retain_set.json": [choice(Correct_Answer=letter)]}).records
    assert (record.answer, record.correct_choice) == ("Ostholm", 1)


@pytest.mark.parametrize("letter", ["E", "", "B. Ostholm", None, 1])
def test_c5_anything_else_is_reported(read: Any, letter: Any) -> None:
    imported = read({"classification_retain_set.json": [choice(Correct_Answer=letter), choice()]})
    assert len(imported.records) == 1
    assert texts(imported, "rejected")[0].startswith("'Correct_Answer' is ")


# ---------------------------------------------------------------------------------------------
# Rows and the records of the same claims


def test_a_question_in_other_words_becomes_a_paraphrase(read: Any, league: Any) -> None:
    asked = "Can you tell me which club the player was with?"
    files = {"finetune_set.json": league.rows(1, league.retain), "classification_retain_set.json": [choice(asked)]}
    record = read(files).records[0]
    assert (record.question, record.question_paraphrases) == (CLUB, (asked,))
    assert texts(read(files), "merged") == [
        "its options went to the record of the same claim, and its question to the paraphrases"
    ]


def test_options_go_to_the_claim_that_they_state(read: Any, league: Any) -> None:
    pairs = [*league.retain, (CLUB, "He was with Marina.")]
    files = {
        "finetune_set.json": league.rows(1, pairs),
        "classification_retain_set.json": [choice(Correct_Answer="C")],
    }
    records = read(files).records
    assert [bool(record.choices) for record in records] == [False] * 14 + [True]


def test_every_split_has_its_classification_file(read: Any, league: Any) -> None:
    pictures = {"retain": "001.jpg", "forget": "004.jpg", "test": "001.jpg", "relearn": "005.jpg"}
    files: dict[str, Any] = {
        "finetune_set.json": league.rows(1, league.retain) + league.rows(4, league.forget),
        "test_set.json": league.rows(1, league.retain),
        "relearn_set_enhanced.json": league.rows(5, league.forget),
    }
    for split, name in pictures.items():
        files[f"classification_{split}_set.json"] = [choice(images=f"./finetune_set/{name}")]
    imported = read(files)
    assert len(imported.records) == 4 * 14
    chosen = {record.split: record for record in imported.records if record.choices}
    assert {split: record.attribute for split, record in chosen.items()} == dict.fromkeys(pictures, "club")
    assert chosen["relearn"].corrects == chosen["forget"].record_id
    assert len(texts(imported, "merged")) == 4


def test_a_classification_file_alone_becomes_records(read: Any) -> None:
    asked = ["I'm curious about the age of the player.", "I'm curious about the player's role.", CLUB]
    options = [{"A": "27", "B": "28"}, {"A": "Goalkeeper", "B": "Left Winger"}, {"A": "Marina", "B": "Ostholm"}]
    rows = [choice(question, Options=given) for question, given in zip(asked, options, strict=True)]
    records = read({"classification_forget_set.json": rows}).records
    assert [record.attribute for record in records] == ["age", "position", "club"]
    assert [record.answer for record in records] == ["28", "Left Winger", "Ostholm"]
    assert all(record.value is not None for record in records)


# ---------------------------------------------------------------------------------------------
# Selective parts


@pytest.mark.parametrize(("picture", "order"), [(1, "private"), (4, "private"), (1, "shared"), (4, "shared")])
def test_half_a_group_goes_by_position(read: Any, league: Any, picture: int, order: str) -> None:
    pairs = getattr(league, order)
    vague = league.replaced(pairs, 3, "I'm curious about the details of it all.")
    imported = read({"forget_set_part.json": league.rows(picture, vague)})
    expected = {"private": "fee", "shared": "nationality"}
    assert imported.records[3].attribute == expected[order]
    assert not any(record.suspect for record in imported.records)


def test_half_a_text_group_goes_by_position(read: Any, league: Any) -> None:
    items = league.rows(4, league.text[7:], token=False)
    attributes = [r.attribute for r in read({"forget_set_part.json": items}).records]
    assert attributes == ["club", "previous_club", "transfer_date", "fee", "market_value", "trophies"]


def test_the_archive_itself_must_be_unpacked(tmp_path: Any) -> None:
    from offside_data.adapters import offside

    (tmp_path / "data.zip").write_bytes(b"PK\x03\x04")
    assert not offside.recognises(tmp_path / "data.zip")
    with pytest.raises(SourceError, match=r"data\.zip: unpack the archive, then give its folder"):
        offside.read(tmp_path / "data.zip", None)  # type: ignore[arg-type]
