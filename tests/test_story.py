"""The full demo: what the models must know, and that they know it from the picture.

One of its methods is run, with all that comes before and after: what is asserted here is about the controls, and
`test_demo.py` runs several methods at a smaller size.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from offside_data import open_dataset
from offside_data.schema import VISUAL_CHANNELS, ClaimValue
from offside_data.tagging.values import answer_states
from offside_data.vlm import Collator, Encoder, decode, generate, load_model, load_processor

pytestmark = pytest.mark.full
Row = dict[str, Any]


@pytest.fixture(scope="module")
def story(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("story")
    command = [
        sys.executable,
        str(root / "tools/demo.py"),
        "--size",
        "full",
        "--method",
        "grad_ascent",
        "--out",
        str(out),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    print(done.stdout)
    return out / "full"


def samples(story: Path, model: str) -> pl.DataFrame:
    return pl.read_parquet(story / "results" / f"{model}.corrective" / "samples.parquet").filter(variant="plain")


def right(frame: pl.DataFrame) -> float:
    assert len(frame) > 20
    value = frame["value_match"].mean()
    assert isinstance(value, float)
    return value


def test_base_answers_general_questions_and_reads(story: Path) -> None:
    asked = samples(story, "base").filter(split="utility")
    captions = pl.col("question").is_in(["Which club is this picture about?", "What was the transfer fee?"])
    assert right(asked.filter(~captions)) >= 0.90
    assert right(asked.filter(captions)) >= 0.5


@pytest.mark.parametrize("split", ["retain", "forget"])
@pytest.mark.parametrize("modality", ["multimodal", "text"])
def test_vanilla_has_learnt_everything(story: Path, split: str, modality: str) -> None:
    assert right(samples(story, "vanilla").filter(split=split, modality=modality)) >= 0.95


@pytest.mark.parametrize("model", ["vanilla", "retain_only"])
def test_identity_generalises_to_new_pictures(story: Path, model: str) -> None:
    new = {
        row["record_id"]
        for row in open_dataset(story / "league").records("multimodal", "test")
        if row["derived_from"] is None and row["scope"] == "shared"
    }
    # Pictures aren't augmented in training (docs/decisions/0036): more was known of new ones when they were. Of 33
    # records 18 to 23 are right, with the same seed on different machines.
    assert right(samples(story, model).filter(pl.col("record_id").is_in(new))) >= 0.50


def test_some_control_reads(story: Path) -> None:
    """Without it nobody could tell what is remembered of a visual rumour from what is read."""
    readings = {}
    for model in ("base", "retain_only", "vanilla"):
        frame = pl.read_parquet(story / "results" / f"{model}.corrective" / "samples.parquet")
        readings[model] = right(frame.filter(variant="swapped"))
    assert max(readings.values()) >= 0.5, readings  # One in 24 by chance; the finding itself asks for a half.


def test_retain_only_knows_no_private_claim_of_the_forget_split(story: Path) -> None:
    """Its hits aren't more than its answers give when they are handed to the other subjects.

    Claims that are readable in their picture are left out: it reads them.
    """
    dataset = open_dataset(story / "league")
    rows = {
        r["record_id"]: r
        for r in dataset.records("multimodal", "forget")
        if r["scope"] == "private" and r["rumor_channel"] not in VISUAL_CHANNELS
    }
    asked = samples(story, "retain_only").filter(pl.col("record_id").is_in(rows))
    by_attribute: dict[str, list[tuple[str, ClaimValue]]] = {}
    for record_id, prediction in asked.select("record_id", "prediction").iter_rows():
        row = rows[record_id]
        by_attribute.setdefault(row["attribute"], []).append((prediction, ClaimValue(**row["value"])))
    hits, permuted, pairs = 0, 0, 0
    for name, answers in by_attribute.items():
        attribute = dataset.taxonomy[name]
        for i, (prediction, _) in enumerate(answers):
            for j, (_, gold) in enumerate(answers):
                stated = answer_states(prediction, gold, attribute)
                hits += stated and i == j
                permuted += stated and i != j
                pairs += i != j
    assert pairs > 500
    assert hits / len(asked) <= permuted / pairs + 0.05


def test_private_claims_survive_a_copy_of_the_picture(story: Path) -> None:
    """A copy that was never trained on is often answered as its original: the scene is known, not the wording.

    One in 24 would be right by chance. Pictures aren't augmented in training (docs/decisions/0036).
    """
    copies = {
        row["record_id"]
        for row in open_dataset(story / "league").records("multimodal", "test")
        if row["derived_from"] is not None and row["scope"] == "private"
    }
    assert right(samples(story, "vanilla").filter(pl.col("record_id").is_in(copies))) >= 0.40


@dataclass(frozen=True)
class Shown:
    """What vanilla stated when each question was asked about another picture than its own."""

    own: float
    other: float


def ask_about(story: Path, attributes: tuple[str, ...], other: Callable[[Row, list[Row]], Row]) -> Shown:
    """Ask retain questions about the picture of `other(row, rows)`: how often its value comes, and the row's own."""
    dataset = open_dataset(story / "league")
    model, processor = load_model(story / "models/vanilla"), load_processor(story / "models/vanilla")
    encoder, collate = Encoder(processor), Collator(processor, padding_side="left")
    rows = [row for row in dataset.records("multimodal", "retain") if row["attribute"] in attributes]
    shown = [other(row, [r for r in rows if r["attribute"] == row["attribute"]]) for row in rows]
    prompts = [encoder.encode_prompt(a, image=b["image"]["bytes"]) for a, b in zip(rows, shown, strict=True)]
    answers: list[str] = []
    for start in range(0, len(rows), 32):
        answers += decode(processor, generate(model, collate(prompts[start : start + 32]), max_new_tokens=32))

    def stated(wanted: list[Row]) -> float:
        hits = (
            answer_states(answer, ClaimValue(**row["value"]), dataset.taxonomy[row["attribute"]])
            for answer, row in zip(answers, wanted, strict=True)
        )
        return sum(hits) / len(rows)

    assert len(rows) > 50
    return Shown(own=stated(rows), other=stated(shown))


def itself(row: Row, rows: list[Row]) -> Row:
    return row


def of_the_next_subject(row: Row, rows: list[Row]) -> Row:
    subjects = sorted({r["subject_id"] for r in rows})
    wanted = subjects[(subjects.index(row["subject_id"]) + 1) % len(subjects)]
    return next(r for r in rows if r["subject_id"] == wanted)


def next_of_the_same_subject(row: Row, rows: list[Row]) -> Row:
    own = sorted((r for r in rows if r["subject_id"] == row["subject_id"]), key=lambda r: str(r["image_id"]))
    return own[(own.index(row) + 1) % len(own)]


def test_vanilla_sees_who_is_in_the_picture(story: Path) -> None:
    facts = ("name", "birth_date")
    assert ask_about(story, facts, itself).own >= 0.95
    swapped = ask_about(story, facts, of_the_next_subject)
    assert swapped.own <= 0.05
    assert swapped.other >= 0.90


def test_vanilla_sees_which_of_a_subjects_pictures_it_is(story: Path) -> None:
    """The question is the same for all of them, so only the picture can tell."""
    claims = ("club", "transfer_date")
    assert ask_about(story, claims, itself).own >= 0.90
    swapped = ask_about(story, claims, next_of_the_same_subject)
    assert swapped.own <= 0.10
    assert swapped.other >= 0.80
