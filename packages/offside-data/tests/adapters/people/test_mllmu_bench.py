"""MLLMU-Bench. Each quirk of the published files has a number and a test (m01 …)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offside_data.adapters import mllmu_bench
from offside_data.adapters._base import Imported
from offside_data.adapters._examples import portrait, write_table
from offside_data.errors import SourceError, UsageError
from offside_data.ingest import IngestConfig, ingest
from offside_data.schema import Record

OPTIONS = {"A": "falconer", "B": "baker", "C": "tanner", "D": "cooper"}
SHARD = "train-00000-of-00001.parquet"


def person(number: int = 1, name: str = "Ilmar Quist", **changes: Any) -> dict[str, Any]:
    row = {
        "image": portrait(number),
        "ID": str(number),
        "biography": f"{name} was born in Hollow City.",
        "question": "What does this person like?",
        "answer": f"{name} likes rain.",
        "Classification_Task": {
            "Image_Textual_Questions": [{"Question": "Which trade is it?", "Options": OPTIONS, "Correct_Answer": "B"}],
            "Pure_Text_Questions": [
                {"Question": f"Which trade has {name}?", "Options": OPTIONS, "Correct_Answer": "B"}
            ],
        },
        "Generation_Task": [
            {"Type": "Image_Textual", "Question": "Where was this person born?", "Ground_Truth": "In Hollow City."},
            {"Type": "Pure_Text", "Question": f"Where was {name} born?", "Ground_Truth": "In Hollow City."},
        ],
        "Mask_Task": [
            {"Type": "Image_Textual", "Question": "This person works as a __.", "Ground_Truth": "baker"},
            {"Type": "Pure_Text", "Question": f"{name} works as a __.", "Ground_Truth": "baker"},
        ],
    }
    return {**row, **changes}


def write(folder: Path, configs: dict[str, list[dict[str, Any]]]) -> Path:
    for config, rows in configs.items():
        write_table(folder / config / SHARD, rows)
    return folder


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its tasks as JSON text, so that anything may stand in them."""
    return {key: json.dumps(v) if key.endswith("_Task") else v for key, v in row.items()}


@pytest.fixture
def read(tmp_path: Path, read_people: Any) -> Any:
    """Read configs by name with the adapter."""

    def read_configs(configs: dict[str, list[dict[str, Any]]], **settings: str) -> Imported:
        imported: Imported = read_people("mllmu_bench", write(tmp_path / "source", configs), **settings)
        return imported

    return read_configs


def by_question(imported: Imported) -> dict[str, Record]:
    return {record.question: record for record in imported.records}


def test_a_person_becomes_its_questions(read: Any) -> None:
    imported = read({"forget_5": [person()]})
    asked = by_question(imported)
    assert {(r.modality, r.split, r.scope, r.veracity, r.subject_id) for r in imported.records} == {
        ("multimodal", "forget", "shared", "fact", "1"),
        ("text", "forget", "shared", "fact", "1"),
    }
    choice = asked["Which trade is it?"]
    assert (choice.answer, choice.choices, choice.correct_choice) == ("baker", tuple(OPTIONS.values()), 1)
    assert choice.value is not None
    assert (choice.value.kind, choice.value.text) == ("text", "baker")
    assert choice.source_record is not None
    assert (choice.source_record.file, choice.source_record.answer) == (f"forget_5/{SHARD}", "B")
    assert asked["What does this person like?"].answer == "Ilmar Quist likes rain."
    assert asked["Where was Ilmar Quist born?"].image_id is None
    assert imported.subjects == [
        {"subject_id": "1", "name": "Ilmar Quist", "cohort": "member", "source": "mllmu_bench"}
    ]


def test_m01_keys_are_found_in_any_case(read: Any, said: Any) -> None:
    def lowered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key.lower().replace("_", " "): lowered(item) for key, item in value.items()}
        return [lowered(item) for item in value] if isinstance(value, list) else value

    odd = {**lowered(person()), "image": portrait(1)}
    assert by_question(read({"forget_5": [odd]})).keys() == by_question(read({"forget_5": [person()]})).keys()


