"""Random numbers that depend on a seed and on what they are for, never on the order of calls."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence

_as_json = json.JSONEncoder(ensure_ascii=False).encode  # One for all: to make one takes as long as to use it.


def rng(*key: str | int) -> random.Random:
    """A generator of its own for each key, e.g. `rng(seed, "portrait", subject_id)`.

    The same key gives the same numbers on every machine and in every process.
    """
    digest = hashlib.sha256(_as_json(key).encode()).digest()
    return random.Random(int.from_bytes(digest[:16], "big"))


def draw_records(record_ids: Sequence[str], limit: int, *, seed: int) -> list[int]:
    """Positions of at most `limit` records, in their order: what `--limit` means everywhere.

    A record's rank depends on seed and id alone. Where records are added, those drawn before stay, but for as many as
    new ones rank before them.
    """
    ranks = [hashlib.sha256(f"{seed}:{record}".encode()).digest() for record in record_ids]
    return sorted(sorted(range(len(ranks)), key=ranks.__getitem__)[:limit])
