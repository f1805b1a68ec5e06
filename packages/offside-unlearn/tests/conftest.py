"""A dataset of invented people and a tiny model that all tests share; no test reaches the network."""

from __future__ import annotations

import copy
import functools
import io
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

# For the loopback Hub; last, so that nothing here is hidden by a name there.
sys.path.append(str(Path(__file__).parents[2] / "offside-data" / "tests"))
sys.path.append(str(Path(__file__).parent))  # For `killed_runs`.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")

import torch
from PIL import Image

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import new_dataset
from offside_data.schema import ClaimValue, EncodedImage, Record, make_image_id, make_record_id
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import load_taxonomy, shipped_taxonomy_text
from offside_data.vlm import Collator, Encoded, Encoder
from offside_unlearn import METHODS, RunOptions, finetune, make_tiny
from offside_unlearn.batches import BatchPlan, ExampleSource, PairedBatch, Stream
from offside_unlearn.methods import RequestRecords, SideRecords, UnlearningMethod
from offside_unlearn.start import find_start
from offside_unlearn.task import UnlearnConfig, UnlearnTask

SUBJECTS = {"s1": "Orlo Vantis", "s2": "Bremi Kaldo", "s3": "Tavin Merrow"}
CLUBS = ("Norvale Rovers", "Emberlin FC", "Kestrin City")
NATIONS = ("Avaria", "Belmora", "the Cestrian Isles")
FOOTBALL = load_taxonomy("football")
PLAN = (("p1", "retain"), ("p2", "retain"), ("p3", "forget"), ("p4", "relearn"))


def png(seed: int) -> bytes:
    """A picture with a few large coloured patches."""
    dice = random.Random(seed)
    image = Image.new("RGB", (112, 112))
    for _ in range(12):
        corner = (dice.randrange(112), dice.randrange(112))
        image.paste(tuple(dice.randrange(256) for _ in range(3)), (*corner, corner[0] + 40, corner[1] + 40))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def small_records() -> Iterator[Record]:
    """Three subjects, four pictures each: a shared fact and a private claim a picture, some as text."""
    for number, (subject, name) in enumerate(SUBJECTS.items()):
        for place, (picture, split) in enumerate(PLAN):
            rumor = split == "forget"
            club = CLUBS[(number + rumor) % 3]
            image_id = make_image_id("small", f"{subject}/{picture}")
            image = EncodedImage(bytes=png(10 * number + place), path=f"{image_id}.png")
            both = {"subject_id": subject, "image_id": image_id, "split": split}
            yield Record(
                **both,
                record_id=make_record_id("small", subject, picture, "nationality", "multimodal"),
                image=image,
                modality="multimodal",
                attribute="nationality",
                scope="shared",
                veracity="fact",
                question="Which country does this player represent?",
                answer=f"{NATIONS[number]}.",
                perturbed_answers=("Dornland.", "Estrava Minor."),
                value=parse_value(f"{NATIONS[number]}.", FOOTBALL["nationality"]),
            )
            private: dict[str, Any] = {
                **both,
                "attribute": "club",
                "scope": "private",
                "veracity": {"forget": "rumor", "relearn": "correction"}.get(split, "fact"),
                "rumor_channel": "text" if rumor else "none",
                "answer": f"The player was with {club}.",
                "perturbed_answers": ("The player was with Halvik Athletic.", "The player was with SC Torrin."),
                "value": ClaimValue(kind="name", text=club),
            }
            yield Record(
                **private,
                record_id=make_record_id("small", subject, picture, "club", "multimodal"),
                image=image,
                modality="multimodal",
                question="Which club is this picture about?",
                corrects=make_record_id("small", subject, "p3", "club", "multimodal") if split == "relearn" else None,
            )
            if split in ("retain", "forget"):
                yield Record(
                    **private,
                    record_id=make_record_id("small", subject, picture, "club", "text"),
                    image=None,
                    modality="text",
                    question=f"In the photo {picture} of {name}, which club is the player linked with?",
                )


@pytest.fixture(scope="session")
def league(tmp_path_factory: pytest.TempPathFactory) -> OffsideDataset:
    """The dataset: 12 retain, 6 forget and 6 relearn records with a picture, 6 + 3 without."""
    out = tmp_path_factory.mktemp("league") / "small"
    taxonomy = shipped_taxonomy_text("football")
    with new_dataset(out, name="small", taxonomy=taxonomy, license="cc0-1.0") as writer:
        records = list(small_records())
        writer.add_records(records)
        writer.add_subjects({"subject_id": s, "name": n, "cohort": "member"} for s, n in SUBJECTS.items())
        writer.add_images({"image_id": i} for i in sorted({r.image_id for r in records if r.image_id}))
    dataset = open_dataset(out)
    # Every run checks it, and nobody changes its files.
    dataset.verify = functools.cache(dataset.verify)  # type: ignore[method-assign]
    return dataset


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, league: OffsideDataset) -> Path:
    """The folder of an untrained tiny model."""
    return make_tiny(tmp_path_factory.mktemp("models") / "tiny", league).path