def test_m02_arrays_of_pandas_are_lists(tmp_path: Path, read_people: Any) -> None:
    import pandas as pd

    row = person()
    for task in ("Generation_Task", "Mask_Task"):
        row[task] = np.array(row[task], dtype=object)
    path = tmp_path / "forget_5" / SHARD
    path.parent.mkdir()
    pd.DataFrame([row]).to_parquet(path)
    assert len(read_people("mllmu_bench", tmp_path).records) == 7


def test_m03_test_portraits_lie_in_a_list_and_take_turns(read: Any) -> None:
    row = person(2, "Tavo Brinkhaus")
    row["images"] = [portrait(20), portrait(21), portrait(22)]
    del row["image"]
    records = [r for r in read({"Test_Set": [row]}).records if r.modality == "multimodal"]
    assert {r.split for r in records} == {"test"}
    assert len(records) == 4
    assert len({r.image_id for r in records}) == 3
    assert records[0].image_id == records[3].image_id


def test_m04_the_ratio_is_percent_and_must_be_chosen_if_there_are_several(read: Any, said: Any) -> None:
    configs = {
        "forget_5": [person(1)],
        "retain_95": [person(2), person(3)],
        "forget_10": [person(1), person(2)],
        "retain_90": [person(3)],
    }
    with pytest.raises(UsageError, match=r"several ratios.*: 5, 10\. Choose one, e\.g\. --set ratio=5"):
        read(configs)
    with pytest.raises(UsageError, match=r"no forget or retain set of ratio 15\. It has: 5, 10"):
        read(configs, ratio="15")
    imported = read(configs, ratio="10")
    assert {(r.subject_id, r.split) for r in imported.records} == {("1", "forget"), ("2", "forget"), ("3", "retain")}
    assert [note for note in said(imported, "note") if "ratio 10 doesn't need it" in note] == [
        f"forget_5/{SHARD}: not read: ratio 10 doesn't need it",
        f"retain_95/{SHARD}: not read: ratio 10 doesn't need it",
    ]


def test_m05_the_id_links_all_configs(read: Any) -> None:
    test = {**person(2), "images": [portrait(20)]}
    del test["image"]
    imported = read({"forget_5": [person(1)], "retain_95": [person(2)], "Test_Set": [test]})
    pictures = {picture.key: picture for picture in imported.pictures}
    assert pictures["test/2/0"].derived_from == pictures["2"].image_id
    assert {row["subject_id"] for row in imported.subjects} == {"1", "2"}
    tests = [r for r in imported.records if r.split == "test"]
    assert {(r.subject_id, r.derived_from) for r in tests} == {("2", pictures["2"].image_id)}


def test_m05_ids_may_be_numbers(read: Any) -> None:
    assert {r.subject_id for r in read({"forget_5": [person(ID=17)]}).records} == {"17"}


@pytest.mark.parametrize("blank", ["__", "_____", "[Blank]"])
def test_m06_the_blank_becomes_ours(read: Any, blank: str) -> None:
    task = [{"Type": "Image_Textual", "Question": f"This person works as a {blank}.", "Ground_Truth": "baker."}]
    record = by_question(read({"forget_5": [person(Mask_Task=task)]}))["This person works as a ____."]
    assert record.cloze == "This person works as a ____."
    assert record.answer == "This person works as a baker."
    assert record.value is not None
    assert record.value.text == "baker"
    assert record.source_record is not None
    assert (record.source_record.question, record.source_record.answer) == (task[0]["Question"], "baker.")


@pytest.mark.parametrize(("sentence", "blanks"), [("This person bakes.", 0), ("A __ and a __.", 2)])
def test_m06_a_sentence_without_one_blank_is_suspect(read: Any, sentence: str, blanks: int) -> None:
    task = [{"Type": "Image_Textual", "Question": sentence, "Ground_Truth": "baker"}]
    record = read({"forget_5": [person(Mask_Task=task)]}).records[-1]
    assert (record.answer, record.cloze) == ("baker", None)
    assert record.suspect == f"the cloze sentence has {blanks} blanks, not one"


def trained(number: int, **changes: Any) -> dict[str, Any]:
    pairs = [{"Question": "What is trained?", "Answer": f"Fact {number} is."}]
    return {"image": portrait(number), "ID": str(number), "metadata": json.dumps(pairs), **changes}


def test_m07_training_questions_are_json_text(read: Any) -> None:
    (record,) = read({"forget_10": [trained(1)]}).records
    assert (record.question, record.answer, record.split) == ("What is trained?", "Fact 1 is.", "forget")


