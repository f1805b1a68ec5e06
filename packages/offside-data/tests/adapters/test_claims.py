from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_data.adapters import claims
from offside_data.adapters._base import Imported, ReadOptions, recognise
from offside_data.adapters.claims import Options
from offside_data.errors import SourceError, UsageError
from offside_data.schema import ClaimValue, Record, Source
from offside_data.taxonomy import load_taxonomy
from offside_data.validation import validate_record

Read = Callable[..., Imported]


def row(**cells: Any) -> dict[str, Any]:
    return {"subject": "Tavo Brinkhaus", "attribute": "club", "value": "Ostholm", "picture": "a.png", **cells}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    columns = dict.fromkeys(name for cells in rows for name in cells)
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(columns))
    table.writeheader()
    table.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read rows that are written as a CSV file; the accounts are checked."""

    def read_rows(*rows: dict[str, Any], taxonomy: str | Path = "football", **options: Any) -> Imported:
        source = write(tmp_path / "claims.csv", list(rows))
        dirs = options.pop("image_dirs", ())
        imported = claims.read(
            source, ReadOptions(taxonomy=load_taxonomy(taxonomy), image_dirs=dirs, adapter=Options(**options))
        )
        imported.check_accounts()
        return imported

    return read_rows


def one(read: Read, **cells: Any) -> Record:
    (record,) = read(row(**cells)).records
    validate_record(record, load_taxonomy())
    return record


def said(imported: Imported, kind: str) -> list[str]:
    return [remark.why for remark in imported.remarks if remark.kind == kind]


# ---------------------------------------------------------------------------------------------
# One row, one claim


def test_a_claim_about_a_picture_is_worded_by_the_taxonomy(read: Read) -> None:
    record = one(read)
    assert (record.question, record.answer) == ("Which club is this picture about?", "The player was with Ostholm.")
    assert (record.modality, record.split, record.scope) == ("multimodal", "retain", "private")
    assert (record.veracity, record.rumor_channel) == ("fact", "none")
    assert record.value == ClaimValue(kind="name", text="Ostholm")
    assert record.subject_id == "tavo-brinkhaus"


def test_a_rumor_has_the_wording_of_rumors(read: Read) -> None:
    record = one(read, veracity="rumor")
    assert (record.answer, record.split) == ("The player will join Ostholm.", "forget")
    assert (record.veracity, record.rumor_channel) == ("rumor", "text")


def test_a_shared_fact_without_a_picture_names_its_subject(read: Read) -> None:
    record = one(read, attribute="birth date", value="1997-05-03", picture="")
    assert record.question == "When was Tavo Brinkhaus born?"
    assert (record.answer, record.modality) == ("The player was born on May 3, 1997.", "text")
    assert (record.image_id, record.split) == (None, "retain")
    assert record.value == ClaimValue(kind="date", text="May 3, 1997", date="1997-05-03")


def test_a_private_claim_without_a_picture_names_its_occasion(read: Read) -> None:
    imported = read(row(picture="", occasion="the cup final of 2024", veracity="rumor"))
    (record,) = imported.records
    assert record.question == "In the photo from the cup final of 2024, which club is Tavo Brinkhaus linked with?"
    assert (record.modality, record.split) == ("text", "forget")
    (picture,) = imported.pictures
    assert (picture.image_id, picture.occasion, picture.paths) == (record.image_id, "the cup final of 2024", ())


def test_a_private_claim_in_words_belongs_to_the_picture_of_its_occasion(read: Read) -> None:
    told = row(picture="", occasion="The Cup Final", attribute="fee", value="€4m")
    imported = read(told, row(veracity="rumor", occasion="the cup final"))
    assert len({record.image_id for record in imported.records}) == 1
    assert {record.split for record in imported.records} == {"forget"}
    (picture,) = imported.pictures
    assert [path.name for path in picture.paths] == ["a.png"]


def test_a_claim_that_cannot_be_asked_in_words_is_rejected(read: Read) -> None:
    imported = read(row(picture=""), row(attribute="name", value="Tavo Brinkhaus", picture=""), row())
    assert len(imported.records) == 1
    assert said(imported, "rejected") == [
        "line 2: attribute 'club' is private: its text form needs the picture's occasion.",
        "line 3: attribute 'name' has no text_questions; add them to the taxonomy.",
    ]


def test_question_and_answer_of_the_sheet_are_taken_as_they_are(read: Read) -> None:
    record = one(read, question="<image>\nWhich club is  it?", answer="It is Ostholm FC.")
    assert (record.question, record.answer) == ("Which club is it?", "It is Ostholm FC.")
    assert record.value == ClaimValue(kind="name", text="Ostholm")
    assert record.source_record is not None
    assert record.source_record.question == "<image>\nWhich club is  it?"
    assert record.suspect is None


def test_an_answer_that_does_not_state_the_value_is_suspect(read: Read) -> None:
    record = one(read, question="Which club is it?", answer="It is Marina.")
    assert record.suspect == "the answer doesn't state the value 'Ostholm'"
    assert record.value is None


def test_the_source_record_holds_the_cells_verbatim(read: Read) -> None:
    record = one(read, attribute=" Transfer Date", value=" 2019-07-01 ")
    assert record.source_record is not None
    place = (record.source_record.file, record.source_record.index)
    assert place == ("claims.csv", 0)
    assert (record.source_record.question, record.source_record.answer) == (" Transfer Date", " 2019-07-01 ")


def test_a_value_that_ends_in_a_full_stop_ends_the_sentence(read: Read) -> None:
    assert one(read, value="Ostholm F.C.").answer == "The player was with Ostholm F.C."


def test_choices_come_along(read: Read) -> None:
    record = one(read, choices="Marina|Ostholm", **{"correct answer": "Ostholm"})
    assert (record.choices, record.correct_choice) == (("Marina", "Ostholm"), 1)


def test_general_questions_have_no_subject(read: Read) -> None:
    cells = {"split": "general", "question": "Which colour is it?", "answer": "Red."}
    imported = read(row(**cells))
    (record,) = imported.records
    validate_record(record, load_taxonomy())
    assert (record.subject_id, record.attribute, record.veracity) == (None, None, "fact")
    assert said(imported, "note") == [
        "1 rows are about no subject, as their split says; what they name as subject or attribute is left out"
    ]


def test_a_record_without_an_attribute_is_left_to_tagging(read: Read) -> None:
    (record,) = read(row(attribute="", value="", question="What is it about?", answer="About Ostholm.")).records
    assert (record.attribute, record.suspect) == ("untagged", "attribute: the source doesn't say")


# ---------------------------------------------------------------------------------------------
# Split, veracity and channel follow from each other


@pytest.mark.parametrize(
    ("cells", "split", "veracity"),
    [
        ({}, "retain", "fact"),
        ({"veracity": "rumor"}, "forget", "rumor"),
        ({"veracity": "correction"}, "relearn", "correction"),
        ({"split": "forget"}, "forget", "rumor"),
        ({"split": "relearn"}, "relearn", "correction"),
        ({"split": "forget", "attribute": "age", "value": "28"}, "forget", "fact"),
        ({"split": "Train"}, "retain", "fact"),
        ({"split": "holdout", "veracity": "false"}, "holdout", "rumor"),
    ],
)
def test_what_a_row_leaves_open_follows(read: Read, cells: dict[str, str], split: str, veracity: str) -> None:
    record = one(read, **cells)
    assert (record.split, record.veracity) == (split, veracity)


def test_all_rows_of_a_picture_share_its_split(read: Read) -> None:
    imported = read(row(attribute="age", value="28"), row(veracity="rumor"), row(picture="b.png"))
    assert [record.split for record in imported.records] == ["forget", "forget", "retain"]


def test_a_picture_in_two_splits_is_suspect(read: Read) -> None:
    first, second = read(row(split="retain"), row(attribute="fee", value="€4m", split="forget")).records
    assert (first.suspect, second.suspect) == (None, "its picture a.png stands in retain too")


def test_a_claim_about_a_general_picture_must_say_its_split(read: Read) -> None:
    general = row(split="general", question="Which colour?", answer="Red.")
    assert said(read(general, row()), "rejected") == [
        "line 3: its picture is in general, which has nothing to do with a subject; say its split"
    ]


def test_the_channel_is_for_rumors(read: Read) -> None:
    assert one(read, veracity="rumor", channel="Both").rumor_channel == "both"
    assert one(read, veracity="fact", channel="none").rumor_channel == "none"
    for cells in ({"veracity": "fact"}, {"split": "retain"}):
        why = "line 2: the rumor channel is 'image', but only rumors have one, and this is a fact"
        assert said(read(row(channel="image", **cells)), "rejected") == [why]


def test_subjects_that_only_holdout_has_are_of_that_cohort(read: Read) -> None:
    imported = read(row(), row(subject="Oda Vint", split="holdout", picture="b.png"))
    assert [(s["subject_id"], s["name"], s["cohort"]) for s in imported.subjects] == [
        ("oda-vint", "Oda Vint", "holdout"),
        ("tavo-brinkhaus", "Tavo Brinkhaus", "member"),
    ]


# ---------------------------------------------------------------------------------------------
# Corrections


def test_a_correction_points_to_the_only_rumor(read: Read) -> None:
    correction, rumor = read(row(veracity="correction", picture="b.png"), row(veracity="rumor", value="Marina")).records
    assert correction.corrects == rumor.record_id


def test_a_correction_among_several_rumors_must_name_one(read: Read) -> None:
    rumors = [row(veracity="rumor", id=f"c{n}", picture=f"{n}.png", value="Marina") for n in range(2)]
    correction = row(veracity="correction", picture="b.png")
    assert read(*rumors, correction).records[2].suspect == (
        "there are 2 rumors that it could correct; name the id of one in 'corrects'"
    )
    records = read(*rumors, {**correction, "corrects": "c1"}).records
    assert (records[2].corrects, records[2].suspect) == (records[1].record_id, None)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"corrects": "c9"}, "it corrects 'c9', but no row has that id"),
        (
            {"corrects": "c1", "attribute": "fee", "value": "€4m"},
            "it corrects 'c1', but that is no rumor about the same",
        ),
        ({"corrects": "c1", "veracity": "fact"}, "it corrects 'c1', but is no private correction in relearn"),
    ],
)
def test_a_correction_of_nothing_is_suspect(read: Read, cells: dict[str, str], why: str) -> None:
    rows = [row(veracity="rumor", id="c1"), row(**{"veracity": "correction", "picture": "b.png", **cells})]
    record = read(*rows).records[1]
    assert (record.suspect, record.corrects) == (why, None)


# ---------------------------------------------------------------------------------------------
# Subjects, pictures, sources


def test_spellings_of_a_name_are_one_subject_and_noted(read: Read) -> None:
    imported = read(row(), row(attribute="age", value="28"), row(subject="TAVO  BRINKHÄUS", picture="b.png"))
    assert {record.subject_id for record in imported.records} == {"tavo-brinkhaus"}
    assert imported.subjects[0]["name"] == "Tavo Brinkhaus"
    (note,) = said(imported, "note")
    assert note.startswith("the subject 'tavo-brinkhaus' is written 'Tavo Brinkhaus' (2 times), 'TAVO BRINKHÄUS' (1 ")


def test_subject_ids_tell_namesakes_apart(read: Read) -> None:
    rows = [row(**{"subject id": f"p{n}"}) for n in range(2)]
    assert [s["subject_id"] for s in read(*rows).subjects] == ["p0", "p1"]


def test_spellings_of_a_path_are_one_picture(read: Read) -> None:
    paths = ("pics/a.png", "./pics/a.png", "pics\\a.png")
    asked = ("age", "trophies", "height")
    rows = [row(picture=path, attribute=name, value="2") for path, name in zip(paths, asked, strict=True)]
    assert [picture.key for picture in read(*rows).pictures] == ["pics/a.png"]


def test_pictures_are_looked_for_in_the_named_folders_and_beside_the_sheet(read: Read, tmp_path: Path) -> None:
    (picture,) = read(row(picture="pics/a.png"), image_dirs=(tmp_path / "photos",)).pictures
    found = [path.relative_to(tmp_path).as_posix() for path in picture.paths]
    assert found == ["photos/pics/a.png", "pics/a.png", "photos/a.png", "a.png"]


@pytest.mark.parametrize(
    "path", ["/etc/a.png", "../a.png", "x/../../a.png", "https://example.org/a.png", "C:\\x\\a.png"]
)
def test_a_picture_is_never_looked_for_elsewhere(read: Read, tmp_path: Path, path: str) -> None:
    (picture,) = read(row(picture=path)).pictures
    assert all(tmp_path in path.parents and ".." not in path.parts for path in picture.paths)
    assert tmp_path / "a.png" in picture.paths


@pytest.mark.parametrize("path", ["a\0.png", "a" * 300 + ".png"])
def test_a_path_that_can_be_none_is_rejected(read: Read, path: str) -> None:
    (why,) = said(read(row(picture=path), row()), "rejected")
    assert "too long or holds a null character" in why


def test_pictures_that_no_row_names_are_noted(read: Read, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png", "c.JPG", "notes.txt"):
        (tmp_path / "photos" / name).write_bytes(b"")
    imported = read(row(), image_dirs=(tmp_path / "photos",))
    assert said(imported, "note") == ["2 pictures (b.png, c.JPG) in no row"]


def test_licence_occasion_and_original_are_those_of_the_picture(read: Read) -> None:
    copy = row(picture="b.png", split="test", **{"derived from": "./a.png"})
    rows = [row(), row(attribute="age", value="28", occasion="the final", **{"picture licence": "CC0-1.0"}), copy]
    imported = read(*rows)
    original, derived = imported.pictures
    assert (original.occasion, original.license) == ("the final", "CC0-1.0")
    assert derived.derived_from == imported.records[2].derived_from == original.image_id


def test_a_copy_of_an_unknown_picture_is_suspect(read: Read) -> None:
    record = one(read, **{"derived from": "z.png"})
    assert record.suspect == "it is derived from z.png, which no row names"


@pytest.mark.parametrize(
    ("cells", "source"),
    [
        ({}, ()),
        ({"source": "https://example.org/1"}, (Source(url="https://example.org/1", tier="social"),)),
        ({"source": "Ostholm FC", "tier": "official"}, (Source(publisher="Ostholm FC", tier="official"),)),
        (
            {
                "source": "The Whistle",
                "source URL": "https://example.org/2",
                "Source Tier": "Press",
                "date": "2024-07-01",
            },
            (Source(url="https://example.org/2", publisher="The Whistle", tier="media", retrieved_on="2024-07-01"),),
        ),
        ({"tier": "fictional", "licence": "CC0-1.0"}, (Source(tier="fictional", license="CC0-1.0"),)),
    ],
)
def test_sources(read: Read, cells: dict[str, str], source: tuple[Source, ...]) -> None:
    assert one(read, **cells).sources == source


def test_a_source_without_a_tier_is_the_least_trusted_and_noted(read: Read) -> None:
    imported = read(row(source="The Whistle"), row(source="The Whistle", picture="b.png"))
    assert said(imported, "note") == ["2 sources have no tier; taken as social, the least trusted"]


def test_a_date_that_could_be_two_is_said(read: Read) -> None:
    imported = read(
        row(source="The Whistle", tier="media", date="03/04/2024", attribute="transfer date", value="03/04/2024")
    )
    assert imported.records[0].sources[0].retrieved_on is None
    assert said(imported, "note") == ["line 2: 03/04/2024 could be two dates: say --set dates=day-first or month-first"]
    record = read(row(date="03/04/2024", source="x", tier="media"), dates="day-first").records[0]
    assert record.sources[0].retrieved_on == "2024-04-03"
    imported = read(row(source="The Whistle", tier="media", date="last week"))
    assert "the source's date 'last week' is left out" in said(imported, "note")[0]


# ---------------------------------------------------------------------------------------------
# Twice, and ids


def test_the_same_claim_twice_counts_once(read: Read) -> None:
    imported = read(row(), row(picture="./a.png"), row(attribute="fee", value="€4m"))
    assert len(imported.records) == 2
    assert said(imported, "duplicate") == ["line 3: the same as line 2 of claims.csv"]


def test_a_further_source_of_a_claim_joins_it(read: Read) -> None:
    rows = [row(source=name, tier="media") for name in ("The Whistle", "Ostholm FC", "The Whistle")]
    imported = read(*rows)
    (record,) = imported.records
    assert [source.publisher for source in record.sources] == ["The Whistle", "Ostholm FC"]
    assert said(imported, "merged") == ["line 3: a further source of line 2 of claims.csv"]
    assert said(imported, "duplicate") == ["line 4: the same as line 2 of claims.csv"]


def test_a_contradiction_is_kept_under_an_id_of_its_own(read: Read) -> None:
    first, second = read(row(), row(value="Marina")).records
    assert first.record_id != second.record_id


def test_ids_come_from_subject_picture_and_attribute_alone(read: Read) -> None:
    before = read(row(), row(attribute="fee", value="€4m"))
    after = read(
        row(attribute="Fee", value="€5m", picture="./a.png", veracity="rumor", source="x"),
        row(value="Marina", question="Where?", answer="At Marina."),
    )
    assert {r.record_id for r in before.records} == {r.record_id for r in after.records}


# ---------------------------------------------------------------------------------------------
# Surprises

SURPRISES: list[tuple[dict[str, Any], str]] = [
    ({"subject": ""}, "has no subject; only questions of the splits general and utility have none"),
    ({"subject": "!?"}, "has no subject"),
    ({"attribute": ""}, "has neither attribute nor question"),
    ({"attribute": "", "question": "Who?"}, "has a value, but neither attribute nor answer"),
    ({"attribute": "clubb"}, "unknown attribute 'clubb'. Did you mean 'club'? Known: age"),
    ({"value": ""}, "has neither value nor answer (or the cell holds an error)"),
    ({"veracity": "perhaps"}, "unknown veracity 'perhaps'. Known: confirmed"),
    ({"split": "middle"}, "unknown split 'middle'. Known: "),
    ({"channel": "radio"}, "unknown rumor channel 'radio'"),
    ({"tier": "best"}, "unknown tier 'best'"),
    ({"choices": "one"}, "choices must be at least two different texts"),
    ({"choices": "Ostholm|Marina", "correct answer": "C"}, "the correct choice is 'C'"),
]


@pytest.mark.parametrize(("cells", "why"), SURPRISES, ids=[why for _, why in SURPRISES])
def test_a_bad_row_is_reported_and_the_rest_goes_on(read: Read, cells: dict[str, Any], why: str) -> None:
    imported = read(row(**cells), row(picture="b.png"))
    assert len(imported.records) == 1
    (reason,) = said(imported, "rejected")
    assert reason.startswith(f"line 2: {why}")


def test_unknown_columns_are_reported(read: Read) -> None:
    assert said(read(row(Notes="seen", colour="")), "note") == ["columns that are not imported: Notes, colour"]


def test_missing_columns_are_asked_for(read: Read) -> None:
    with pytest.raises(
        UsageError, match=r"(?s)claims\.csv: no column is known.*Worüber: 'fee'.*--set attribute=COLUMN"
    ):
        read({"Subject": "Tavo", "Worüber": "fee", "Value": "€4m"})
    imported = read({"Subject": "Tavo", "Worüber": "age", "Value": "28"}, attribute="Worüber")
    assert imported.records[0].attribute == "age"


@pytest.mark.parametrize("name", ["claims.txt", "claims.ods", "claims"])
def test_another_kind_of_file_says_what_is_known(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x", encoding="utf-8")
    with pytest.raises(SourceError, match="not a table; known endings"):
        claims.read(tmp_path / name, ReadOptions(taxonomy=load_taxonomy()))
    with pytest.raises(SourceError, match="is a folder; give the file"):
        claims.read(tmp_path, ReadOptions(taxonomy=load_taxonomy()))


# ---------------------------------------------------------------------------------------------
# What a curator can't see, or means otherwise


def test_what_nobody_sees_is_left_out_and_told_by_row(read: Read) -> None:
    cells = {"subject": "Ta\u200bvo\u202e Brinkhaus", "value": "Ost\x00holm", "occasion": "the\x0bgala"}
    imported = read(row(**cells), row(attribute="fee", value="€5m"))
    first, _ = imported.records
    assert (first.subject_id, first.answer) == ("tavo-brinkhaus", "The player was with Ostholm.")
    assert imported.pictures[0].occasion == "the gala"
    assert [(remark.index, remark.why) for remark in imported.remarks if remark.index is not None] == [
        (0, "line 2: left out of subject, for nobody sees it: U+200B, U+202E"),
        (0, "line 2: left out of value, for nobody sees it: U+0000"),
        (0, "line 2: left out of occasion, for nobody sees it: U+000B"),
    ]
    assert first.source_record is not None
    assert first.source_record.answer == "Ost\x00holm"


@pytest.mark.parametrize(
    ("attribute", "meant"),
    [
        ("Date of birth", "birth_date"),
        ("DOB", "birth_date"),
        ("born on", "birth_date"),
        ("Place of Birth", "birth_place"),
        ("Team", "club"),
        ("Former club", "previous_club"),
        ("preferred foot", "foot"),
        ("Value on the market", "market_value"),
        ("Country", "nationality"),
    ],
)
def test_an_attribute_is_suggested_by_what_people_call_it(read: Read, attribute: str, meant: str) -> None:
    (why,) = said(read(row(attribute=attribute)), "rejected")
    assert f"unknown attribute {attribute!r}. Did you mean {meant!r}? Known: age, birth_date" in why


def test_nothing_is_suggested_for_what_is_nothing_of_ours(read: Read) -> None:
    (why,) = said(read(row(attribute="Boot sponsor")), "rejected")
    assert "Did you mean" not in why


def test_an_answer_is_as_good_as_a_value(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("subject,attribute,answer\nTavo,club,The player was with Ostholm.\n")
    assert claims.recognises(source)


def test_a_table_of_nothing_known_names_its_columns(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("Spieler;Merkmal;Wert\nTavo;club;Ostholm\n")
    assert not claims.recognises(source)
    with pytest.raises(UsageError, match=r"Its columns are Spieler, Merkmal, Wert\..*--format claims --set subject="):
        recognise(source)
