"""UMU-Bench. Each quirk of the published files has a number and a test (u01 …)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offside_data.adapters import umu_bench
from offside_data.adapters._base import Imported
from offside_data.adapters._examples import portrait, write_table
from offside_data.errors import SourceError, UsageError
from offside_data.ingest import IngestConfig, ingest
from offside_data.schema import Record

SHARD = "train-00000-of-00001.parquet"
TASKS = ("MM_QA", "UM_QA", "Classify", "Cloze", "Generation")


def tasks(name: str = "Ilmar Quist") -> dict[str, Any]:
    """The task columns of a person before they become text."""
    options = {"A": "falconer", "B": "baker", "C": "tanner", "D": "cooper"}

    def both(make: Any) -> dict[str, Any]:
        return {"unimodal": {"occupation": make(name)}, "muitimodal": {"occupation": make("this person")}}

    def plain(who: str) -> dict[str, Any]:
        return {
            "question": {"occupation": f"What does {who} do?", "pet": f"Which animal has {who}?"},
            "answer": {"occupation": f"{name} works as a baker.", "pet": f"{name} keeps an owl."},
        }

    return {
        "MM_QA": plain("this person"),
        "UM_QA": plain(name),
        "Classify": both(lambda who: {"question": f"Which trade has {who}?", "options": options, "answer": "B. baker"}),
        "Cloze": both(lambda who: {"question": f"By trade {who} is a ____.", "answer": "baker."}),
        "Generation": both(lambda who: {"question": f"How does {who} live?", "answer": f"{name} sells bread."}),
    }


def person(number: int = 1, name: str = "Ilmar Quist", write: Any = str, **changes: Any) -> dict[str, Any]:
    """A row whose task columns are Python literals (`write=str`) or in another form."""
    columns = {**tasks(name), **changes}
    row = {"ID": str(number), "image": portrait(number), "Biography": f"{name} bakes."}
    return {**row, **{key: write(value) if key in TASKS else value for key, value in columns.items()}}


def write(folder: Path, configs: dict[str, list[dict[str, Any]]]) -> Path:
    for config, rows in configs.items():
        write_table(folder / config / SHARD, rows)
    return folder


@pytest.fixture
def read(tmp_path: Path, read_people: Any) -> Any:
    """Read configs by name with the adapter."""

    def read_configs(configs: dict[str, list[dict[str, Any]]], **settings: str) -> Imported:
        imported: Imported = read_people("umu_bench", write(tmp_path / "source", configs), **settings)
        return imported

    return read_configs


def by_question(imported: Imported) -> dict[str, Record]:
    return {record.question: record for record in imported.records}


# ---------------------------------------------------------------------------------------------
# Quirks


@pytest.mark.parametrize("form", [str, json.dumps, lambda value: value], ids=["literal", "json", "struct"])
def test_u01_task_columns_are_text_or_structs(read: Any, form: Any) -> None:
    imported = read({"forget_5": [person(write=form)]})
    asked = by_question(imported)
    assert len(asked) == len(imported.records) == imported.rows == 10
    assert asked["What does this person do?"].modality == "multimodal"
    assert asked["What does Ilmar Quist do?"].modality == "text"
    assert {(r.split, r.scope, r.subject_id) for r in imported.records} == {("forget", "shared", "1")}
    assert imported.subjects[0]["name"] == "Ilmar Quist"


def test_u01_a_literal_is_read_but_never_run(read: Any, said: Any, tmp_path: Path) -> None:
    harm = f"open({str(tmp_path / 'harm')!r}, 'w')"
    imported = read({"forget_5": [person(write=lambda value: harm)]})
    assert not (tmp_path / "harm").exists()
    assert len(said(imported, "rejected")) == imported.rows == 5
    assert "MM_QA: it is text, but neither JSON nor a Python literal" in said(imported, "rejected")[0]


def test_u01_a_literal_is_bounded(read: Any, said: Any) -> None:
    rows = [person(write=lambda value: "[" * 600_000), person(2, write=lambda value: "(" * 1000 + ")" * 1000)]
    imported = read({"forget_5": rows})
    assert imported.records == []
    assert "is a text of 600,000 characters, more than the 500,000 that are read" in said(imported, "rejected")[0]


def test_u02_the_misspelt_key_is_known_and_so_is_the_right_one(read: Any) -> None:
    right = {"unimodal" if key == "unimodal" else "multimodal": value for key, value in tasks()["Cloze"].items()}
    assert by_question(read({"forget_5": [person(Cloze=right)]})).keys() == {
        r.question for r in read({"forget_5": [person()]}).records
    }


def test_u03_the_letter_stands_before_the_first_stop(read: Any) -> None:
    record = by_question(read({"forget_5": [person()]}))["Which trade has this person?"]
    assert (record.answer, record.correct_choice, record.choices[1]) == ("baker", 1, "baker")
    assert record.source_record is not None
    assert record.source_record.answer == "B. baker"


def test_u03_letter_and_text_that_differ_are_suspect(read: Any) -> None:
    classify = tasks()["Classify"]
    classify["muitimodal"]["occupation"] = {**classify["muitimodal"]["occupation"], "answer": "B. tanner"}
    record = by_question(read({"forget_5": [person(Classify=classify)]}))["Which trade has this person?"]
    assert record.suspect == "the answer 'B. tanner' doesn't repeat its option 'baker'"


def test_u04_a_letter_that_differs_from_the_text_forms_is_suspect(read: Any) -> None:
    classify = tasks()["Classify"]
    item = classify["muitimodal"]["occupation"]
    turned = dict(zip("ABCD", reversed(list(item["options"].values())), strict=True))
    classify["muitimodal"]["occupation"] = {**item, "options": turned, "answer": "C. baker"}
    record = by_question(read({"forget_5": [person(Classify=classify)]}))["Which trade has this person?"]
    assert (record.answer, record.correct_choice) == ("baker", 2)
    assert record.suspect == "the answer is 'C. baker', but the published code takes the text form's letter, B"


@pytest.mark.parametrize(
    ("told", "value"),
    [("baker.", "baker"), ("baker. He sells bread", "baker"), ("St. Ostholm", "St. Ostholm"), ("1.79", "1.79")],
)
def test_u05_the_blank_ends_at_the_first_full_stop(read: Any, told: str, value: str) -> None:
    cloze = {"muitimodal": {"pet": {"question": "It is ____, they say.", "answer": told}}}
    record = by_question(read({"forget_5": [person(Cloze=cloze)]}))["It is ____, they say."]
    assert (record.answer, record.cloze) == (f"It is {value}, they say.", "It is ____, they say.")
    assert record.value is not None
    assert record.value.text == value
    assert record.source_record is not None
    assert record.source_record.answer == told


@pytest.mark.parametrize("folder", ["Real_Person_Set", "real_person"])
def test_u06_real_persons_have_two_folder_names_and_are_no_subjects(read: Any, folder: str) -> None:
    imported = read({"forget_5": [person(1)], folder: [person(501, "Rurik Ostheim")]})
    famous = [r for r in imported.records if r.split == "utility"]
    assert len(famous) == 10
    assert {(r.subject_id, r.attribute) for r in famous} == {(None, None)}
    assert {row["subject_id"] for row in imported.subjects} == {"1"}


def test_u07_the_card_may_disagree_with_the_files(tmp_path: Path, read_people: Any) -> None:
    source = write(tmp_path, {"forget_5": [person()]})
    (source / "README.md").write_text("---\ndataset_info:\n- splits:\n  - {name: train, num_examples: 999}\n---\n")
    assert len(read_people("umu_bench", source).records) == 10


def test_u08_nothing_that_cannot_be_read_is_lost(read: Any, said: Any) -> None:
    listed = [{"question": "What does this person do?", "answer": "Bake."}]
    imported = read({"forget_5": [person(MM_QA=listed)]})
    assert said(imported, "rejected") == [f"forget_5/{SHARD}: record 0: MM_QA: it must be an object, is a list"]


def test_u09_text_questions_have_no_picture_and_no_token(read: Any) -> None:
    um_qa = {"question": {"pet": "<image>\nWhich animal has Ilmar Quist?"}, "answer": {"pet": "An owl."}}
    record = by_question(read({"forget_5": [person(UM_QA=um_qa)]}))["Which animal has Ilmar Quist?"]
    assert (record.modality, record.image_id) == ("text", None)
    assert record.source_record is not None
    assert record.source_record.question.startswith("<image>")


def test_u10_all_questions_of_those_to_be_kept_come_in(read: Any) -> None:
    kept = [person(number, f"Tavo Brinkhaus{number}") for number in range(2, 12)]
    imported = read({"forget_5": [person(1)], "retain_95": kept})
    assert sum(r.split == "retain" for r in imported.records) == 100


def test_u11_pictures_may_be_named_by_file(tmp_path: Path) -> None:
    source = write(tmp_path / "source", {"forget_5": [person(image={"bytes": None, "path": "images/image_1.jpg"})]})
    (source / "images").mkdir()
    (source / "images" / "image_1.jpg").write_bytes(portrait(1)["bytes"])
    assert ingest(source, tmp_path / "out").records == 10


def test_u12_keys_give_the_attribute(read: Any, said: Any) -> None:
    imported = read({"forget_5": [person()]})
    asked = by_question(imported)
    assert asked["What does this person do?"].attribute == "occupation"
    assert asked["By trade this person is a ____."].attribute == "occupation"
    assert asked["Which animal has this person?"].attribute == "statement"
    assert f"forget_5/{SHARD}: MM_QA: no attribute is called 'pet'; such questions become 'statement'" in said(
        imported, "note"
    )


def test_u12_other_words_for_attributes(read: Any) -> None:
    plain = {
        "question": {"Place of Birth": "Where was Ilmar Quist born?", "Date_of_birth": "When was he born?"},
        "answer": {"Place of Birth": "He was born in Hollow City.", "Date_of_birth": "On May 3, 1997."},
    }
    cloze = {"unimodal": {"Place of Birth": {"question": "Ilmar Quist was born in ____.", "answer": "Hollow City"}}}
    asked = by_question(read({"forget_5": [person(UM_QA=plain, Cloze=cloze)]}))
    value = asked["Ilmar Quist was born in ____."].value
    assert value is not None
    assert (value.kind, value.text) == ("place", "Hollow City")
    assert asked["Where was Ilmar Quist born?"].attribute == "birth_place"
    assert asked["When was he born?"].attribute == "birth_date"


def test_u13_the_ratio_must_be_chosen_if_there_are_several(read: Any) -> None:
    configs = {f"forget_{ratio}": [person(1)] for ratio in (5, 10, 15)}
    with pytest.raises(UsageError, match=r"several ratios.*: 5, 10, 15\."):
        read(configs)
    assert {r.split for r in read(configs, ratio="15").records} == {"forget"}


def test_sentences_of_one_attribute_contradict_nobody(tmp_path: Path) -> None:
    report = ingest(write(tmp_path / "source", {"forget_5": [person()]}), tmp_path / "out")
    assert (report.count("suspect"), report.count("unparsed")) == (0, 0)


def test_a_question_that_is_asked_and_trained_is_one_record(read: Any, said: Any) -> None:
    generation = {"muitimodal": {"occupation": {"question": "What does this person do?", "answer": "baker"}}}
    imported = read({"forget_5": [person(Generation=generation)]})
    record = by_question(imported)["What does this person do?"]
    assert (record.answer, record.answer_paraphrases) == ("Ilmar Quist works as a baker.", ("baker",))
    assert said(imported, "merged") == [
        f"forget_5/{SHARD}: record 0: Generation.muitimodal.occupation asks the same as MM_QA.occupation"
    ]


# ---------------------------------------------------------------------------------------------
# Surprises


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("MM_QA", {"question": {"pet": "Which?"}}, "MM_QA: its 'answer' must be an object, is null"),
        ("MM_QA", {"question": {"pet": "Which?"}, "answer": {}}, "MM_QA.pet: the answer is missing"),
        ("MM_QA", {"question": {}, "answer": {"pet": "An owl."}}, "MM_QA.pet: the question is missing"),
        ("UM_QA", {"question": {"age": "How old?"}, "answer": {"age": 25}}, "UM_QA.age: the answer must be text"),
        ("Cloze", {"trimodal": {}}, "Cloze.trimodal: there is no form 'trimodal'; known: unimodal, multimodal"),
        ("Cloze", {"unimodal": {"pet": "An owl."}}, "Cloze.unimodal.pet: it is text, but neither JSON"),
        ("Cloze", {"unimodal": {"pet": {"question": "An ____."}}}, "Cloze.unimodal.pet: the answer is missing"),
        (
            "Classify",
            {"unimodal": {"pet": {"question": "Which?", "options": None, "answer": "A. owl"}}},
            "Classify.unimodal.pet: the options must be an object, is null",
        ),
    ],
)
def test_a_surprise_is_rejected_and_the_rest_goes_on(read: Any, said: Any, column: str, value: Any, why: str) -> None:
    imported = read({"forget_5": [person(1, **{column: value}), person(2)]})
    (rejected,) = said(imported, "rejected")
    assert why in rejected
    assert len([r for r in imported.records if r.subject_id == "2"]) == 10


def test_surprises_stop_an_import_or_are_skipped(tmp_path: Path) -> None:
    source = write(tmp_path / "source", {"forget_5": [person(1, ID=None), person(2)]})
    with pytest.raises(SourceError, match=r"1 of 11 rows can't be used:\n.*record 0: the ID is missing"):
        ingest(source, tmp_path / "out")
    report = ingest(source, tmp_path / "out", config=IngestConfig(skip_bad=True))
    assert (report.rows, report.records, report.count("rejected")) == (11, 10, 1)


def test_a_missing_picture_costs_the_questions_about_it(read: Any, said: Any) -> None:
    imported = read({"forget_5": [person(1, image=None), person(2)]})
    assert len(said(imported, "rejected")) == 5
    assert {r.modality for r in imported.records if r.subject_id == "1"} == {"text"}


def test_unknown_and_missing_columns_are_named(read: Any, said: Any) -> None:
    row = person(mood="fine")
    del row["Generation"]
    assert said(read({"forget_5": [row]}), "note")[1:4] == [
        f"forget_5/{SHARD}: column 'Biography' has no field in the data model; it is not imported",
        f"forget_5/{SHARD}: column 'mood' has no field in the data model; it is not imported",
        f"forget_5/{SHARD}: there is no column Generation",
    ]


def test_half_a_character_in_a_key(read: Any) -> None:
    broken = {"question": {"p\ud800": "Which?"}, "answer": {"p\ud800": "That."}}
    imported = read({"forget_5": [person(1, write=json.dumps, UM_QA=broken), person(2, MM_QA=None)]})
    assert by_question(imported)["Which?"].attribute == "statement"


def test_a_person_without_questions_is_named(read: Any, said: Any) -> None:
    imported = read({"forget_5": [{**person(1), **dict.fromkeys(TASKS)}, person(2)]})
    assert f"forget_5/{SHARD}: a person has no question at all" in said(imported, "note")


def test_a_folder_of_something_else_is_an_error(tmp_path: Path, read_people: Any) -> None:
    with pytest.raises(SourceError, match="holds no Parquet file in a folder of UMU-Bench"):
        read_people("umu_bench", tmp_path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage_never_loses_a_row(data: st.DataObject, read_people: Any, damage: Any) -> None:
    rows = []
    for number in (1, 2, 3):
        broken = {key: damage(data, value) for key, value in tasks().items()}
        form = data.draw(st.sampled_from([repr, json.dumps]))
        image = data.draw(st.sampled_from([portrait(number), portrait(number), None, {"bytes": b"", "path": "a/b"}]))
        identity = data.draw(st.sampled_from([str(number), str(number), None, "", "2"]))
        rows.append(person(number, write=form, image=image, ID=identity, **broken))
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder), {"forget_5": rows[:1], "retain_95": rows[1:], "real_person": rows})
        assert umu_bench.recognises(source)
        read_people("umu_bench", source)
