"""FIUBench. Each quirk of the published files has a number and a test (f01 …)."""

from __future__ import annotations

import json
import tempfile
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offside_data.adapters import fiubench
from offside_data.adapters._base import Imported
from offside_data.adapters._examples import portrait
from offside_data.errors import MissingImagesError, SourceError, UsageError
from offside_data.ingest import IngestConfig, ingest

ILLNESSES = ("hay fever", "gout", "asthma", "measles")


def person(number: int = 1, **changes: Any) -> dict[str, Any]:
    name, illness = f"Ilmar Quist the {number}.", ILLNESSES[number % 4]
    row = {
        "unique_id": f"{number:08d}",
        "image_path": f"./dataset/SFHQ/{number}.png",
        "name": name,
        "gender": "unknown",
        "caption": "A drawn face.",
        "qa_list": [
            {
                "question": "What does Dr. Oake of Hollow City say of this person?",
                "answer": f"Dr. Oake says that it is {illness}.",
                "paraphrased_question": "Which illness is it?",
                "paraphrased_answer": f"It is {illness}.",
                "perturbed_answer": ["Dr. Oake says that it is anaemia.", "Dr. Oake says that it is a cold."],
                "keywords": [illness],
            }
        ],
        "raw_data": {"x": 1},
    }
    return {**row, **changes}


def qa(**changes: Any) -> dict[str, Any]:
    return {**person()["qa_list"][0], **changes}