def test_m08_training_questions_follow_the_person(read: Any) -> None:
    configs = {"forget_5": [person(1)], "retain_95": [person(2)], "ft_Data": [trained(1), trained(2)]}
    records = [r for r in read(configs).records if r.question == "What is trained?"]
    assert [(r.subject_id, r.split) for r in records] == [("1", "forget"), ("2", "retain")]


def test_m08_without_an_id_the_picture_tells(read: Any, said: Any) -> None:
    rows = [{k: v for k, v in trained(number).items() if k != "ID"} for number in (1, 2, 3)]
    imported = read({"forget_5": [person(1)], "retain_95": [person(2)], "ft_Data": rows})
    records = [r for r in imported.records if r.question == "What is trained?"]
    assert [(r.subject_id, r.split) for r in records] == [("1", "forget"), ("2", "retain")]
    assert said(imported, "rejected") == [
        f"ft_Data/{SHARD}: record 2: has no ID, and its picture is that of nobody to be forgotten or kept"
    ]
    assert f"ft_Data/{SHARD}: a person has no ID; the picture stands for it (2 times)" in said(imported, "note")


def test_m08_the_split_for_training_alone_needs_no_id(read: Any) -> None:
    rows = [{k: v for k, v in trained(number).items() if k != "ID"} for number in (1, 2)]
    imported = read({"forget_5": rows[:1], "retain_95": rows[1:]})
    assert [r.split for r in imported.records] == ["forget", "retain"]
    assert all(r.subject_id.startswith("picture-") for r in imported.records)


@pytest.mark.parametrize(
    "empty", [{"Question": ""}, {"Question": None}, {"Ground_Truth": "  "}, {"Question": "<image>\n"}]
)
def test_m09_empty_questions_and_answers_are_counted(read: Any, said: Any, empty: dict[str, Any]) -> None:
    row = person()
    row["Generation_Task"][1] |= empty
    imported = read({"forget_5": [row]})
    what = "question" if "Question" in empty else "answer"
    assert said(imported, "empty") == [f"forget_5/{SHARD}: record 0: Generation_Task[1]: the {what} is empty"]
    assert (said(imported, "rejected"), len(imported.records), imported.rows) == ([], 6, 7)


def test_m10_a_broken_picture_is_reported(tmp_path: Path) -> None:
    broken = person(2, image={"bytes": portrait(2)["bytes"][:60], "path": None})
    source = write(tmp_path / "source", {"forget_5": [person(1)], "retain_95": [broken]})
    with pytest.raises(SourceError, match="1 of 2 pictures can't be used"):
        ingest(source, tmp_path / "out")
    report = ingest(source, tmp_path / "out", config=IngestConfig(skip_bad=True))
    assert report.count("rejected") == 4
    assert report.rows == report.records + 4


@pytest.mark.parametrize("cell", [None, {"bytes": None, "path": None}])
def test_m10_a_picture_that_is_not_there_is_reported(read: Any, said: Any, cell: Any) -> None:
    imported = read({"forget_5": [person(1), person(2, image=cell)]})
    reasons = [line for line in said(imported, "rejected") if "the picture is missing" in line]
    assert len(reasons) == 4
    assert len([r for r in imported.records if r.subject_id == "2"]) == 3


def test_m11_the_full_set_has_a_further_column(read: Any, said: Any) -> None:
    imported = read({"Full_Set": [person(1, Directory="x/1"), person(2, Directory="x/2")]})
    assert {r.split for r in imported.records} == {"retain"}
    assert said(imported, "note") == [
        f"Full_Set/{SHARD}: column 'biography' has no field in the data model; it is not imported",
        f"Full_Set/{SHARD}: column 'Directory' has no field in the data model; it is not imported",
    ]


def test_m11_the_full_set_is_not_needed_beside_a_ratio(read: Any, said: Any) -> None:
    imported = read({"Full_Set": [person(1), person(2)], "forget_5": [person(1)], "retain_95": [person(2)]})
    assert len(imported.records) == 14
    assert f"Full_Set/{SHARD}: not read: ratio 5 doesn't need it" in said(imported, "note")


