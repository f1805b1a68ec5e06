from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from offside_data.errors import RecordError
from offside_data.schema import ClaimValue, Record, Source
from offside_data.taxonomy import Taxonomy
from offside_data.validation import row_problems, validate_record


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
