from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offside_data.adapters import offside
from offside_data.adapters._base import Imported, ReadOptions, Remark
from offside_data.errors import SourceError
from offside_data.taxonomy import load_taxonomy
from offside_data.validation import validate_record


def kinds(imported: Imported) -> list[str]:
    return [remark.kind for remark in imported.remarks]


def rejected(imported: Imported) -> list[str]:
    return [str(remark) for remark in imported.remarks if remark.kind == "rejected"]


@pytest.mark.parametrize(
    ("picture", "split", "player"),
    [
        (1, "retain", 0),
        (3, "retain", 0),
        (4, "forget", 0),
        (5, "relearn", 0),
        (6, "retain", 1),
        (364, "forget", 72),
        (400, "relearn", 79),
    ],
)
def test_the_number_gives_player_and_split(read: Any, league: Any, picture: int, split: str, player: int) -> None:
    (record,) = read(league.rows(picture, league.shared[:1])).records
    assert (record.split, record.subject_id) == (split, f"player-{player:03d}")


@pytest.mark.parametrize(("picture", "order"), [(1, "retain"), (4, "forget"), (5, "retain"), (5, "forget")])
def test_a_whole_group_goes_by_position(read: Any, league: Any, picture: int, order: str) -> None:
    records = read(league.rows(picture, getattr(league, order))).records
    private = ["club", "previous_club", "transfer_date", "fee", "market_value", "trophies"]
    assert [r.attribute for r in records if r.scope == "private"] == private
    assert [r.attribute for r in records if r.scope == "shared"] == [
        "name",
        "age",
        "position",
        "nationality",
        "birth_date",
        "height",
        "foot",
        "birth_place",
    ]
    assert not any(r.suspect for r in records)


def test_an_incomplete_group_goes_by_words(read: Any, league: Any) -> None:
    imported = read(league.rows(1, league.retain[3:9]))
    expected = ["fee", "market_value", "trophies", "name", "age", "position"]
    assert [r.attribute for r in imported.records] == expected
    assert kinds(imported) == ["note"]


def test_a_group_of_14_with_two_swapped_goes_by_words(read: Any, league: Any) -> None:
    pairs = [*league.retain[:12], league.retain[13], league.retain[12]]
    records = read(league.rows(1, pairs)).records
    assert [r.attribute for r in records[-2:]] == ["birth_place", "foot"]
    assert not any(r.suspect for r in records)


def test_a_group_of_14_with_one_twice_and_one_missing(read: Any, league: Any) -> None:
    pairs = [*league.retain[:13], league.retain[12]]
    imported = read(league.rows(1, pairs))
    assert [r.attribute for r in imported.records[-2:]] == ["foot", "foot"]
    assert imported.records[13].suspect == "extra: a further foot of this picture, the same as record 12"
    assert [r.why for r in imported.remarks] == ["picture 001.jpg has 14 records, none about birth_place"]


def test_what_only_elimination_can_tell_is_suspect(read: Any, league: Any) -> None:
    pairs = league.replaced(league.retain, 3, "I'm curious about the details of it all.", "It was undisclosed.")
    (*_, last) = read(league.rows(1, [*pairs, pairs[0]])).records
    assert last.suspect is not None
    record = read(league.rows(1, [*pairs[:3], *pairs[3:], pairs[0]])).records[3]
    assert (record.attribute, record.suspect) == ("fee", "that it is about fee was worked out by elimination")


def test_what_nothing_tells_is_untagged_not_lost(read: Any, league: Any) -> None:
    imported = read(league.rows(1, [("Well?", "Hm."), *league.shared]))
    assert len(imported.records) == 9
    assert rejected(imported) == []
    first = imported.records[0]
    assert (first.attribute, first.scope, first.value) == ("untagged", "private", None)
    assert first.suspect == "attribute: neither question nor answer says what it is about"


def test_an_answer_of_another_kind_is_suspect(read: Any, league: Any) -> None:
    pairs = league.replaced(league.retain, 7, answer="He stands at 1.79 meters tall.")
    record = read(league.rows(1, pairs)).records[7]
    assert (record.attribute, record.value) == ("age", None)
    assert record.suspect == "the answer reads like height, not like age"


def test_veracity_and_corrections(read: Any, league: Any) -> None:
    items = league.rows(5, league.retain) + league.rows(4, league.forget) + league.rows(1, league.retain)
    records = {(r.split, r.attribute): r for r in read(items).records}
    assert records["forget", "fee"].veracity == "rumor"
    assert records["forget", "age"].veracity == records["retain", "fee"].veracity == "fact"
    assert records["relearn", "age"].veracity == "fact"
    correction = records["relearn", "fee"]
    assert (correction.veracity, correction.corrects) == ("correction", records["forget", "fee"].record_id)
    assert records["relearn", "age"].corrects is None


