"""Rows of the subjects and the images table of a fictional league."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from offside_data.fictional.general import GeneralPicture
from offside_data.fictional.pictures import caption_lines
from offside_data.fictional.portraits import Portrait
from offside_data.fictional.records import LICENSE, RecordBuilder
from offside_data.fictional.subjects import Subject
from offside_data.fictional.world import Claims
from offside_data.images.hashing import hash_image

Row = dict[str, Any]


def subject_rows(subjects: Iterable[Subject]) -> list[Row]:
    """One row a subject, with the shared facts."""
    return [
        {
            "subject_id": subject.subject_id,
            "name": subject.name,
            "cohort": subject.cohort,
            "facts": [{"attribute": name, "text": value.text} for name, value in subject.facts.items()],
            "license": LICENSE,
            "source": "generated",
        }
        for subject in subjects
    ]


def portrait_rows(builder: RecordBuilder, portraits: Iterable[Portrait]) -> Iterator[Row]:
    """One row a picture of a subject, and after a visual rumour one for each of its twins."""
    for picture, drawing, twins in portraits:
        row = {
            **_empty_row(builder.image_id(picture.key)),
            "subject_id": picture.subject.subject_id,
            "split": picture.split,
            "occasion": picture.occasion,
            "derived_from": builder.image_id(picture.derived_from) if picture.derived_from else None,
        }
        yield row | asdict(drawing.hashes) | _readable(picture.shown)
        for twin, data in twins.items():
            key = f"{picture.key}/{twin}"
            yield {
                **row,
                **asdict(hash_image(data)),
                **_readable(picture.swapped if twin == "swapped" else {}),
                "image_id": builder.image_id(key),
                "image": {"bytes": data, "path": file_name(key)},
                "twin_of": row["image_id"],
                "twin": twin,
            }


def general_rows(builder: RecordBuilder, pictures: Iterable[GeneralPicture]) -> Iterator[Row]:
    """One row a general picture."""
    for picture in pictures:
        yield {
            **_empty_row(builder.image_id(picture.key)),
            **asdict(picture.drawing.hashes),
            "split": picture.split,
        }


def file_name(key: str) -> str:
    """The file name of the picture with this source key."""
    return key.replace("/", "-") + ".png"


def _readable(shown: Claims) -> Row:
    return {
        "shown": [{"attribute": name, "text": value.text} for name, value in shown.items()],
        "text_found": "\n".join(caption_lines(shown)) or None,
    }


def _empty_row(image_id: str) -> Row:
    return {
        "image_id": image_id,
        "subject_id": None,
        "split": None,
        "occasion": None,
        "image": None,
        "license": LICENSE,
        "source": "generated",
        "text_found": None,
        "derived_from": None,
        "twin_of": None,
        "twin": None,
        "shown": [],
    }
