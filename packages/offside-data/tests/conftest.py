"""Helpers that build small datasets of fictional people; no test reaches the network."""

from __future__ import annotations

import dataclasses
import io
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))  # For `whole_dataset`, which several tests use.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")

from PIL import Image, ImageDraw

from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import change_dataset, new_dataset
from offside_data.files import write_json
from offside_data.release.releasing import make_release
from offside_data.schema import (
    ClaimValue,
    EncodedImage,
    Record,
    make_image_id,
    make_record_id,
)
from offside_data.taxonomy import Taxonomy, load_taxonomy, shipped_taxonomy_text

SUBJECTS = {"s1": "Orlo Vantis", "s2": "Bremi Kaldo", "s3": "Tavin Merrow", "s4": "Ylva Rosk"}
CLUBS = ("Norvale Rovers", "Emberlin FC", "Kestrin City", "Port Dalling")
NATIONS = ("Avaria", "Belmora", "Cestria", "Dovania")
PLAN = (("p1", "retain"), ("p2", "test"), ("p3", "forget"), ("p4", "relearn"))


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load_taxonomy("football")


def png(seed: int, size: int = 32) -> bytes:
    """A picture of noise, so that it can't be compressed: another one for each seed."""
    pixels = random.Random(seed).randbytes(size * size * 3)
    stream = io.BytesIO()
    Image.frombytes("RGB", (size, size), pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="session")
def make_png() -> Callable[..., bytes]:
    return png