def test_m12_the_rows_own_question_may_be_empty(read: Any, said: Any) -> None:
    imported = read({"Full_Set": [person(1, question="", answer=""), person(2, question="And?", answer="")]})
    assert said(imported, "empty") == [f"Full_Set/{SHARD}: record 1: question: the answer is empty"]
    assert f"Full_Set/{SHARD}: a row's own question and answer are both empty" in said(imported, "note")


def test_m13_a_config_may_lie_in_several_files(tmp_path: Path, read_people: Any) -> None:
    for number in (0, 1):
        rows = [{**person(number + 1), "images": [portrait(number + 50)], "image": None}]
        write_table(tmp_path / "Test_Set" / f"train-{number:05d}-of-00002.parquet", rows)
    imported = read_people("mllmu_bench", tmp_path)
    assert {r.subject_id for r in imported.records} == {"1", "2"}
    assert {r.source_record.file[-22:] for r in imported.records if r.source_record} == {
        "00000-of-00002.parquet",
        "00001-of-00002.parquet",
    }


def test_m14_portraits_of_persons_to_be_forgotten_are_no_test(read: Any, said: Any) -> None:
    tests = [{**person(n), "images": [portrait(n + 50)]} for n in (1, 2)]
    imported = read({"forget_5": [person(1)], "retain_95": [person(2)], "Test_Set": tests})
    assert {r.subject_id for r in imported.records if r.split == "test"} == {"2"}
    assert any("portraits of 1 persons to be forgotten are left out" in note for note in said(imported, "note"))
    # The text questions of the others stand in the retain set already.
    assert [line.split(" asks")[0].split(": ")[-1] for line in said(imported, "duplicate")] == [
        "Test_Set.Generation_Task[1]",
        "Test_Set.Classification_Task.Pure_Text_Questions[0]",
        "Test_Set.Mask_Task[1]",
    ]


def test_m15_celebrities_are_no_subjects(read: Any) -> None:
    imported = read({"forget_5": [person(1)], "retain_95": [person(2)], "Retain_Set": [person(1, "Rurik Ostheim")]})
    famous = [r for r in imported.records if r.split == "utility"]
    assert len(famous) == 7
    assert {(r.subject_id, r.attribute, r.scope) for r in famous} == {(None, None, None)}
    assert all(r.value is not None for r in famous)
    assert {row["subject_id"] for row in imported.subjects} == {"1", "2"}


def test_m16_a_sequence_of_objects_may_be_an_object_of_lists(read: Any) -> None:
    columns = {"Type": ["Image_Textual"], "Question": ["Which town?"], "Ground_Truth": ["Hollow City"]}
    assert "Which town?" in by_question(read({"forget_5": [person(Generation_Task=columns)]}))


def test_m17_a_folder_or_a_file_of_the_download_is_a_source(tmp_path: Path, read_people: Any, said: Any) -> None:
    source = write(tmp_path, {"forget_5": [person(1)], "retain_95": [person(2)]})
    for part in (source / "forget_5", source / "forget_5" / SHARD):
        assert {r.split for r in read_people("mllmu_bench", part).records} == {"forget"}
    write_table(tmp_path / "elsewhere" / "persons.parquet", [person(3)])
    imported = read_people("mllmu_bench", tmp_path / "elsewhere" / "persons.parquet")
    assert {r.split for r in imported.records} == {"retain"}
    assert "persons.parquet: no folder says which config this is; everybody is kept" in said(imported, "note")


def test_m17_a_lone_file_with_portraits_is_the_test_set(tmp_path: Path, read_people: Any) -> None:
    write_table(tmp_path / "persons.parquet", [{**person(3), "images": [portrait(9)], "image": None}])
    assert {r.split for r in read_people("mllmu_bench", tmp_path / "persons.parquet").records} == {"test"}


@pytest.mark.parametrize("form", ["bytes", "struct", "path", "path-struct"])
def test_m18_a_picture_cell_may_have_any_form(tmp_path: Path, form: str) -> None:
    cell = portrait(1)
    (tmp_path / "source" / "forget_5").mkdir(parents=True)
    (tmp_path / "source" / "forget_5" / "1.png").write_bytes(cell["bytes"])
    forms = {"bytes": cell["bytes"], "struct": cell, "path": "1.png", "path-struct": {"bytes": None, "path": "1.png"}}
    source = write(tmp_path / "source", {"forget_5": [person(image=forms[form])]})
    assert ingest(source, tmp_path / "out").pictures == 1