def test_a_correction_without_its_rumor_is_not_linked(read: Any, league: Any) -> None:
    assert {r.corrects for r in read(league.rows(5, league.retain)).records} == {None}


def test_ids_come_from_the_source_key_alone(read: Any, league: Any) -> None:
    first = read(league.rows(1, league.retain)).records
    changed = [(f"{question} Tell me.", answer) for question, answer in league.retain]
    second = read({"finetune_set.json": league.rows("images/001.jpg", changed)}).records
    assert [r.record_id for r in first] == [r.record_id for r in second]


def test_names_come_from_the_name_records_else_from_the_text_questions(read: Any, league: Any) -> None:
    other = [(q.replace("Tavo Brinkhaus", "Ilmar Quist"), a) for q, a in league.text]
    items = league.rows(1, league.retain) + league.rows(9, other, token=False)
    assert [(s["subject_id"], s["name"]) for s in read(items).subjects] == [
        ("player-000", "Tavo Brinkhaus"),
        ("player-001", "Ilmar Quist"),
    ]


def test_a_text_question_that_does_not_name_its_subject_is_suspect(read: Any, league: Any) -> None:
    items = league.rows(4, league.replaced(league.text, 0, "How old is Ilmar Quist?"), token=False)
    assert read(items).records[0].suspect == "the text question doesn't name its subject Tavo Brinkhaus"


# ---------------------------------------------------------------------------------------------
# The archive's folder


def archive(league: Any) -> dict[str, Any]:
    forget, retain = league.rows(4, league.forget), league.rows(1, league.retain)
    return {
        "complete_unlearning_data/finetune_set.json": retain + forget,
        "complete_unlearning_data/forget_set.json": forget,
        "complete_unlearning_data/retain_set.json": retain,
        "selective_unlearning_data/forget_set_part.json": forget[8:],
        "selective_unlearning_data/retain_set_part.json": retain + forget[:8],
        "pure_text_data/forget_set.json": league.rows(4, league.text, token=False),
        "test_set.json": league.rows(1, league.retain),
        "relearn_set_enhanced.json": league.rows(5, league.forget),
        "notes.json": {"not": "ours"},
    }


def test_a_folder_gives_every_record_once(read: Any, league: Any) -> None:
    imported = read(archive(league))
    count = {key: 0 for key in ("retain", "forget", "test", "relearn")}
    for record in imported.records:
        count[record.split] += 1
    assert count == {"retain": 14, "forget": 14 + 13, "test": 14, "relearn": 14}
    assert kinds(imported).count("duplicate") == 14 + 14 + 6 + 22
    assert imported.rows == len(imported.records) + 56
    assert not any(r.suspect for r in imported.records)
    (note,) = [r for r in imported.remarks if r.kind == "note"]
    assert note.file == "notes.json"


def test_a_folder_of_parts_alone_works_too(read: Any, league: Any) -> None:
    files = {k: v for k, v in archive(league).items() if k.startswith("selective")}
    imported = read(files)
    assert len(imported.records) == 28
    assert kinds(imported) == []
    assert not any(r.suspect for r in imported.records)


def test_test_pictures_point_to_the_retain_picture(read: Any, league: Any) -> None:
    imported = read(archive(league))
    pictures = {p.key: p for p in imported.pictures}
    assert pictures["test/001.jpg"].derived_from == pictures["001.jpg"].image_id
    tests = [r for r in imported.records if r.split == "test"]
    assert {r.derived_from for r in tests} == {pictures["001.jpg"].image_id}
    assert {r.image_id for r in tests} == {pictures["test/001.jpg"].image_id}


def test_private_test_records_without_their_retain_picture_are_suspect(read: Any, league: Any) -> None:
    records = read({"test_set.json": league.rows(1, league.retain)}).records
    assert [r.suspect is not None for r in records] == [r.scope == "private" for r in records]


def test_a_copy_with_a_suffix_is_derived_from_the_plain_picture(read: Any, league: Any) -> None:
    items = league.rows(1, league.retain) + league.rows("001_aug2.jpg", league.retain)
    imported = read({"enhanced_finetuneset.json": items})
    assert [p.derived_from for p in imported.pictures] == [None, imported.pictures[0].image_id]
    assert {r.subject_id for r in imported.records} == {"player-000"}


def test_a_folder_without_known_files_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[]", encoding="utf-8")
    with pytest.raises(SourceError, match=r"holds none of the files.*finetune_set\.json"):
        offside.read(tmp_path, None)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------