def scene(seed: int, size: int = 120) -> Image.Image:
    """A picture with something to recognise, another one for each seed; no two have near hashes."""
    source = random.Random(seed)
    picture = Image.frombytes("RGB", (5, 5), source.randbytes(75)).resize((size, size), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y = source.randrange(size), source.randrange(size)
        red, green, blue = source.randbytes(3)
        draw.ellipse((x, y, x + source.randrange(8, 40), y + source.randrange(8, 40)), fill=(red, green, blue))
    return picture


@pytest.fixture(scope="session")
def make_scene() -> Callable[..., Image.Image]:
    return scene


def record(**changes: Any) -> Record:
    """A valid record of the retain split; anything can be changed."""
    values: dict[str, Any] = {
        "record_id": make_record_id("test", "s1", "p1", "nationality", "multimodal"),
        "subject_id": "s1",
        "image_id": make_image_id("test", "p1"),
        "image": EncodedImage(bytes=png(1), path="p1.png"),
        "modality": "multimodal",
        "split": "retain",
        "attribute": "nationality",
        "scope": "shared",
        "veracity": "fact",
        "question": "Which country does this player represent?",
        "answer": "The player represents Avaria.",
        "value": ClaimValue(kind="place", text="Avaria"),
        "perturbed_answers": ("The player represents Belmora.",),
        "choices": ("Avaria", "Belmora", "Cestria"),
        "correct_choice": 0,
    }
    return Record(**{**values, **changes})


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    return record


def small_records() -> list[Record]:
    """Four subjects, four pictures each: a shared fact and a private claim a picture, some as text.

    The forget picture of `s1` shows its rumour; the test picture is made from the retain picture.
    """
    records = []
    for number, (subject, name) in enumerate(SUBJECTS.items()):
        nation, club, rumored = NATIONS[number], CLUBS[number], CLUBS[(number + 1) % 4]
        for place, (picture, split) in enumerate(PLAN):
            key = f"{subject}/{picture}"
            rumor = split == "forget"
            claim = rumored if rumor else club
            # What another picture says of the subject is no wrong answer.
            options = tuple(name for name in CLUBS if name == claim or name not in (club, rumored))
            common = {
                "subject_id": subject,
                "image_id": make_image_id("test", key),
                "split": split,
                "derived_from": make_image_id("test", f"{subject}/p1") if split == "test" else None,
            }
            private = {
                **common,
                "attribute": "club",
                "scope": "private",
                "veracity": {"forget": "rumor", "relearn": "correction"}.get(split, "fact"),
                "rumor_channel": ("image" if subject == "s1" else "text") if rumor else "none",
                "answer": f"The player was with {claim}.",
                "value": ClaimValue(kind="name", text=claim),
                "perturbed_answers": (),
                "choices": options,
                "correct_choice": options.index(claim),
            }
            image = EncodedImage(bytes=png(10 * number + place), path=f"{common['image_id']}.png")
            records += [
                record(
                    **common,
                    record_id=make_record_id("test", subject, key, "nationality", "multimodal"),
                    image=image,
                    answer=f"The player represents {nation}.",
                    value=ClaimValue(kind="place", text=nation),
                    perturbed_answers=(f"The player represents {NATIONS[number - 1]}.",),
                    choices=NATIONS,
                    correct_choice=number,
                ),
                record(
                    **private,
                    record_id=make_record_id("test", subject, key, "club", "multimodal"),
                    image=image,
                    question="Which club is this picture about?",
                    corrects=make_record_id("test", subject, f"{subject}/p3", "club", "multimodal")
                    if split == "relearn"
                    else None,
                ),
            ]
            if split in ("retain", "forget"):
                records.append(
                    record(
                        **private,
                        record_id=make_record_id("test", subject, key, "club", "text"),
                        image=None,
                        modality="text",
                        question=f"In the photo {picture} of {name}, which club is the player linked with?",
                    )
                )
    return records


@pytest.fixture
def records() -> list[Record]:
    return small_records()


def write(out: Path, records: Iterable[Record], **options: Any) -> OffsideDataset:
    """Write a dataset with the tables that its records need, and open it."""
    kept = list(records)
    settings: dict[str, Any] = {
        "name": "small",
        "taxonomy": shipped_taxonomy_text("football"),
        "license": "cc0-1.0",
        "description": "Four invented people.",
    }
    decisions = options.pop("decisions", ())
    with new_dataset(out, **{**settings, **options}) as writer:
        writer.add_records(kept)
        writer.add_subjects(
            {"subject_id": subject, "name": SUBJECTS.get(subject), "cohort": "member"}
            for subject in sorted({r.subject_id for r in kept if r.subject_id})
        )
        writer.add_images(
            {"image_id": image, "width": 32, "height": 32} for image in sorted({r.image_id for r in kept if r.image_id})
        )
        writer.decide(decisions)
    return open_dataset(out)


@pytest.fixture(scope="session")
def write_dataset() -> Callable[..., OffsideDataset]:
    return write


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> OffsideDataset:
    """A dataset without a fault; don't change its files."""
    return write(tmp_path_factory.mktemp("small") / "data", small_records())


def edit(dataset: OffsideDataset, part: str, change: Callable[[list[dict[str, Any]]], Any]) -> OffsideDataset:
    """Change the rows of a part behind the card's back; `change` works in place or returns new rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (path,) = dataset.files(part)
    table = pq.read_table(path, partitioning=None)
    rows = table.to_pylist()
    changed = change(rows)
    pq.write_table(pa.Table.from_pylist(rows if changed is None else changed, schema=table.schema), path)
    return open_dataset(dataset.path)


@pytest.fixture(scope="session")
def edit_rows() -> Callable[..., OffsideDataset]:
    return edit


@pytest.fixture
def fresh(small: OffsideDataset, tmp_path: Path) -> OffsideDataset:
    """A copy of `small` of this test's own."""
    return open_dataset(shutil.copytree(small.path, tmp_path / "fresh"))


# ---------------------------------------------------------------------------------------------
# Releases


def write_plain_croissant(folder: Path, card: Card) -> None:
    write_json(folder / "croissant.json", {"name": card.name, "version": card.version, "description": card.body})


@pytest.fixture
def plain_croissant(monkeypatch: pytest.MonkeyPatch) -> None:
    """`croissant.json` without the library that checks it, which takes seconds to import; it has tests of its own."""
    monkeypatch.setattr("offside_data.release.croissant.write_croissant", write_plain_croissant)


Edit = Callable[..., None]


@pytest.fixture(scope="session")
def edit_records() -> Edit:
    """Change fields of the records for which a condition holds, in place."""

    def edit(folder: Path, condition: Callable[[Any], bool], **fields: Any) -> None:
        dataset = open_dataset(folder)
        hits = [dataclasses.replace(record, **fields) for record in dataset.iter_records() if condition(record)]
        assert hits
        with change_dataset(dataset) as change:
            change.update_records(hits, fields)

    return edit


class Killed(BaseException):
    """Stands for `kill -9`: nothing cleans up after it."""


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], Any]], bool]:
    """Run something and kill it at the n-th move of a file; says whether it got that far."""

    def run(at: int, work: Callable[[], Any]) -> bool:
        real, moves = os.replace, 0

        def replace(*args: Any) -> None:
            nonlocal moves
            if moves == at:
                raise Killed
            moves += 1
            real(*args)

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", replace)
            try:
                work()
            except Killed:
                return True
        return False

    return run


@pytest.fixture(scope="session")
def first_release(small: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small dataset, released as 1.0.0; don't change its files."""
    folder = shutil.copytree(small.path, tmp_path_factory.mktemp("released") / "data")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("offside_data.release.croissant.write_croissant", write_plain_croissant)
        make_release(folder, bump="major", note="The first one.")
    return folder


@pytest.fixture
def released(first_release: Path, tmp_path: Path) -> Path:
    """A copy of that release of this test's own."""
    return shutil.copytree(first_release, tmp_path / "released")
