from __future__ import annotations

import functools
import io
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image

from offside_data.vlm import build_tiny

TEXTS = [
    "What is the transfer fee of the player in the picture?",
    "Which club does Ardo Vellin play for?",
    "The transfer fee was €35.00m.",
    "He joined Kestrel Rovers on 3 May 1999.",
] * 20


def make_picture(seed: int, size: tuple[int, int] = (160, 160), format: str = "PNG") -> bytes:
    """A picture with large random patches, so that a shift or a resize keeps it recognisable."""
    dice = random.Random(seed)
    image = Image.new("RGB", size)
    for _ in range(30):
        colour = tuple(dice.randrange(256) for _ in range(3))
        corner = (dice.randrange(size[0]), dice.randrange(size[1]))
        image.paste(colour, (*corner, corner[0] + 40, corner[1] + 30))
    buffer = io.BytesIO()
    image.save(buffer, format=format)
    return buffer.getvalue()


def make_row(number: int, image: bytes | None) -> dict[str, Any]:
    return {
        "record_id": f"r{number}",
        "modality": "multimodal" if image else "text",
        "image": {"bytes": image, "path": "a.png"} if image else None,
        "question": f"Which club does player {number} play for{', please' * (number % 4)}?",
        "answer": f"He joined Kestrel {number} Rovers{' on 3 May 1999' * (number % 3)}.",
    }


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    return make_picture


@pytest.fixture(scope="session")
def row() -> Callable[..., dict[str, Any]]:
    return make_row


@pytest.fixture(scope="session")
def mixed_rows() -> list[dict[str, Any]]:
    """Ten records: three pictures of different shapes, shared by several, and three without any."""
    pictures = [make_picture(1), make_picture(2, (300, 150)), make_picture(3, (120, 200))]
    shown = [0, 1, None, 0, 2, None, 1, 0, None, 2]
    return [make_row(i, None if n is None else pictures[n]) for i, n in enumerate(shown)]


@functools.cache
def _tiny(family: str) -> tuple[Any, Any]:
    return build_tiny(family, texts=TEXTS, seed=0)


@pytest.fixture
def tiny() -> Callable[[str], tuple[Any, Any]]:
    """The model (shared: copy it before changing it) and the processor of a family."""
    return _tiny


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
