"""Random numbers that depend on a seed and on what they are for, never on the order of calls."""

from __future__ import annotations

import hashlib
import json
import random


def rng(*key: str | int) -> random.Random:
    """A generator of its own for each key, e.g. `rng(seed, "portrait", subject_id)`.

    The same key gives the same numbers on every machine and in every process.
    """
    digest = hashlib.sha256(json.dumps(key, ensure_ascii=False).encode()).digest()
    return random.Random(int.from_bytes(digest[:16], "big"))