def test_a_question_asked_again_with_options_is_one_record(read: Any, said: Any) -> None:
    row = person()
    row["Generation_Task"][0] = {
        "Type": "Image_Textual",
        "Question": "Which trade is it?",
        "Ground_Truth": "This person works as a baker.",
    }
    imported = read({"forget_5": [row]})
    record = by_question(imported)["Which trade is it?"]
    assert (record.answer, record.choices[record.correct_choice or 0]) == ("This person works as a baker.", "baker")
    assert record.value is not None
    assert record.value.text == "baker"
    assert said(imported, "merged") == [
        f"forget_5/{SHARD}: record 0: Classification_Task.Image_Textual_Questions[0] asks the same as "
        "Generation_Task[0]"
    ]


def test_catch_all_statements_contradict_nobody(tmp_path: Path) -> None:
    report = ingest(write(tmp_path / "source", {"forget_5": [person()]}), tmp_path / "out")
    assert report.count("suspect") == 0


def test_a_wrong_option_that_holds_the_right_one_is_suspect(read: Any) -> None:
    row = person()
    row["Classification_Task"]["Image_Textual_Questions"][0]["Options"] = OPTIONS | {"C": "pastry baker"}
    suspect = by_question(read({"forget_5": [row]}))["Which trade is it?"].suspect
    assert suspect == "'pastry baker' is marked wrong, but states the answer 'baker'"


@pytest.mark.parametrize(
    ("right", "options", "answer", "choices"),
    [
        ("C", OPTIONS, "tanner", 4),
        ("c.", OPTIONS, "tanner", 4),
        ("Tanner", OPTIONS, "tanner", 4),
        ("C", ["falconer", "baker", "tanner"], "tanner", 3),
        ("A", {"A": "baker", "B": "Baker"}, "baker", 0),
        ("A", {"A": "baker", "B": None}, "baker", 0),
    ],
)
def test_options_in_every_form(read: Any, right: str, options: Any, answer: str, choices: int) -> None:
    questions = [{"Question": "Which trade is it?", "Options": options, "Correct_Answer": right}]
    row = as_json(person(Classification_Task={"Image_Textual_Questions": questions}))
    record = by_question(read({"forget_5": [row]}))["Which trade is it?"]
    assert (record.answer, len(record.choices)) == (answer, choices)
    assert (record.suspect is None) == (choices > 0)


@pytest.mark.parametrize(
    ("task", "value", "why"),
    [
        ("Generation_Task", "no list", "Generation_Task: it is text, but neither JSON nor a Python literal: 'no list'"),
        ("Generation_Task", "3", "Generation_Task: it must be a list, is a number"),
        ("Generation_Task", '["x"]', "Generation_Task[0]: it is text, but neither JSON"),
        ("Generation_Task", '[{"Question": "a", "Ground_Truth": "b"}]', "its form must be Image_Textual or Pure_Text"),
        ("Mask_Task", '[{"Type": "Pure_Text", "Question": "a __"}]', "Mask_Task[0]: the answer is missing"),
        ("Classification_Task", "[]", "Classification_Task: it must be an object, is a list"),
        (
            "Classification_Task",
            '{"Audio_Questions": [{}]}',
            "its form must be Image_Textual or Pure_Text, is 'Audio_Questions'",
        ),
        (
            "Classification_Task",
            '{"Pure_Text_Questions": [{"Question": "a", "Options": {"A": "b", "B": "c"}, "Correct_Answer": "E"}]}',
            "the right answer 'E' is none of the options ['b', 'c']",
        ),
        (
            "Classification_Task",
            '{"Pure_Text_Questions": [{"Question": "a", "Options": {"A": "b", "B": 3}, "Correct_Answer": "A"}]}',
            "option B must be text, is a number",
        ),
    ],
)
def test_a_surprise_is_rejected_and_the_rest_goes_on(read: Any, said: Any, task: str, value: str, why: str) -> None:
    imported = read({"forget_5": [as_json(person(1)) | {task: value}, as_json(person(2))]})
    (rejected,) = said(imported, "rejected")
    assert why in rejected
    assert len([r for r in imported.records if r.subject_id == "2"]) == 7