# Classification rows


def choice(question: str, *options: str, correct: str = "A", picture: int = 1) -> dict[str, Any]:
    letters = dict(zip("ABCD", options, strict=False))
    images = f"./finetune_set/{picture:03d}.jpg"
    return {"Question": question, "Options": letters, "Correct_Answer": correct, "images": images}


CLUB = "I'm curious about which club the player was with at that time."


def test_options_go_to_the_record_of_the_same_claim(read: Any, league: Any) -> None:
    row = choice(CLUB, "Hollow City", "Ostholm", "Marina", correct="B")
    files = {"finetune_set.json": league.rows(1, league.retain), "classification_retain_set.json": [row]}
    imported = read(files)
    record = imported.records[0]
    assert (record.choices, record.correct_choice) == (("Hollow City", "Ostholm", "Marina"), 1)
    assert (record.answer, record.suspect) == ("At that time, he was with Ostholm.", None)
    (merged,) = [r for r in imported.remarks if r.kind == "merged"]
    assert merged.record_id == record.record_id


def test_a_classification_row_alone_becomes_a_record(read: Any) -> None:
    (record,) = read({"classification_test_set.json": [choice(CLUB, "Ostholm", "Marina")]}).records
    assert (record.answer, record.split, record.modality) == ("Ostholm", "test", "multimodal")
    assert record.value is not None
    assert record.value.text == "Ostholm"


def test_options_that_do_not_fit_the_answer_are_suspect(read: Any, league: Any) -> None:
    rows = [choice(CLUB, "Marina", "Hollow City")]
    record = read({"finetune_set.json": league.rows(1, league.retain), "classification_retain_set.json": rows}).records[
        0
    ]
    why = "the option 'Marina' is marked right, but doesn't state the answer"
    assert record.suspect == f"{why} 'At that time, he was with Ostholm.'"


def test_a_second_classification_row_about_one_claim_is_extra(read: Any) -> None:
    rows = [choice(CLUB, "Ostholm", "Marina"), choice(CLUB, "Ostholm", "Lund")]
    records = read({"classification_retain_set.json": rows}).records
    assert records[1].suspect == "extra: a further classification row about club"
    assert records[0].record_id != records[1].record_id


# ---------------------------------------------------------------------------------------------
# Bad rows

GOOD = {
    "messages": [
        {"role": "user", "content": "<image>\nI'm curious about the age of the player."},
        {"role": "assistant", "content": "The player is currently 28 years old."},
    ],
    "images": "./finetune_set/001.jpg",
}


def turns(*messages: Any) -> dict[str, Any]:
    return {**GOOD, "messages": list(messages)}


USER, ASSISTANT = GOOD["messages"]
BAD = [
    (None, "must be an object, is a NoneType"),
    ({"a": 1}, "has neither 'messages' nor 'Question'; its keys are ['a']"),
    ({**GOOD, "messages": "hello"}, "'messages' must be a list of objects"),
    (turns(USER), "has no answer: 'messages' lacks the assistant's turn"),
    (turns(ASSISTANT, USER), "the roles are ['assistant', 'user']"),
    (turns(USER, ASSISTANT, USER), "must be one user turn and one assistant turn"),
    (turns(USER, {"role": "assistant"}), "the assistant's 'content' must be text, is a NoneType"),
    (turns({"role": "user", "content": 3}, ASSISTANT), "the user's 'content' must be text, is a int"),
    (turns(USER, {"role": "assistant", "content": " \n"}), "the answer is empty"),
    (turns({"role": "user", "content": "<image>\n"}, ASSISTANT), "the question is empty"),
    (turns({"role": "user", "content": "<image> \ud800"}, ASSISTANT), "half a character"),
    ({"messages": GOOD["messages"]}, "'images' must name a picture, is None"),
    ({**GOOD, "images": []}, "'images' names 0 pictures; one is needed"),
    ({**GOOD, "images": ["001.jpg", "002.jpg"]}, "'images' names 2 pictures"),
    ({**GOOD, "images": 7}, "'images' must name a picture, is 7"),
    ({**GOOD, "images": "cat.jpg"}, "is called 'cat.jpg'; its file name must start with a number"),
    ({**GOOD, "images": "000.jpg"}, "must start with a number from 1"),
    (choice(CLUB, "Ostholm", "Marina", correct="E"), "'Correct_Answer' is 'E', the options are A, B"),
    (choice(CLUB, "Ostholm", "OSTHOLM"), "must be at least two different texts"),
    (
        {**choice(CLUB, "Ostholm", "Marina"), "Options": ["x"]},
        "'Options' must be an object of letter to text",
    ),
    ({**choice(CLUB, "Ostholm", "Marina"), "Question": None}, "'Question' must be text, is a NoneType"),
    ({**choice(CLUB, "Ostholm", "Marina"), "Correct_Answer": ["A"]}, "'Correct_Answer' is ['A']"),
]


