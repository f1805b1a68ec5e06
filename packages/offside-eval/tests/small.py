"""A dataset of invented players and tiny models in three states, made in seconds."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from offside_data.dataset.folder import open_dataset
from offside_data.dataset.transaction import new_dataset
from offside_data.schema import ClaimValue, EncodedImage, Record
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import load_taxonomy, shipped_taxonomy_text

FOOTBALL = load_taxonomy("football")
PEOPLE = {"s0": "Orlo Vantis", "s1": "Bremi Kaldo", "s2": "Tavin Merrow", "s3": "Ülf Østerby"}
CLUBS = ("Norvale Rovers", "Emberlin FC", "Kestrin City", "Ålvik")
FEES = ("€8.00 million", "€12.75 million", "€600,000", "€31.20 million")
FEET = ("left", "right")
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 200), "white": (240, 240, 240)}
VISUAL = ("s0", "s1")
"""Whose forget picture shows its rumour."""


def picture(seed: int | str, background: tuple[int, int, int] = (90, 90, 90)) -> bytes:
    """A picture with a few coloured patches that depend on the seed."""
    dice = random.Random(f"picture {seed}")
    image = Image.new("RGB", (112, 112), background)
    for _ in range(8):
        x, y = dice.randrange(100), dice.randrange(100)
        image.paste(tuple(dice.randrange(256) for _ in range(3)), (x, y, x + 40, y + 40))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _claim(subject: str, attribute: str, text: str, where: str, split: str, **fields: Any) -> Record:
    what, modality = FOOTBALL[attribute], fields.pop("modality", "multimodal")
    number = int(subject[1])
    rumor = split == "forget" and what.scope == "private"
    answer = ((rumor and what.rumor_answers) or what.answers)[0].format(value=text)
    image = EncodedImage(bytes=picture(where), path=f"{where}.png") if modality == "multimodal" else None
    questions = what.questions if modality == "multimodal" else what.text_questions
    question = questions[number % len(questions)].format(subject=PEOPLE[subject], occasion=f"the day of {where}")
    options = {"club": CLUBS, "fee": FEES, "foot": FEET}.get(attribute, ())
    return Record(
        record_id=f"{modality}-{where}-{attribute}",
        subject_id=subject,
        image_id=where if modality == "multimodal" or what.scope == "private" else None,
        image=image,
        modality=modality,
        split=split,
        attribute=attribute,
        scope=what.scope,
        veracity="rumor" if rumor else "fact",
        question=question,
        answer=answer,
        value=parse_value(answer, what),
        choices=options,
        correct_choice=options.index(text) if options else None,
        cloze=answer.replace(text, "____"),
        perturbed_answers=tuple(answer.replace(text, other) for other in options if other != text),
        **fields,
    )


def records() -> Iterator[Record]:
    """Retain, forget and test pictures, the text form of the private claims, general questions."""
    for subject in PEOPLE:
        i = int(subject[1])
        shared = {"name": PEOPLE[subject], "foot": FEET[i % 2]}
        for split in ("retain", "forget", "test"):
            where, shift = f"{split}-{subject}", 1 if split == "forget" else 0
            for attribute, text in shared.items():
                yield _claim(subject, attribute, text, where, split)
            if split == "test":
                continue
            for attribute, texts in (("club", CLUBS), ("fee", FEES)):
                text = texts[(i + shift) % 4]
                channel = "none" if split != "forget" else "both" if subject in VISUAL else "text"
                yield _claim(subject, attribute, text, where, split, rumor_channel=channel)
                channel = "none" if split != "forget" else "text"
                yield _claim(subject, attribute, text, where, split, rumor_channel=channel, modality="text")
    for split in ("general", "utility"):
        for name, colour in COLOURS.items():
            yield _general(split, name, colour)


def _general(split: str, name: str, colour: tuple[int, int, int]) -> Record:
    return Record(
        record_id=f"{split}-{name}",
        subject_id=None,
        image_id=f"{split}-{name}",
        image=EncodedImage(bytes=picture(f"{split} {name}", colour), path=f"{split}-{name}.png"),
        modality="multimodal",
        split=split,
        attribute=None,
        scope=None,
        veracity="fact",
        question="What colour is the background?",
        answer=f"It is {name}.",
        value=ClaimValue(kind="choice", text=name),
        choices=tuple(COLOURS),
        correct_choice=list(COLOURS).index(name),
        cloze="It is ____.",
    )


def twins() -> Iterator[dict[str, Any]]:
    """The pictures table: the visual rumours' pictures and their twins."""
    for subject in VISUAL:
        where, i = f"forget-{subject}", int(subject[1])
        shown = [
            [
                {"attribute": "club", "text": CLUBS[(i + k) % 4]},
                {"attribute": "fee", "text": FEES[(i + k) % 4]},
            ]
            for k in (1, 2)
        ]
        yield {"image_id": where, "subject_id": subject, "split": "forget", "shown": shown[0]}
        for twin, there in (("blank", []), ("swapped", shown[1])):
            image = {"bytes": picture(f"{where} {twin}"), "path": f"{where}-{twin}.png"}
            yield {"image_id": f"{where}-{twin}", "subject_id": subject, "split": "forget", "image": image,
                   "twin_of": where, "twin": twin, "shown": there}  # fmt: skip


def write_dataset(path: Path) -> Path:
    """Write the whole dataset."""
    with new_dataset(path, name="small", taxonomy=shipped_taxonomy_text("football"), license="cc0-1.0") as writer:
        writer.add_records(records())
        writer.add_images(twins())
    return path


def write_models(data: Path, folder: Path) -> dict[str, Path]:
    """Three tiny models: as built (`raw`), after some training, and half unlearned by ascent."""
    import torch

    from offside_data.vlm import Collator, Encoder, answer_logprobs, build_tiny, forward, save_processor

    dataset = open_dataset(data)
    rows = [row for name in dataset.record_parts() for row in dataset.records(*name.split("/"))]
    model, processor = build_tiny(texts=[t for r in rows for t in (r["question"], r["answer"])], seed=1)
    encoder, collate = Encoder(processor), Collator(processor)
    encoded = [encoder.encode(row) for row in rows]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    dice = random.Random(0)

    def steps(n: int, sign: float) -> None:
        model.train()
        for _ in range(n):
            output = forward(model, collate(dice.sample(encoded, 16)), keep="answer")
            logprobs, mask = answer_logprobs(output.logits, output.labels)
            optimizer.zero_grad()
            (-sign * logprobs.sum() / mask.sum()).backward()
            optimizer.step()

    def save(name: str) -> Path:
        model.eval().save_pretrained(folder / name)
        save_processor(processor, folder / name)
        return folder / name

    places = {"raw": save("raw")}
    steps(30, 1.0)
    places["trained"] = save("trained")
    steps(3, -1.0)
    places["half"] = save("half")
    return places
