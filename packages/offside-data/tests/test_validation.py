from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of
from offside_data.errors import RecordError
from offside_data.schema import SPLITS, ClaimValue, Record, Source
from offside_data.taxonomy import Taxonomy
from offside_data.validation import frame_problems, row_problems, validate_record


def test_good_records_pass(records: list[Record], taxonomy: Taxonomy) -> None:
    assert len(records) > 1
    assert [problem for record in records for problem in row_problems(record.to_row(), taxonomy)] == []


def test_a_picture_may_be_missing(make_record: Callable[..., Record], taxonomy: Taxonomy) -> None:
    assert list(row_problems(make_record(image=None).to_row(), taxonomy)) == []


def test_general_records_have_no_subject(make_record: Callable[..., Record], taxonomy: Taxonomy) -> None:
    general = make_record(split="general", subject_id=None, attribute=None, scope=None)
    assert list(row_problems(general.to_row(), taxonomy)) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"record_id": " "}, "no record_id"),
        ({"modality": "video"}, "modality is 'video'; allowed: multimodal, text"),
        ({"split": "train"}, "split is 'train'; allowed: retain, forget"),
        ({"scope": "public"}, "scope is 'public'; allowed: shared, private"),
        ({"veracity": "lie"}, "veracity is 'lie'"),
        ({"rumor_channel": "radio"}, "rumor_channel is 'radio'"),
        ({"sources": (Source(tier="blog"),)}, "sources.tier is 'blog'"),  # type: ignore[arg-type]
        ({"question": ""}, "question is empty"),
        ({"answer": " "}, "answer is empty"),
        ({"question": "<image> Who is this?"}, "question holds a literal <image>"),
        ({"answer": "It is <image>."}, "answer holds a literal <image>"),
        ({"question": "Who is  this?"}, "question has stray blanks"),
        ({"question": "Who is this? "}, "question has stray blanks"),
        ({"answer": "A\nB"}, "answer has stray blanks or line breaks"),
        ({"answer": "A\u00a0B"}, "answer has stray blanks"),
        ({"question_paraphrases": ("a", "")}, "question_paraphrases holds an empty text"),
        ({"cloze": "The player is ____ ."}, None),
        ({"cloze": " ____"}, "cloze has stray blanks"),
        ({"subject_id": None}, "subject_id may be null only in the splits general, utility"),
        ({"attribute": None, "scope": None}, "attribute, scope may be null only"),
        ({"split": "utility"}, "nothing to do with a subject: subject_id, attribute, scope must be null"),
        ({"attribute": "shoe_size"}, "'shoe_size' isn't in the taxonomy 'football', which has name, age"),
        ({"scope": "private"}, "scope is 'private', but the taxonomy says 'nationality' is 'shared'"),
        (
            {"value": ClaimValue(kind="date", text="x")},
            "value.kind is 'date', but 'nationality' is a 'place'",
        ),
        ({"value": ClaimValue(kind="colour", text="x")}, "value.kind is 'colour'; allowed"),  # type: ignore[arg-type]
        ({"value": ClaimValue(kind="place", text="x", number=float("inf"))}, "must be finite"),
        ({"value": ClaimValue(kind="place", text="x", date="3 May")}, "value.date is '3 May'"),
        ({"choices": ()}, "choices and correct_choice go together"),
        ({"correct_choice": None}, "choices and correct_choice go together"),
        ({"correct_choice": 3}, "correct_choice is 3, but there are 3 choices"),
        ({"correct_choice": -1}, "correct_choice is -1"),
        ({"choices": ("A", "a"), "correct_choice": 0}, "at least two different texts"),
        ({"choices": ("A",), "correct_choice": 0}, "at least two different texts"),
        (
            {"perturbed_answers": ("the player represents avaria.",)},
            "true answer stands among perturbed_answers",
        ),
        ({"modality": "text"}, "a text record has no picture"),
        ({"image_id": None}, "needs the image_id"),
        ({"rumor_channel": "image"}, "rumor_channel is 'image', but only rumors have one, not a fact"),
        ({"corrects": "r1"}, "corrects is for private corrections of the relearn split"),
    ],
)
def test_each_rule(
    make_record: Callable[..., Record], taxonomy: Taxonomy, changes: dict[str, Any], message: str | None
) -> None:
    record = make_record(**{"record_id": "r1", **changes})
    if message is None:
        validate_record(record, taxonomy)
        return
    with pytest.raises(RecordError, match=f"record {record.record_id}: .*{re.escape(message)}"):
        validate_record(record, taxonomy)