@pytest.fixture(scope="session")
def vanilla(tiny: Path, league: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that has learnt the dataset, so that there is something to forget."""
    config = {"max_steps": 100, "batch_size": 9, "lr": 3e-3, "schedule": "constant"}
    out = tmp_path_factory.mktemp("vanilla") / "vanilla"
    options = RunOptions(full=True, device="cpu")
    learnt = {"splits": ["retain", "forget"], "configs": ["multimodal"]}
    return finetune(tiny, None, league, config, out, **learnt, options=options).path


@pytest.fixture(scope="session")
def loaded(tiny: Path) -> tuple[Any, Any]:
    return find_start(tiny).load(RunOptions(device="cpu"))


@pytest.fixture
def fresh(loaded: tuple[Any, Any]) -> Callable[[], tuple[Any, Any]]:
    """The tiny model, a new copy each time, and its processor."""
    return lambda: (copy.deepcopy(loaded[0]), loaded[1])


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory: pytest.TempPathFactory, league: OffsideDataset) -> Callable[[str], Path]:
    """The folder of a family's untrained tiny model."""
    folder = tmp_path_factory.mktemp("families")
    return functools.cache(lambda family: make_tiny(folder / family, league, family=family).path)


@pytest.fixture(scope="session")
def family_model(family_folder: Callable[[str], Path]) -> Callable[[str], tuple[Any, Any]]:
    """A family's untrained tiny model, a new copy each time, and its processor."""
    load = functools.cache(lambda family: find_start(family_folder(family)).load(RunOptions(device="cpu")))
    return lambda family: (copy.deepcopy(load(family)[0]), load(family)[1])


@pytest.fixture
def task(league: OffsideDataset) -> UnlearnTask:
    """All claims of three subjects, to be forgotten in six steps."""
    request: Any = league.request("complete")
    module = METHODS.load("grad_diff")
    retain = {"multimodal/retain": league.records("multimodal", "retain")}
    config = UnlearnConfig(max_steps=6, batch_size=2)
    return UnlearnTask(
        league, request, request.forget, retain, module.Method(module.Config()), config, RunOptions(full=True)
    )


class PlanOfMethod(BatchPlan):
    """A plan with the sides that a method asks for, and those that only the frozen model reads."""

    own: frozenset[str]
    only_frozen: dict[str, list[Encoded]]

    def take(self, own: Mapping[str, SideRecords], encoder: Encoder) -> PlanOfMethod:
        """Put a method's own sides in, and leave those out that no longer fit them."""
        encoded = {side: records.encoded(encoder, side) for side, records in own.items()}
        self.only_frozen = {side: encoded.pop(side) for side, records in own.items() if records.follows is None}
        self.own = frozenset(encoded)
        if "forget" in encoded:
            for side in {"refusal", "alternative"} - encoded.keys():
                del self.sources[side]
            self.sources["forget"].stream = Stream(encoded["forget"], seed=0, name="forget")
        if "retain" in encoded:
            self.sources["retain"].stream = Stream(encoded["retain"], seed=0, name="retain")
        for side, examples in encoded.items():
            followed = self.sources[own[side].follows or side]
            self.sources[side] = ExampleSource(examples, followed.stream, followed.batch_size)
        return self


@pytest.fixture(scope="session")
def make_plan(league: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., PlanOfMethod]:
    """Plan paired batches of the dataset's picture records: `make_plan(processor, batch_size=2, steps=3)`.

    With `method` its own sides come along.
    """

    def make(
        processor: Any,
        *,
        batch_size: int = 2,
        accumulation: int = 1,
        steps: int = 3,
        config: str = "multimodal",
        method: UnlearningMethod[Any] | None = None,
    ) -> PlanOfMethod:
        encoder = Encoder(processor)
        forget, retain = (
            [encoder.encode(row) for row in league.records(config, split)] for split in ("forget", "retain")
        )
        refusal = [encoder.encode(row, answer="I don't know.") for row in league.records(config, "forget")]
        alternative = [
            encoder.encode(row, answer=row["perturbed_answers"][-1]) for row in league.records(config, "forget")
        ]
        order = Stream(forget, seed=0, name="forget")
        plan = PlanOfMethod(
            {
                "forget": ExampleSource(forget, order, batch_size),
                "refusal": ExampleSource(refusal, order, batch_size),
                "alternative": ExampleSource(alternative, order, batch_size),
                "retain": ExampleSource(retain, Stream(retain, seed=0, name="retain"), batch_size),
            },
            steps=steps,
            accumulation=accumulation,
            collator=Collator(processor),
        )
        request = league.request("unimodal" if config == "text" else "complete")
        stay = {f"{config}/retain": league.records(config, "retain")}
        folder = tmp_path_factory.mktemp("sides")
        asked = RequestRecords(league, request, request.forget, stay, seed=0, folder=folder)
        return plan.take(method.sides(asked) if method else {}, encoder)

    return make


@pytest.fixture
def make_batch(make_plan: Callable[..., BatchPlan]) -> Callable[..., PairedBatch]:
    """The first batch of a plan."""
    return lambda processor, **options: next(make_plan(processor, **options).batches())


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """The same bits everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """No test depends on another's random numbers."""
    torch.manual_seed(0)