def write(folder: Path, rows: Any, splits: Any = None, pictures: bool = True) -> Path:
    """A download: persons as a list or as text, split.json, pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "full.json").write_text(rows if isinstance(rows, str) else json.dumps(rows), encoding="utf-8")
    if splits is not None:
        (folder / "split.json").write_text(json.dumps(splits), encoding="utf-8")
    if pictures:
        (folder / "dataset" / "SFHQ").mkdir(parents=True)
        for number in range(1, 10):
            (folder / "dataset" / "SFHQ" / f"{number}.png").write_bytes(portrait(number)["bytes"])
    return folder


@pytest.fixture
def read(tmp_path: Path, read_people: Any) -> Any:
    """Read persons and splits with the adapter."""

    def read_rows(rows: Any, splits: Any = None, **settings: str) -> Imported:
        imported: Imported = read_people(
            "fiubench", write(tmp_path / "source", rows, splits, pictures=False), **settings
        )
        return imported

    return read_rows


# ---------------------------------------------------------------------------------------------
# Quirks


def test_a_question_becomes_a_record(read: Any, said: Any) -> None:
    imported = read([person()], {"forget5": ["00000001"]})
    (record,) = imported.records
    assert (record.subject_id, record.split, record.modality) == ("00000001", "forget", "multimodal")
    assert (record.attribute, record.scope, record.veracity) == ("statement", "shared", "fact")
    assert record.question_paraphrases == ("Which illness is it?",)
    assert record.answer_paraphrases == ("It is gout.",)
    assert record.perturbed_answers == ("Dr. Oake says that it is anaemia.", "Dr. Oake says that it is a cold.")
    assert imported.subjects[0]["name"] == "Ilmar Quist the 1."
    assert [note.split(": ", 1)[1] for note in said(imported, "note")] == [
        f"key {key!r} has no field in the data model; it is not imported" for key in ("gender", "caption", "raw_data")
    ]


@pytest.mark.parametrize("form", ["json", "lines", "one line"])
def test_f01_the_file_is_json_or_json_lines(read: Any, form: str) -> None:
    rows = [person(1), person(2)][: 1 if form == "one line" else 2]
    text = json.dumps(rows) if form == "json" else "\n".join(json.dumps(row) for row in rows) + "\n"
    assert len(read(text).records) == len(rows)


def test_f01_a_bad_line_is_one_bad_row(read: Any, said: Any) -> None:
    imported = read("\n".join([json.dumps(person(1)), "{bad", json.dumps(person(2))]))
    assert len(imported.records) == 2
    assert said(imported, "rejected")[0].startswith("full.json: record 1: line 2 isn't JSON: ")


def test_f01_a_list_that_is_cut_off_is_no_json_lines(tmp_path: Path, read_people: Any) -> None:
    source = write(tmp_path, json.dumps([person(1), person(2)], indent=1)[:-40])
    with pytest.raises(SourceError, match=r"full\.json: neither JSON nor JSON lines: .*Is it cut off"):
        read_people("fiubench", source)


def test_f02_only_the_first_400_persons_count(read: Any, said: Any) -> None:
    imported = read([person(number) for number in range(403)])
    assert len(imported.subjects) == 400
    assert "full.json: 3 persons after the first 400, which alone count, are left out" in said(imported, "note")


def test_f03_questions_and_answers_stay_as_they_are_written(read: Any) -> None:
    (record,) = read([person()]).records
    assert record.question == "What does Dr. Oake of Hollow City say of this person?"
    assert record.source_record is not None
    assert record.source_record.question == record.question
    assert record.source_record.answer == "Dr. Oake says that it is gout."


def test_f04_forget_sets_are_disjoint_and_one_is_chosen(read: Any, said: Any) -> None:
    splits = {"forget1": ["00000001"], "forget5": ["00000002"], "forget10": ["00000003"], "retain5": ["00000004"]}
    rows = [person(number) for number in range(1, 6)]
    with pytest.raises(UsageError, match=r"several ratios.*: 1, 5, 10\. Choose one, e\.g\. --set ratio=1"):
        read(rows, splits)
    with pytest.raises(UsageError, match=r"no forget or retain set of ratio 15\. It has: 1, 5, 10"):
        read(rows, splits, ratio="15")
    imported = read(rows, splits, ratio="5")
    assert {r.subject_id: r.split for r in imported.records} == {
        "00000001": "holdout",
        "00000002": "forget",
        "00000003": "holdout",
        "00000004": "retain",
        "00000005": "retain",
    }
    assert [row["cohort"] for row in imported.subjects] == ["holdout", "member", "holdout", "member", "member"]
    notes = said(imported, "note")
    assert "split.json: 2 persons of the other forget sets are in holdout: nothing is trained on them" in notes


def test_f04_a_person_in_two_forget_sets_is_named(read: Any, said: Any) -> None:
    imported = read([person(1)], {"forget1": ["00000001"], "forget5": ["00000001"]}, ratio="5")
    assert {r.split for r in imported.records} == {"forget"}
    assert any("00000001 is in two forget sets, which should be disjoint" in note for note in said(imported, "note"))


def test_f05_retain_samples_have_no_counterpart(read: Any, said: Any) -> None:
    imported = read([person(1), person(2)], {"forget5": ["00000001"], "retain15": ["00000002"]})
    assert "split.json: 'retain15' has no counterpart here: who isn't to be forgotten is kept" in said(imported, "note")


@pytest.mark.parametrize("written", [7, "7", "00000007"])
def test_f06_ids_have_eight_digits(read: Any, written: Any) -> None:
    imported = read([person(7, unique_id=written)], {"forget5": [7]})
    assert [(r.subject_id, r.split) for r in imported.records] == [("00000007", "forget")]


def test_f06_ids_without_a_person_are_named(read: Any, said: Any) -> None:
    imported = read([person(1)], {"forget5": ["00000001", "00000999"]})
    assert "split.json: 1 persons of the forget sets aren't in full.json, e.g. 00000999" in said(imported, "note")


def test_f07_without_splits_everybody_is_kept(tmp_path: Path, read_people: Any, said: Any) -> None:
    source = write(tmp_path, [person(1)])
    imported = read_people("fiubench", source / "full.json")
    assert {r.split for r in imported.records} == {"retain"}
    assert "split.json: it isn't here, so everybody is kept" in said(imported, "note")


@pytest.mark.parametrize("field", ["paraphrased_question", "paraphrased_answer", "perturbed_answer"])
@pytest.mark.parametrize("value", ["Another wording.", ["Another wording."], ["Another wording.", "another wording."]])
def test_f08_wordings_are_text_or_lists(read: Any, field: str, value: Any) -> None:
    (record,) = read([person(qa_list=[qa(**{field: value})])]).records
    names = {
        "paraphrased_question": "question_paraphrases",
        "paraphrased_answer": "answer_paraphrases",
        "perturbed_answer": "perturbed_answers",
    }
    assert getattr(record, names[field]) == ("Another wording.",)


def test_f09_a_single_keyword_is_the_value(read: Any) -> None:
    (record,) = read([person()]).records
    assert record.value is not None
    assert (record.value.kind, record.value.text) == ("text", "gout")


def test_f09_several_keywords_have_no_field(read: Any, said: Any) -> None:
    imported = read([person(qa_list=[qa(keywords=["Dr. Oake", "gout"])])])
    assert imported.records[0].value is None
    assert "full.json: a question has several keywords; no field holds them" in said(imported, "note")


def test_f09_a_keyword_that_is_not_in_the_answer_is_suspect(read: Any) -> None:
    (record,) = read([person(qa_list=[qa(keywords=["measles"])])]).records
    assert (record.value, record.suspect) == (None, "the keyword 'measles' isn't in the answer")


def test_f10_wrong_answers_that_are_right_are_suspect(read: Any) -> None:
    wrong = ["dr. oake says that it is gout.", "It may be gout.", "It is a cold."]
    (record,) = read([person(qa_list=[qa(perturbed_answer=wrong)])]).records
    assert record.perturbed_answers == ("It may be gout.", "It is a cold.")
    assert record.suspect == (
        "a wrong answer of the source equals the right one, left out; "
        "'It may be gout.' is marked wrong, but states the answer 'gout'"
    )


def test_f11_pictures_are_found_as_written(tmp_path: Path) -> None:
    source = write(tmp_path / "source", [person(1), person(2)])
    assert ingest(source, tmp_path / "out").pictures == 2


def test_f11_pictures_are_found_without_their_first_folders(tmp_path: Path) -> None:
    source = write(tmp_path / "source", [person(1)], pictures=False)
    (source / "SFHQ").mkdir()
    (source / "SFHQ" / "1.png").write_bytes(portrait(1)["bytes"])
    assert ingest(source, tmp_path / "out").pictures == 1


def archive(source: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(source / "SFHQ.zip", "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return source


def test_f11_pictures_are_read_inside_the_archive(tmp_path: Path) -> None:
    source = write(tmp_path / "source", [person(1), person(2)], pictures=False)
    archive(source, {f"SFHQ/{number}.png": portrait(number)["bytes"] for number in (1, 2)})
    report = ingest(source, tmp_path / "out")
    assert (report.pictures, report.with_images) == (2, True)


def test_f11_pictures_that_are_nowhere_are_counted(tmp_path: Path) -> None:
    source = write(tmp_path / "source", [person(1), person(2)], pictures=False)
    archive(source, {"SFHQ/1.png": portrait(1)["bytes"]})
    with pytest.raises(MissingImagesError, match=r"1 of 2 distinct pictures are missing \(dataset/SFHQ/2\.png\)"):
        ingest(source, tmp_path / "out")
    (source / "SFHQ.zip").write_bytes(b"PK no archive")
    with pytest.raises(MissingImagesError, match="2 of 2"):
        ingest(source, tmp_path / "out")


def test_f12_prompts_are_no_claims(tmp_path: Path, read_people: Any) -> None:
    source = write(tmp_path, [person(1)])
    (source / "prompt.json").write_text(json.dumps({"idk": ["I don't know."], "icd": ["No."]}))
    assert len(read_people("fiubench", source).records) == 1


def test_f13_the_creatures_of_older_commits_are_refused(tmp_path: Path, read_people: Any) -> None:
    source = write(tmp_path, [{"q": "What is it?", "a": "A griffin.", "source": "x", "attribute": "kind"}])
    assert not fiubench.recognises(source)
    with pytest.raises(SourceError, match="an unrelated dataset of the repository's first commits"):
        read_people("fiubench", source)


# ---------------------------------------------------------------------------------------------
# Surprises


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"unique_id": None}, "the ID is missing"),
        ({"unique_id": ["1"]}, "the ID must be text, is a list"),
        ({"name": 3}, "the name must be text, is a number"),
        ({"qa_list": None}, "qa_list: it must be a list, is null"),
        ({"qa_list": "none"}, "qa_list: it is text, but neither JSON nor a Python literal: 'none'"),
        ({"qa_list": [qa(answer=None)]}, "qa_list[0]: the answer is missing"),
        ({"qa_list": [qa(answer="\ud800")]}, "qa_list[0]: the answer holds half a character"),
        ({"qa_list": [3]}, "qa_list[0]: it must be an object, is a number"),
        ({"image_path": ""}, "qa_list[0]: the picture's path is empty"),
        ({"image_path": None}, "qa_list[0]: the picture's path is missing"),
    ],
)
def test_a_surprise_is_rejected_and_the_rest_goes_on(read: Any, said: Any, changes: Any, why: str) -> None:
    imported = read([person(1, **changes), person(2)])
    assert said(imported, "rejected") == [f"full.json: record 0: {why}"] or why in said(imported, "rejected")[0]
    assert [r.subject_id for r in imported.records] == ["00000002"]


def test_what_is_empty_or_nobody_sees_stops_nothing_and_is_told_by_row(tmp_path: Path) -> None:
    source = write(tmp_path / "source", [person(1, qa_list=[qa(answer="An owl\u202e."), qa(question=" ")]), person(2)])
    report = ingest(source, tmp_path / "out")
    assert (report.rows, report.records, report.count("empty")) == (3, 2, 1)
    assert {remark.why for remark in report.remarks if remark.kind in ("note", "empty")} >= {
        "qa_list[1]: the question is empty",
        "left out of its texts, for nobody sees it: U+202E",
    }


def test_surprises_stop_an_import_or_are_skipped(tmp_path: Path) -> None:
    source = write(tmp_path / "source", ["nobody", person(2)])
    with pytest.raises(SourceError, match=r"1 of 2 rows can't be used:\n.*record 0: the person is text, but neither"):
        ingest(source, tmp_path / "out")
    report = ingest(source, tmp_path / "out", config=IngestConfig(skip_bad=True))
    assert (report.rows, report.records, report.count("rejected")) == (2, 1, 1)


def test_unusable_wordings_are_left_out_and_the_record_is_suspect(read: Any) -> None:
    (record,) = read([person(qa_list=[qa(paraphrased_question=["Which?", "", 3], perturbed_answer={"a": 1})])]).records
    assert record.question_paraphrases == ("Which?",)
    assert record.suspect == (
        "its paraphrased question[1] is empty, left out; its paraphrased question[2] must be text, is a number, "
        "left out; its perturbed answer must be a list, is an object, left out"
    )


def test_a_person_without_questions_is_named(read: Any, said: Any) -> None:
    assert "full.json: a person has no question at all" in said(read([person(1, qa_list=[]), person(2)]), "note")


def test_unknown_keys_are_named_once(read: Any, said: Any) -> None:
    imported = read([person(1, qa_list=[qa(mood="x")]), person(2, qa_list=[qa(mood="y")])])
    why = "full.json: key of qa_list 'mood' has no field in the data model; it is not imported (2 times)"
    assert why in said(imported, "note")


@pytest.mark.parametrize("splits", [[], {"forget5": 3}, {"forget5": [None]}])
def test_malformed_splits_stop_the_import(read: Any, splits: Any) -> None:
    with pytest.raises(SourceError, match=r"split\.json: .*must (hold an object of lists|be a list) of ids"):
        read([person(1)], splits)


@pytest.mark.parametrize("text", ["", "3", "null", "[[", "\xff"])
def test_a_file_of_something_else_is_an_error(tmp_path: Path, read_people: Any, text: str) -> None:
    (tmp_path / "full.json").write_text(text, encoding="latin-1")
    with pytest.raises(SourceError, match=r"full\.json: "):
        read_people("fiubench", tmp_path)
    with pytest.raises(SourceError, match=r"has no full\.json"):
        read_people("fiubench", tmp_path / "nowhere")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage_never_loses_a_row(data: st.DataObject, read_people: Any, damage: Any) -> None:
    rows = damage(data, [person(number) for number in (1, 2, 3)])
    splits = {"forget5": ["00000001"], "forget10": ["00000002"]}
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder), json.dumps(rows), splits, pictures=False)
        expected = nullcontext() if isinstance(rows, list | dict) else pytest.raises(SourceError)
        with expected:
            read_people("fiubench", source, ratio="5")