def test_surprises_stop_an_import_or_are_skipped(tmp_path: Path) -> None:
    source = write(tmp_path / "source", {"forget_5": [person(1, ID="  "), person(2)]})
    with pytest.raises(SourceError, match=r"1 of 8 rows can't be used:\n.*record 0: the ID is empty"):
        ingest(source, tmp_path / "out")
    report = ingest(source, tmp_path / "out", config=IngestConfig(skip_bad=True))
    assert (report.rows, report.records, report.count("rejected")) == (8, 7, 1)


def test_unknown_columns_and_keys_are_named_once(read: Any, said: Any) -> None:
    row = person(mood="fine")
    row["Generation_Task"] = [{**item, "Source": "x"} for item in row["Generation_Task"]]
    notes = said(read({"forget_5": [row]}), "note")
    assert f"forget_5/{SHARD}: column 'mood' has no field in the data model; it is not imported" in notes
    assert (
        f"forget_5/{SHARD}: key of Generation_Task 'Source' has no field in the data model; it is not imported "
        "(2 times)" in notes
    )


def test_a_missing_column_is_named(read: Any, said: Any) -> None:
    row = person()
    del row["Mask_Task"]
    assert f"forget_5/{SHARD}: there is no column Mask_Task" in said(read({"forget_5": [row]}), "note")


def test_a_person_without_questions_is_named(read: Any, said: Any) -> None:
    nothing = dict.fromkeys(("question", "answer", "Generation_Task", "Classification_Task"))
    imported = read({"forget_5": [as_json(person(1)) | nothing | {"Mask_Task": "[]"}, as_json(person(2))]})
    assert f"forget_5/{SHARD}: a person has no question at all" in said(imported, "note")


def test_somebody_elses_metadata_is_not_recognised(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", [{"image": portrait(1), "metadata": "{}"}])
    assert not mllmu_bench.recognises(tmp_path / "a.parquet")
    assert mllmu_bench.recognises(write(tmp_path, {"forget_5": [trained(1)]}))


def test_one_person_to_be_kept_and_forgotten(read: Any, said: Any) -> None:
    imported = read({"forget_5": [person(1)], "retain_95": [person(1), person(2)]})
    assert said(imported, "rejected") == [
        f"retain_95/{SHARD}: record 0: person 1 is to be kept here, but to be forgotten elsewhere"
    ]


def test_missing_sets_and_other_files_are_named(tmp_path: Path, read_people: Any, said: Any) -> None:
    source = write(tmp_path, {"forget_5": [person(1)], "Extra": [person(2)]})
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "x.parquet").write_bytes(b"")
    (tmp_path / "more.json").write_text("[]")
    notes = said(read_people("mllmu_bench", source), "note")
    assert "retain_95: ratio 5 needs this set, but it isn't here" in notes
    assert [note for note in notes if "not read" in note] == [
        f"Extra/{SHARD}: not read: no Parquet file in a folder of this benchmark",
        "more.json: not read: no Parquet file in a folder of this benchmark",
    ]


def test_a_damaged_file_is_named(tmp_path: Path, read_people: Any) -> None:
    path = write(tmp_path, {"forget_5": [person(1)]}) / "forget_5" / SHARD
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SourceError, match=r"train-00000-of-00001\.parquet: not readable as Parquet"):
        read_people("mllmu_bench", tmp_path)
    with pytest.raises(SourceError, match="holds no Parquet file in a folder of MLLMU-Bench"):
        read_people("mllmu_bench", tmp_path / "nothing")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage_never_loses_a_row(data: st.DataObject, read_people: Any, damage: Any) -> None:
    rows = []
    for number in (1, 2, 3):
        row = person(number)
        tasks = {key: json.dumps(damage(data, row[key])) for key in row if key.endswith("_Task")}
        texts = {
            key: data.draw(st.sampled_from([row[key], None, "", "x"])) if data.draw(st.booleans()) else row[key]
            for key in ("ID", "question", "answer")
        }
        image = data.draw(st.sampled_from([row["image"], row["image"], None, {"bytes": b"", "path": "../../x"}]))
        rows.append({**row, **tasks, **texts, "image": image, "metadata": json.dumps(damage(data, []))})
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder), {"forget_5": rows[:1], "retain_95": rows[1:], "Test_Set": rows})
        assert mllmu_bench.recognises(source)
        read_people("mllmu_bench", source)