def test_everything_wrong_is_listed_at_once(make_record: Callable[..., Record], taxonomy: Taxonomy) -> None:
    with pytest.raises(RecordError, match=r"question is empty.*answer is empty"):
        validate_record(make_record(question="", answer=""), taxonomy)


@pytest.mark.parametrize("field", ["question", "answer", "split", "choices", "annotations"])
def test_nulls_in_a_file_are_found(make_record: Callable[..., Record], taxonomy: Taxonomy, field: str) -> None:
    row = {**make_record().to_row(), field: None}
    assert row_problems(row, taxonomy) == [f"{field} may not be null."]


def test_nulls_inside_lists_and_values_are_found(make_record: Callable[..., Record], taxonomy: Taxonomy) -> None:
    row = make_record().to_row()
    row["choices"] = ["a", None]
    row["value"] = {**row["value"], "text": None}
    assert row_problems(row, taxonomy) == ["choices (an item), value.text may not be null."]


# ---------------------------------------------------------------------------------------------
# Many at once

_TEXTS = st.sampled_from(
    (
        *("", " ", "Avaria", "avaria", "ÅVARIA", "straße", "STRASSE", "ﬁ", "FI", "İ", "i̇", "a|b", "|", "<image>"),
        *("a  b", " a", "a ", "a\nb", "a\u00a0b", "a\x1cb", "\u2003"),
        *("The player represents Avaria.", "the player represents avaria."),
    )
)
_NULL = st.none()
_BROKEN: dict[str, st.SearchStrategy[Any]] = {
    "record_id": st.sampled_from(["", " ", None]),
    "subject_id": _NULL,
    "image_id": _NULL,
    "image": _NULL,
    "modality": st.sampled_from(["text", "multimodal", "video", "", None]),
    "split": st.sampled_from([*SPLITS, "train", None]),
    "attribute": st.sampled_from(["club", "nationality", "birth_date", "shoe_size", "", None]),
    "scope": st.sampled_from(["shared", "private", "public", None]),
    "veracity": st.sampled_from(["fact", "rumor", "correction", "lie", None]),
    "rumor_channel": st.sampled_from(["none", "text", "image", "both", "radio", None]),
    "question": _TEXTS | _NULL,
    "answer": _TEXTS | _NULL,
    "cloze": _TEXTS | _NULL,
    "value": _NULL
    | st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["place", "name", "date", "colour", None]),
            "text": st.sampled_from(["Avaria", "", None]),
            "number": st.sampled_from([None, 1.0, float("inf"), float("nan")]),
            "unit": _NULL,
            "currency": _NULL,
            "date": st.sampled_from([None, "2020-05-03", "2020-02-30", "3 May", "20200503", "2020-W01-1", ""]),
        }
    ),
    **{
        field: st.lists(_TEXTS | _NULL, max_size=3) | _NULL
        for field in ("question_paraphrases", "answer_paraphrases", "perturbed_answers", "choices")
    },
    "correct_choice": st.sampled_from([None, -1, 0, 1, 2, 7]),
    "corrects": st.sampled_from(["r2", "", None]),
    "sources": _NULL
    | st.lists(
        st.fixed_dictionaries(
            {
                "tier": st.sampled_from(["official", "media", "blog", None]),
                **dict.fromkeys(("url", "publisher", "retrieved_on", "license"), _NULL),
            }
        )
        | _NULL,
        max_size=2,
    ),
    "annotations": _NULL | st.lists(st.just({"annotator": "a", "value": "b", "at": "2020-01-01"}) | _NULL, max_size=2),
}


@given(
    st.lists(
        st.lists(st.sampled_from(sorted(_BROKEN)), max_size=3, unique=True).flatmap(
            lambda fields: st.fixed_dictionaries({field: _BROKEN[field] for field in fields})
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=300)
def test_law_many_at_once_are_judged_as_each_alone(
    make_record: Callable[..., Record], taxonomy: Taxonomy, changes: list[dict[str, Any]]
) -> None:
    """What the columns call sound must be; a row may be anything that fits into a file."""
    store = PictureStore()
    rows = [{**make_record().to_row(), "record_id": f"r{n}", **fields} for n, fields in enumerate(changes)]
    frame = frame_of(rows, "multimodal", store)
    stored = [{**row, "image": row["image"] and {"bytes": b"", "path": ""}} for row in frame.to_dicts()]
    alone = [(row["record_id"], problems) for row in stored if (problems := row_problems(row, taxonomy))]
    assert list(frame_problems(frame, taxonomy)) == alone