@pytest.mark.parametrize(("row", "why"), BAD, ids=[why for _, why in BAD])
def test_a_bad_row_is_reported_with_file_and_index(read: Any, row: Any, why: str) -> None:
    imported = read([GOOD, row])
    assert len(imported.records) == 1
    (said,) = rejected(imported)
    assert said.startswith("sample.json: record 1: ")
    assert why in said


@pytest.mark.parametrize("images", [["./a/001.jpg"], {"path": "001.jpg", "bytes": None}, "C:\\data\\001.jpg"])
def test_other_ways_to_name_the_picture(read: Any, images: Any) -> None:
    assert read([{**GOOD, "images": images}]).pictures[0].key == "001.jpg"
    assert read([{"messages": GOOD["messages"], "image": images}]).pictures[0].key == "001.jpg"


def test_unknown_keys_are_reported_and_the_record_kept(read: Any) -> None:
    imported = read([{**GOOD, "licence": "?", "seen": 1}])
    assert len(imported.records) == 1
    assert str(imported.remarks[0]) == "sample.json: record 0: unknown keys are not imported: licence, seen"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not valid JSON at line 1, column 1"),
        (b'[{"messages": [}]', r"not valid JSON at line 1, column 16 \(character 15\)"),
        (b'{"messages": []}', "must hold a JSON list of records, holds a dict"),
        (b"\xff\xfe[]", "can't be read as UTF-8"),
        (b"[" * 100_000, "nested too deeply|not valid JSON"),
    ],
)
def test_an_unreadable_file_is_an_error_that_names_it(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "sample.json").write_bytes(content)
    with pytest.raises(SourceError, match=rf"sample\.json: .*({problem})"):
        offside.read(tmp_path / "sample.json", None)  # type: ignore[arg-type]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["<image>", "001.jpg", "A"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["A", "role", "path"]), inner),
    max_leaves=6,
)
TURN = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]) | VALUES, "content": VALUES})
ROWS = st.lists(
    st.sampled_from([GOOD, choice(CLUB, "Ostholm", "Marina")])
    | VALUES
    | st.fixed_dictionaries({"messages": st.lists(TURN, max_size=3) | VALUES, "images": VALUES})
    | st.fixed_dictionaries({"Question": VALUES, "Options": VALUES, "Correct_Answer": VALUES, "images": VALUES}),
    max_size=6,
)


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_law_no_row_is_lost_whatever_it_is(rows: list[Any]) -> None:
    taxonomy = load_taxonomy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        imported = offside.read(path, ReadOptions(taxonomy=taxonomy))
    imported.check_accounts()
    for record in imported.records:
        validate_record(record, taxonomy)


# ---------------------------------------------------------------------------------------------
# Where pictures are looked for


def places(imported: Imported, tmp_path: Path) -> list[str]:
    return [path.relative_to(tmp_path).as_posix() for path in imported.pictures[0].paths]


def test_pictures_are_looked_for_beside_the_json_and_in_the_named_folders(read: Any, tmp_path: Path) -> None:
    imported = read([GOOD], image_dirs=(tmp_path / "photos",))
    assert places(imported, tmp_path) == [
        "photos/finetune_set/001.jpg",
        "source/finetune_set/001.jpg",
        "photos/001.jpg",
        "source/001.jpg",
    ]


def test_all_folders_of_an_archive_share_their_pictures(read: Any, league: Any, tmp_path: Path) -> None:
    found = places(read(archive(league)), tmp_path)
    assert "source/selective_unlearning_data/finetune_set/001.jpg" in found
    assert found[0] == "source/complete_unlearning_data/finetune_set/001.jpg"


@pytest.mark.parametrize(
    "images", ["../../etc/001.jpg", "/etc/001.jpg", "https://example.org/001.jpg", "..\\..\\001.jpg"]
)
def test_a_picture_is_never_looked_for_outside_the_source(read: Any, tmp_path: Path, images: str) -> None:
    assert places(read([{**GOOD, "images": images}]), tmp_path) == ["source/001.jpg"]


def test_json_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("\ufeff" + json.dumps([GOOD]), encoding="utf-8")
    assert offside.recognises(tmp_path / "a.json")


def test_a_remark_on_a_file_names_the_file_alone() -> None:
    assert str(Remark(kind="note", file="a.json", index=None, why="odd")) == "a.json: odd"
