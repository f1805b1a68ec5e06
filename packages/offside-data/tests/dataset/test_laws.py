"""Whatever changes a dataset goes through, it reads back as a model kept in plain Python, pictures included."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from offside_data.dataset import pictures, storage, writer
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import Transaction, change_dataset
from offside_data.schema import EncodedImage, Record

STEPS = 4
SEEDS = [pytest.param(seed, marks=() if seed < 2 else pytest.mark.full) for seed in range(5)]
Model = dict[str, Record]
Step = Callable[[random.Random, Transaction, Model], None]

TEXTS = ("Ünïcode", "e\u0301 decomposed", "שלום עולם", "🦊👩‍👩‍👧", "a\x00b", "quote ' \" \\ /", "|", "x" * 5_000)


def held(record: Record) -> Record:
    """A record with its picture in memory, so that records can be compared."""
    image = record.image
    return dataclasses.replace(record, image=image and EncodedImage(bytes=image.bytes, path=image.path or ""))


def some(source: random.Random, model: Model) -> list[Record]:
    return source.sample(list(model.values()), source.randint(1, max(1, len(model) // 3)))


def update(source: random.Random, change: Transaction, model: Model) -> None:
    chosen = [dataclasses.replace(r, suspect=source.choice([None, *TEXTS])) for r in some(source, model)]
    change.update_records(chosen, ["suspect"])
    model.update((r.record_id, r) for r in chosen)


def remove(source: random.Random, change: Transaction, model: Model) -> None:
    for record in some(source, model)[: len(model) - 1]:
        change.remove_records([record.record_id])
        del model[record.record_id]


def add(source: random.Random, change: Transaction, model: Model) -> None:
    """More records of pictures that are there, and of new ones."""
    added = []
    for number, record in enumerate(some(source, model)):
        name = f"{record.record_id}/'{source.randrange(10**9)}\"{number}"
        made = dataclasses.replace(record, record_id=name, answer=f"It is {source.choice(TEXTS[:4])}.")
        if record.image is not None and source.random() < 0.5:
            data = source.randbytes(source.randint(1, 200))
            made = dataclasses.replace(made, image_id=f"i{name}", image=EncodedImage(bytes=data, path=f"{number}.png"))
        added.append(made)
    change.add_records(added)
    model.update((r.record_id, r) for r in added)


def move(source: random.Random, change: Transaction, model: Model) -> None:
    chosen = [r for r in some(source, model) if r.split in ("retain", "test") and r.modality == "multimodal"]
    moved = [dataclasses.replace(r, split="test" if r.split == "retain" else "retain") for r in chosen]
    change.update_records(moved, ["split"])
    model.update((r.record_id, r) for r in moved)


def retell(source: random.Random, change: Transaction, model: Model) -> None:
    """All questions made anew, batch by batch."""
    tail = f" ({source.randrange(100)})"
    change.rewrite_records(lambda batches: (b.with_columns(pl.col("question") + tail) for b in batches))
    model.update((name, dataclasses.replace(r, question=r.question + tail)) for name, r in list(model.items()))


def replace_whole(source: random.Random, change: Transaction, model: Model) -> None:
    """Records that go and come back changed, in one transaction, as `undo` does it."""
    chosen = [dataclasses.replace(r, suspect="back again") for r in some(source, model)]
    change.remove_records(r.record_id for r in chosen)
    change.add_records(chosen)
    model.update((r.record_id, r) for r in chosen)


ALL: tuple[Step, ...] = (update, remove, add, move, retell, replace_whole)


def require_same(dataset: OffsideDataset, model: Model) -> None:
    assert dataset.verify() == dataset.digest
    found = [held(record) for record in dataset.iter_records()]
    assert len(found) == len(model)
    assert {record.record_id: record for record in found} == model
    counts = {part: facts.records for part, facts in dataset.card.block.splits.items()}
    assert counts == {
        part: sum(f"{r.modality}/{r.split}" == part for r in model.values()) for part in dataset.record_parts()
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_any_changes_give_what_a_model_says(seed: int, fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "ROWS_PER_GROUP", 3)
    monkeypatch.setattr(storage, "PICTURES_PER_GROUP", 3)
    monkeypatch.setattr(storage, "ROWS_PER_SHARD", 7)
    monkeypatch.setattr(storage, "ROWS_PER_BATCH", 5)
    monkeypatch.setattr(writer, "ROWS_PER_BATCH", 5)
    monkeypatch.setattr(pictures, "_HELD_PER_GROUP", 2)
    source = random.Random(seed)
    model = {r.record_id: held(r) for r in fresh.iter_records()}
    for _ in range(STEPS):
        with change_dataset(fresh.path) as change:
            source.choice(ALL)(source, change, model)
        require_same(open_dataset(fresh.path), model)


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_at_once_give_what_they_give_one_by_one(seed: int, fresh: OffsideDataset) -> None:
    source = random.Random(seed)
    model = {r.record_id: held(r) for r in fresh.iter_records()}
    with change_dataset(fresh.path) as change:
        for step in source.sample((update, remove, move), 3):
            step(source, change, model)
        add(source, change, model)
        retell(source, change, model)
    require_same(open_dataset(fresh.path), model)


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_what_a_digest_says_does_not_depend_on_the_way(seed: int, fresh: OffsideDataset, tmp_path: Path) -> None:
    """The same records, come to by many changes or written at once."""
    source = random.Random(seed)
    model = {r.record_id: held(r) for r in fresh.iter_records()}
    for _ in range(2):
        with change_dataset(fresh.path) as change:
            source.choice(ALL)(source, change, model)
    changed = open_dataset(fresh.path)
    with change_dataset(changed) as change:
        change.remove_records(r.record_id for r in changed.iter_records(["record_id"]))
        change.add_records(source.sample(list(model.values()), len(model)))
    assert open_dataset(fresh.path).verify() == changed.digest
