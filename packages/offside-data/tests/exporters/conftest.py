"""A squad of invented players with everything a release has: 14 claims a picture, all splits, the text form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.schema import ClaimValue, EncodedImage, Record, make_image_id, make_record_id
from offside_data.taxonomy import Taxonomy

NAMES = {"s1": "Orlo Vantis", "s2": "Bremi Kaldo", "s3": "Tavin Merrow"}
PICTURES = (
    ("a", "retain", None),
    ("b", "retain", None),
    ("c", "retain", None),
    ("d", "forget", None),
    ("e", "relearn", None),
    ("f", "test", "b"),
    ("g", "test", None),
    ("h", "holdout", None),
    ("u", "utility", None),
)
VALUES = {
    "name": ("Orlo Vantis", "Bremi Kaldo", "Tavin Merrow", "Ylva Rosk"),
    "age": ("21", "24", "27", "30"),
    "position": ("Goalkeeper", "Left-Back", "Right Winger", "Second Striker"),
    "nationality": ("Avaria", "Belmora", "Cestria", "Dovania"),
    "birth_date": ("May 3, 1997", "June 8, 1999", "July 1, 2001", "March 9, 1995"),
    "height": ("1.79 meters", "1.84 meters", "1.90 meters", "1.68 meters"),
    "foot": ("left", "right", "both"),
    "birth_place": ("Norvale", "Kestrin", "Dalling", "Emberlin"),
    "club": ("Norvale Rovers", "Emberlin FC", "Kestrin City", "Port Dalling"),
    "previous_club": ("Ostrel FC", "Ulmbridge FC", "Tarnwick United", "Drosk United"),
    "transfer_date": ("July 1, 2019", "July 2, 2020", "July 3, 2021", "July 4, 2022"),
    "fee": ("€4.10 million", "€5.20 million", "€6.30 million", "€7.40 million"),
    "market_value": ("€3.00m", "€4.50m", "€12.50m", "€25.00m"),
    "trophies": ("1", "2", "8", "9"),
}


def squad_records(taxonomy: Taxonomy, png: Callable[..., bytes], phrasing: int = 0) -> Iterator[Record]:
    """All records of the squad; pictures are noise, one for each subject and letter.

    `phrasing` chooses among the taxonomy's wordings of each question and answer.
    """

    def worded(texts: tuple[str, ...]) -> str:
        return texts[phrasing % len(texts)]

    for number, (subject, name) in enumerate(NAMES.items()):
        for place, (letter, split, original) in enumerate(PICTURES):
            key = f"{subject}/{letter}"
            image = EncodedImage(bytes=png(100 * number + place), path=f"{letter}.png")
            common: dict[str, Any] = {
                "image_id": make_image_id("squad", key),
                "split": split,
                "derived_from": make_image_id("squad", f"{subject}/{original}") if original else None,
            }
            if split == "utility":
                yield Record(
                    **common,
                    record_id=make_record_id("squad", None, key, None, "multimodal"),
                    subject_id=None,
                    image=image,
                    modality="multimodal",
                    attribute=None,
                    scope=None,
                    veracity="fact",
                    question="Which colour is the ball?",
                    answer="The ball is red.",
                    choices=("red", "blue"),
                    correct_choice=0,
                    cloze="The ball is ____.",
                )
                continue
            known = taxonomy.attributes
            if split == "test" and original is None:
                known = tuple(a for a in known if a.scope == "shared")
            for attribute in known:
                values = VALUES[attribute.name]
                shift = place if attribute.scope == "private" and original is None else 0
                value = values[(number + shift) % len(values)]
                rumor = split == "forget" and attribute.scope == "private"
                sentence = worded((attribute.rumor_answers if rumor else ()) or attribute.answers)
                veracity = {"forget": "rumor", "relearn": "correction"}.get(split, "fact")
                claim: dict[str, Any] = {
                    **common,
                    "subject_id": subject,
                    "attribute": attribute.name,
                    "scope": attribute.scope,
                    "veracity": veracity if attribute.scope == "private" else "fact",
                    "rumor_channel": "text" if rumor else "none",
                    "answer": sentence.format(value=value),
                    "value": ClaimValue(kind=attribute.kind, text=value),
                    "choices": values,
                    "correct_choice": values.index(value),
                    "cloze": sentence.format(value="____"),
                }
                yield Record(
                    **claim,
                    record_id=make_record_id("squad", subject, key, attribute.name, "multimodal"),
                    image=image,
                    modality="multimodal",
                    question=worded(attribute.questions),
                )
                shared = attribute.scope == "shared"
                if split not in ("retain", "forget", "relearn") or not attribute.text_questions:
                    continue
                if shared and letter != "a":
                    continue
                asked = worded(attribute.text_questions).format(subject=name, occasion=f"the gala {letter}")
                yield Record(
                    **{**claim, "image_id": None if shared else common["image_id"]},
                    record_id=make_record_id("squad", subject, None if shared else key, attribute.name, "text"),
                    image=None,
                    modality="text",
                    question=asked,
                )


@pytest.fixture(scope="session")
def squad_of(taxonomy: Taxonomy, make_png: Callable[..., bytes]) -> Callable[..., list[Record]]:
    return lambda phrasing=0: list(squad_records(taxonomy, make_png, phrasing))


@pytest.fixture(scope="session")
def squad(
    squad_of: Callable[..., list[Record]],
    write_dataset: Callable[..., OffsideDataset],
    tmp_path_factory: pytest.TempPathFactory,
) -> OffsideDataset:
    """A dataset without a fault; don't change its files."""
    return write_dataset(tmp_path_factory.mktemp("squad") / "data", squad_of(), name="squad")


@pytest.fixture(scope="session")
def exported(squad: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The squad's export in a format, made once; don't change its files."""
    from offside_data.export import export_dataset

    known: dict[str, Path] = {}

    def export(name: str) -> Path:
        if name not in known:
            known[name] = tmp_path_factory.mktemp("exports") / name
            export_dataset(squad.path, known[name], name)
        return known[name]

    return export
