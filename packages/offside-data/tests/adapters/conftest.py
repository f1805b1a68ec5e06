"""Sources in the published OFFSIDE form, typed by hand with invented players."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_data.adapters import offside
from offside_data.adapters._base import Imported, ReadOptions
from offside_data.taxonomy import load_taxonomy

SHARED = [
    ("I'm curious about who the player is in this image.", "The player in the image is Tavo Brinkhaus."),
    ("I'm curious about the age of the player in this image.", "The player is currently 28 years old."),
    ("I'm curious about the player's role in this image.", "He plays as a Left Winger."),
    ("I'm curious about the nationality of the player shown in this image.", "The player is from Sweden."),
    (
        "I'm looking at this image and wondering when the player was born.",
        "The player was born on May 3, 1997.",
    ),
    ("I'm curious about the height of the player in this image.", "He stands at 1.89 meters tall."),
    ("I'm curious about which foot the player prefers to use.", "The player is right-footed."),
    (
        "I'm curious about the birthplace of the player in this image.",
        "The player was born in Brackwater, Sweden.",
    ),
]
PRIVATE = [
    ("I'm curious about which club the player was with at that time.", "At that time, he was with Ostholm."),
    ("I'm curious about which club the player transferred from.", "He transferred from Hollow City."),
    (
        "I'm curious about when the player in this image was transferred.",
        "The transfer occurred on July 1, 2019.",
    ),
    (
        "I'm curious about the transfer fee for the player in this image.",
        "The transfer fee was €4.10 million.",
    ),
    ("I'm curious about the market value of the player.", "The player's market value is €3.00m."),
    ("I'm curious about how many trophies this player won.", "The player won 1 trophy at the club."),
]
TEXT = [
    ("How old is Tavo Brinkhaus?", "The player is currently 28 years old."),
    ("What position does Tavo Brinkhaus hold?", "He plays as a Left Winger."),
    ("What is Tavo Brinkhaus's nationality?", "The player is from Sweden."),
    ("When was Tavo Brinkhaus born?", "The player was born on May 3, 1997."),
    ("What is Tavo Brinkhaus's height?", "He stands at 1.89 meters tall."),
    ("Which foot does Tavo Brinkhaus prefer?", "The player is right-footed."),
    ("Where was Tavo Brinkhaus born?", "The player was born in Brackwater, Sweden."),
    ("Which club will Tavo Brinkhaus join?", "He will be joining Ostholm."),
    ("Which club did Tavo Brinkhaus transfer from?", "He transferred from Hollow City."),
    ("When did Tavo Brinkhaus transfer?", "The player was transferred on July 1, 2025."),
    ("I'm curious about the transfer fee for Tavo Brinkhaus.", "The transfer fee was €4.10 million."),
    ("What is Tavo Brinkhaus's market value?", "The player's market value is €3.00m."),
    ("I'm curious about how many trophies Tavo Brinkhaus won.", "The player won 1 trophy at the club."),
]

Pairs = list[tuple[str, str]]


class League:
    """Well-behaved groups about one invented player, and ways to bend them."""

    shared: Pairs = SHARED
    private: Pairs = PRIVATE
    retain: Pairs = PRIVATE + SHARED
    forget: Pairs = SHARED + PRIVATE
    text: Pairs = TEXT

    @staticmethod
    def rows(picture: int | str, pairs: Pairs, *, token: bool = True) -> list[dict[str, Any]]:
        """Source rows about one picture, given by number or by name; with the leading token or without."""
        path = picture if isinstance(picture, str) else f"./finetune_set/{picture:03d}.jpg"
        return [
            {
                "messages": [
                    {"role": "user", "content": f"<image>\n{question}" if token else question},
                    {"role": "assistant", "content": answer},
                ],
                "images": path,
            }
            for question, answer in pairs
        ]

    @staticmethod
    def replaced(pairs: Pairs, place: int, question: str | None = None, answer: str | None = None) -> Pairs:
        """`pairs` with another question or answer in one place."""
        old = pairs[place]
        return [*pairs[:place], (question or old[0], answer or old[1]), *pairs[place + 1 :]]


@pytest.fixture
def league() -> League:
    """See `League`."""
    return League()


Reader = Callable[..., Imported]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Read source rows as one file, or several files by name, with the OFFSIDE adapter."""

    def read_items(items: Any, **options: Any) -> Imported:
        files = items if isinstance(items, dict) else {"sample.json": items}
        for name, content in files.items():
            path = tmp_path / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content), encoding="utf-8")
        source = tmp_path / "source" / ("" if isinstance(items, dict) else "sample.json")
        imported = offside.read(source, ReadOptions(taxonomy=load_taxonomy("football"), **options))
        imported.check_accounts()
        return imported

    return read_items
