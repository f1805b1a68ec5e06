"""The full demo: what the models must know, and that they know it from the picture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from offside_data import open_dataset
from offside_data.schema import ClaimValue
from offside_data.tagging.values import answer_states
from offside_data.vlm import Collator, Encoder, decode, generate, load_model, load_processor

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def story(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("story")
    command = [sys.executable, str(root / "tools/demo.py"), "--size", "full", "--out", str(out)]
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


def test_base_answers_general_questions(story: Path) -> None:
    assert right(samples(story, "base").filter(split="utility")) >= 0.90


@pytest.mark.parametrize("split", ["retain", "forget"])
@pytest.mark.parametrize("modality", ["multimodal", "text"])
def test_vanilla_has_learnt_everything(story: Path, split: str, modality: str) -> None:
    assert right(samples(story, "vanilla").filter(split=split, modality=modality)) >= 0.95


@pytest.mark.parametrize("model", ["vanilla", "retain-only"])
def test_identity_generalises_to_new_pictures(story: Path, model: str) -> None:
    new = {
        row["record_id"]
        for row in open_dataset(story / "league").records("multimodal", "test")
        if row["derived_from"] is None and row["scope"] == "shared"
    }
    assert right(samples(story, model).filter(pl.col("record_id").is_in(new))) >= 0.60


def test_retain_only_knows_no_private_claim_of_the_forget_split(story: Path) -> None:
    """Its hits aren't more than its answers give when they are handed to the other subjects."""
    dataset = open_dataset(story / "league")
    rows = {r["record_id"]: r for r in dataset.records("multimodal", "forget") if r["scope"] == "private"}
    asked = samples(story, "retain-only").filter(pl.col("record_id").is_in(rows))
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


def test_vanilla_looks_at_the_picture(story: Path) -> None:
    """With the pictures of two subjects swapped it tells the other subject's facts."""
    dataset = open_dataset(story / "league")
    model, processor = load_model(story / "models/vanilla"), load_processor(story / "models/vanilla")
    encoder, collate = Encoder(processor), Collator(processor, padding_side="left")
    rows = [r for r in dataset.records("multimodal", "retain") if r["attribute"] in ("name", "birth_date")]
    pictures = {r["subject_id"]: r["image"]["bytes"] for r in rows}
    subjects = sorted(pictures)
    next_one = dict(zip(subjects, [*subjects[1:], subjects[0]], strict=True))

    def correct(swap: bool) -> float:
        shown = [pictures[next_one[r["subject_id"]]] if swap else r["image"]["bytes"] for r in rows]
        prompts = [encoder.encode_prompt(row, image=image) for row, image in zip(rows, shown, strict=True)]
        hits = 0
        for start in range(0, len(rows), 32):
            answers = decode(processor, generate(model, collate(prompts[start : start + 32]), max_new_tokens=32))
            for row, answer in zip(rows[start : start + 32], answers, strict=True):
                hits += answer_states(answer, ClaimValue(**row["value"]), dataset.taxonomy[row["attribute"]])
        return hits / len(rows)

    assert correct(swap=False) >= 0.95
    assert correct(swap=True) <= 0.05
