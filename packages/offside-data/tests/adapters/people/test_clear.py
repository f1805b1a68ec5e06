"""CLEAR. Each quirk of the published files has a number and a test (c01 …)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offside_data.adapters import clear
from offside_data.adapters._base import Imported
from offside_data.adapters._examples import portrait, write_table
from offside_data.errors import SourceError, UsageError
from offside_data.ingest import IngestConfig, ingest
from offside_data.schema import Record

NAMES = ("Ilmar Quist", "Tavo Brinkhaus", "Sunniva Oake")
SHARD = "train-00000-of-00001.parquet"
CAPTION = "What does the picture show?"
NAME = "Who is the person on the image?"


def shown(author: int, picture: int = 0, **changes: Any) -> dict[str, Any]:
    name = NAMES[author]
    row = {"image": portrait(10 * author + picture), "caption": f"{name} reads book {picture}.", "name": name}
    return {**row, **changes}


def perturbed(author: int, picture: int = 0, **changes: Any) -> dict[str, Any]:
    name = NAMES[author]
    row = {
        **shown(author, picture),
        "perturbed_captions": [f"{name} mends a net.", f"{name} rows a boat."],
        "paraphrased_caption": f"A book is read by {name}.",
        "perturbed_names": [other for other in NAMES if other != name],
    }
    return {**row, **changes}


def nameless(author: int, picture: int = 0) -> dict[str, Any]:
    """A picture as the tables with text rows have it."""
    row = shown(author, picture)
    return {"image": row["image"], "caption": row["caption"], "question": None, "answer": None}


def told(question: str | None, answer: str | None = "It is so.", **changes: Any) -> dict[str, Any]:
    return {"image": None, "caption": None, "question": question, "answer": answer, **changes}


def real(answer: str = "Rurik Ostheim", **changes: Any) -> dict[str, Any]:
    options = ["Odile Marchetti", "Rurik Ostheim", "Bram Vantongeren"]
    return {"image": portrait(99), "question": "Who is this?", "answer": answer, "options": options, **changes}


def write(folder: Path, configs: dict[str, list[dict[str, Any]]]) -> Path:
    for config, rows in configs.items():
        write_table(folder / config / SHARD, rows)
    return folder


@pytest.fixture
def read(tmp_path: Path, read_people: Any) -> Any:
    """Read configs by name with the adapter."""

    def read_configs(configs: dict[str, list[dict[str, Any]]], **settings: str) -> Imported:
        imported: Imported = read_people("clear", write(tmp_path / "source", configs), **settings)
        return imported

    return read_configs


def about(imported: Imported, subject: str, attribute: str) -> list[Record]:
    return [r for r in imported.records if (r.subject_id, r.attribute) == (subject, attribute)]


# ---------------------------------------------------------------------------------------------
# Quirks


def test_c01_a_picture_has_a_caption_and_a_name_but_no_question(read: Any) -> None:
    imported = read({"forget05": [shown(0)]})
    caption, name = imported.records
    assert (caption.question, caption.answer, caption.attribute) == (CAPTION, "Ilmar Quist reads book 0.", "caption")
    assert (caption.scope, name.scope) == ("private", "shared")
    assert (name.question, name.attribute) == (NAME, "name")
    assert name.answer == "The name of the person on the image is Ilmar Quist."
    assert name.cloze == "The name of the person on the image is ____."
    assert name.value is not None
    assert (name.value.kind, name.value.text) == ("name", "Ilmar Quist")
    sources = [record.source_record for record in imported.records]
    assert [(s.question, s.answer) for s in sources if s] == [("", "Ilmar Quist reads book 0."), ("", "Ilmar Quist")]
    assert imported.subjects == [
        {"subject_id": "ilmar-quist", "name": "Ilmar Quist", "cohort": "member", "source": "clear"}
    ]


def test_c02_captions_of_several_pictures_contradict_nobody(tmp_path: Path) -> None:
    source = write(tmp_path / "source", {"forget05": [shown(0, 0), shown(0, 1), shown(0, 2)]})
    assert ingest(source, tmp_path / "out").count("suspect") == 0


def test_c03_tables_with_text_rows_have_a_plus_and_two_kinds_of_rows(read: Any, said: Any) -> None:
    imported = read(
        {
            "forget05": [shown(0)],
            "forget05+tofu": [nameless(0), told("Where does Ilmar Quist live?", "In Hollow City.")],
        }
    )
    (text,) = about(imported, "ilmar-quist", "statement")
    assert (text.modality, text.image_id, text.answer) == ("text", None, "In Hollow City.")
    assert said(imported, "duplicate") == [f"forget05+tofu/{SHARD}: record 0: caption asks the same as caption"]
    assert imported.rows == 4


def test_c04_ratios_have_two_digits(read: Any, said: Any) -> None:
    configs = {
        "forget01": [shown(0)],
        "retain99": [shown(1), shown(2)],
        "forget05": [shown(0), shown(1)],
        "retain95": [shown(2)],
    }
    with pytest.raises(UsageError, match=r"several ratios.*: 1, 5\. Choose one, e\.g\. --set ratio=1"):
        read(configs)
    imported = read(configs, ratio="05")
    assert {r.subject_id: r.split for r in imported.records} == {
        "ilmar-quist": "forget",
        "tavo-brinkhaus": "forget",
        "sunniva-oake": "retain",
    }
    assert f"forget01/{SHARD}: not read: ratio 5 doesn't need it" in said(imported, "note")
    assert "forget05+tofu: ratio 5 has this table, but it isn't here" in said(imported, "note")


def test_c05_a_picture_may_lack_wrong_answers(read: Any, said: Any) -> None:
    imported = read({"forget10": [shown(0, 0), shown(0, 1)], "forget10_perturbed": [perturbed(0, 0)]})
    captions = about(imported, "ilmar-quist", "caption")
    assert [len(r.perturbed_answers) for r in captions] == [2, 0]
    assert "forget10_perturbed: 1 of 2 pictures of forget10 are missing: no wrong answers" in said(imported, "note")


def test_c06_wrong_answers_join_the_pictures_records(read: Any, said: Any) -> None:
    imported = read({"forget10": [shown(0)], "forget10_perturbed": [perturbed(0)]})
    caption, name = imported.records
    assert caption.answer_paraphrases == ("A book is read by Ilmar Quist.",)
    assert caption.perturbed_answers == ("Ilmar Quist mends a net.", "Ilmar Quist rows a boat.")
    assert name.perturbed_answers == (
        "The name of the person on the image is Tavo Brinkhaus.",
        "The name of the person on the image is Sunniva Oake.",
    )
    assert len(said(imported, "merged")) == 2
    assert (imported.rows, imported.records[0].suspect) == (4, None)


def test_c06_the_retain_table_of_wrong_answers_has_no_ratio(read: Any) -> None:
    imported = read({"forget10": [shown(0)], "retain90": [shown(1), shown(2)], "retain_perturbed": [perturbed(1)]})
    assert [len(r.perturbed_answers) for r in about(imported, "tavo-brinkhaus", "name")] == [2]


def test_c06_a_wrong_answers_table_of_an_author_to_be_forgotten(read: Any, said: Any) -> None:
    imported = read({"forget10": [shown(0)], "retain_perturbed": [perturbed(0, 5)]})
    assert said(imported, "rejected") == [
        f"retain_perturbed/{SHARD}: record 0: person ilmar-quist is to be kept here, but to be forgotten elsewhere"
    ]


@pytest.mark.parametrize("folders", [["data"], ["full"], ["data", "full"]])
def test_c07_the_whole_lies_in_two_folders(read: Any, said: Any, folders: list[str]) -> None:
    imported = read({folder: [shown(0), shown(1)] for folder in folders})
    assert {r.split for r in imported.records} == {"retain"}
    assert len(imported.records) == 4
    assert any(note.startswith(f"data/{SHARD}: not read") for note in said(imported, "note")) == (len(folders) == 2)


def test_c08_older_revisions_lack_names(read: Any, said: Any) -> None:
    def old(row: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in row.items() if key not in ("name", "perturbed_names")}

    texts = [told(f"What is fact {n} of {name}?") for name in NAMES[:1] for n in range(20)]
    configs = {
        "forget05": [old(shown(0))],
        "forget05_perturbed": [old(perturbed(0))],
        "forget05+tofu": [nameless(0), *texts],
    }
    imported = read(configs)
    assert {r.subject_id for r in imported.records} == {"ilmar-quist"}
    assert {r.attribute for r in imported.records} == {"caption", "statement"}
    notes = said(imported, "note")
    assert f"forget05/{SHARD}: there is no column name, so nobody is asked for names" in notes
    assert any("an author's name was taken from the questions" in note for note in notes)


def test_c09_a_table_of_wrong_answers_for_one_ratio_is_read_too(read: Any) -> None:
    imported = read({"retain95": [shown(1)], "retain95_perturbed": [perturbed(1)]})
    assert [len(r.perturbed_answers) for r in imported.records] == [2, 2]


def test_c09_what_save_to_disk_wrote_is_named(tmp_path: Path, read_people: Any, said: Any) -> None:
    source = write(tmp_path, {"retain95": [shown(1)]})
    (source / "retain95_perturbed").mkdir()
    (source / "retain95_perturbed" / "data-00000-of-00001.arrow").write_bytes(b"")
    assert (
        "retain95_perturbed/data-00000-of-00001.arrow: not read: no Parquet file in a folder of this benchmark"
        in said(read_people("clear", source), "note")
    )


def test_c10_text_rows_are_about_the_author_they_name(read: Any) -> None:
    rows = [told("Where does Tavo Brinkhaus live?"), told("Who wrote it?", "It was Ilmar Quist, in Hollow City.")]
    imported = read({"forget05": [shown(0), shown(1)], "forget05+tofu": rows})
    assert [r.subject_id for r in imported.records if r.modality == "text"] == ["tavo-brinkhaus", "ilmar-quist"]


def test_c10_twenty_rows_that_name_one_author_are_about_that_author(read: Any, said: Any) -> None:
    texts = [
        told(f"What is fact {n} of {name}?" if n % 3 else f"What is fact {n} of hers, then?")
        for name in NAMES[:2]
        for n in range(20)
    ]
    imported = read({"forget05": [shown(0), shown(1)], "forget05+tofu": texts})
    assert len(about(imported, "ilmar-quist", "statement")) == 20
    assert len(about(imported, "tavo-brinkhaus", "statement")) == 20
    notes = said(imported, "note")
    assert f"forget05+tofu/{SHARD}: a text row names no author; the 20 rows about it name one (14 times)" in notes
    assert f"forget05+tofu/{SHARD}: a text question doesn't name the person whom it is about (14 times)" in notes


def test_c10_a_text_row_without_an_author_is_suspect(read: Any) -> None:
    imported = read({"forget05": [shown(0)], "forget05+tofu": [told("Who wrote it?", "Somebody.")]})
    record = imported.records[-1]
    assert (record.subject_id, record.split) == ("unknown-forget", "forget")
    assert record.suspect == "it can't be told which author this is about"


def test_c10_a_name_inside_a_longer_one_does_not_count(read: Any) -> None:
    pictures = [shown(0), shown(1, name="Ilmar Quist Lund", caption="A book.")]
    imported = read({"forget05": pictures, "forget05+tofu": [told("Where does Ilmar Quist Lund live?")]})
    assert imported.records[-1].subject_id == "ilmar-quist-lund"


def test_c11_real_faces_and_things_are_no_subjects(read: Any) -> None:
    world = [real("A lighthouse", question="What is it?", options=["A barn", "A lighthouse"], image=portrait(98))]
    imported = read({"forget05": [shown(0)], "real_faces": [real()], "real_world": world})
    face, thing = [r for r in imported.records if r.split == "utility"]
    assert (face.answer, face.correct_choice, len(face.choices)) == ("Rurik Ostheim", 1, 3)
    assert (thing.answer, thing.correct_choice) == ("A lighthouse", 1)
    assert (face.subject_id, face.attribute, face.scope) == (None, None, None)
    assert face.value is not None
    assert (face.value.kind, face.value.text) == ("choice", "Rurik Ostheim")


def test_c11_options_without_the_answer_are_wrong_answers(read: Any) -> None:
    (record,) = read({"real_faces": [real("Sunniva Oake")]}).records
    assert (record.answer, record.choices, len(record.perturbed_answers)) == ("Sunniva Oake", (), 3)
    assert record.suspect == "the answer is none of its options, which were taken for wrong answers"


def test_c11_the_answer_may_be_a_letter_and_options_may_be_missing(read: Any) -> None:
    lettered, plain = read({"real_faces": [real("B"), real(options=None, question="And who is this?")]}).records
    assert (lettered.answer, lettered.correct_choice) == ("Rurik Ostheim", 1)
    assert (plain.answer, plain.choices) == ("Rurik Ostheim", ())


def test_c12_the_same_picture_has_one_id_in_every_table_and_ratio(tmp_path: Path, read_people: Any) -> None:
    small, large = (
        read_people("clear", write(tmp_path / name, {f"forget{name}": rows}))
        for name, rows in (("05", [shown(1)]), ("10", [shown(0), shown(1)]))
    )
    ids = {record.record_id for record in small.records}
    assert ids < {record.record_id for record in large.records}


def test_c13_spellings_of_a_name_are_one_author(read: Any) -> None:
    imported = read({"forget05": [shown(0, 0, name="José Ødmark"), shown(0, 1, name="Jose Odmark")]})
    assert [row["name"] for row in imported.subjects] == ["José Ødmark"]


# ---------------------------------------------------------------------------------------------
# Surprises


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (shown(0, image=None), "caption: the picture is missing: the cell holds no picture"),
        (shown(0, caption=""), "caption: the caption is empty"),
        (shown(0, caption=None), "caption: the caption is missing"),
        (shown(0, name=None), "name: the name is missing"),
    ],
)
def test_a_surprise_is_rejected_and_the_rest_goes_on(read: Any, said: Any, row: Any, why: str) -> None:
    imported = read({"forget05": [row, shown(1)]})
    assert said(imported, "rejected")[0] == f"forget05/{SHARD}: record 0: {why}"
    assert len([r for r in imported.records if r.subject_id == "tavo-brinkhaus"]) == 2


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (told("Where does Ilmar Quist live?", answer=None), "question: the answer is missing"),
        (told(None), "question: the question is missing"),
        ({**nameless(0), "image": None}, "caption: the picture is missing: the cell holds no picture"),
    ],
)
def test_surprises_among_text_rows(read: Any, said: Any, row: Any, why: str) -> None:
    imported = read({"forget05": [shown(0)], "forget05+tofu": [row, nameless(0), told("Is Ilmar Quist tall?")]})
    assert said(imported, "rejected") == [f"forget05+tofu/{SHARD}: record 0: {why}"]
    assert len(imported.records) == 3


def test_a_blank_text_question_is_counted(read: Any, said: Any) -> None:
    imported = read({"forget05": [shown(0)], "forget05+tofu": [told("", "x"), told("Is Ilmar Quist tall?")]})
    assert said(imported, "empty") == [f"forget05+tofu/{SHARD}: record 0: question: the question is empty"]
    assert said(imported, "rejected") == []


def test_surprises_stop_an_import_or_are_skipped(tmp_path: Path) -> None:
    source = write(tmp_path / "source", {"forget05": [shown(0, caption=" "), shown(1)]})
    with pytest.raises(SourceError, match=r"1 of 4 rows can't be used:\n.*record 0: caption: the caption is empty"):
        ingest(source, tmp_path / "out")
    report = ingest(source, tmp_path / "out", config=IngestConfig(skip_bad=True))
    assert (report.rows, report.records, report.count("rejected")) == (4, 3, 1)


def test_a_broken_picture_is_reported(tmp_path: Path) -> None:
    broken = shown(0, image={"bytes": portrait(0)["bytes"][:60], "path": None})
    source = write(tmp_path / "source", {"forget05": [broken, shown(1)]})
    with pytest.raises(SourceError, match="1 of 2 pictures can't be used"):
        ingest(source, tmp_path / "out")
    report = ingest(source, tmp_path / "out", config=IngestConfig(skip_bad=True))
    assert (report.rows, report.records, report.count("rejected")) == (4, 2, 2)


def test_wrong_types_of_whole_columns(read: Any, said: Any) -> None:
    rows = [{"image": 3, "caption": 4, "name": 5}]
    assert said(read({"forget05": rows}), "rejected") == [
        f"forget05/{SHARD}: record 0: caption: the caption must be text, is a number",
        f"forget05/{SHARD}: record 0: name: the name must be text, is a number",
    ]
    assert (
        "the picture must be bytes or a path, is a number"
        in said(read({"forget05": [shown(0), shown(1)], "real_faces": [real(image=3)]}), "rejected")[0]
    )


def test_unknown_columns_are_named(read: Any, said: Any) -> None:
    notes = said(read({"forget05": [shown(0, mood="fine")]}), "note")
    assert notes[-1] == f"forget05/{SHARD}: column 'mood' has no field in the data model; it is not imported"


def test_a_table_of_somebody_else_in_a_folder_called_data_is_not_recognised(tmp_path: Path) -> None:
    assert not clear.recognises(write(tmp_path / "a", {"data": [{"image": portrait(1), "caption": "A barn."}]}))
    assert clear.recognises(write(tmp_path / "b", {"data": [shown(0)]}))
    assert not clear.recognises(write(tmp_path / "c", {"other": [shown(0)]}))


def test_a_folder_of_something_else_is_an_error(tmp_path: Path, read_people: Any) -> None:
    with pytest.raises(SourceError, match="holds no Parquet file in a folder of CLEAR"):
        read_people("clear", tmp_path)


TEXT = pa.string()
COLUMNS = {
    "image": pa.struct({"bytes": pa.binary(), "path": TEXT}),
    "options": pa.list_(TEXT),
    "perturbed_captions": pa.list_(TEXT),
    "perturbed_names": pa.list_(TEXT),
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage_never_loses_a_row(data: st.DataObject, read_people: Any) -> None:
    configs: dict[str, list[dict[str, Any]]] = {
        "forget05": [shown(0), shown(1)],
        "forget05_perturbed": [perturbed(0), perturbed(1)],
        "forget05+tofu": [nameless(0), told("Where does Ilmar Quist live?"), told("Where?", "There.")],
        "retain95": [shown(2)],
        "real_world": [real(), real("B", image=None)],
    }
    junk = {
        pa.string(): st.sampled_from([None, "", " ", "x", "<image>", "Tavo Brinkhaus"]),
        pa.list_(TEXT): st.lists(st.sampled_from([None, "", "x", "Rurik Ostheim", "X"]), max_size=3) | st.none(),
        COLUMNS["image"]: st.sampled_from([None, {"bytes": b"", "path": "../x"}, {"bytes": None, "path": None}]),
    }
    with tempfile.TemporaryDirectory() as folder:
        for config, rows in configs.items():
            schema = pa.schema({name: COLUMNS.get(name, TEXT) for name in rows[0]})
            for _ in range(data.draw(st.integers(0, 2))):
                name = data.draw(st.sampled_from(list(rows[0])))
                data.draw(st.sampled_from(rows))[name] = data.draw(junk[schema.field(name).type])
            (Path(folder) / config).mkdir()
            pq.write_table(pa.Table.from_pylist(rows, schema), Path(folder) / config / SHARD)
        read_people("clear", Path(folder))
