"""Names of pictures in the published OFFSIDE form: a picture's number gives its player and its split.

Picture `n` shows player `(n - 1) // 5`; of five numbers, the first three are to be kept, the fourth carries the
rumour, the fifth the correction. An augmented copy for testing starts with its original's number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from offside_data.exporters._base import Loss
from offside_data.schema import Record

SLOTS = {"retain": (1, 2, 3), "forget": (4,), "relearn": (5,)}
"""Which of a player's five numbers a split may have."""
MAX_PLAYERS = 19_999
"""So that no number has six digits, which mark new test pictures."""

Key = tuple[str, str, str | None]
"""Subject, split and picture; the picture is null for text about the subject alone."""


@dataclass
class Names:
    """File names without ending by subject, split and picture; and the records that get none."""

    stems: dict[Key, str] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)

    def of(self, record: Record) -> str | None:
        """The name of a record's picture; null if it has none."""
        return self.stems.get(key_of(record))


def key_of(record: Record) -> Key:
    """What a record's picture is named by."""
    return record.subject_id or "", record.split, record.image_id


def name_pictures(records: Iterable[Record]) -> Names:
    """Number the pictures of all records that the format has a place for."""
    names = Names()
    placed: dict[str, list[Record]] = {}
    for record in records:
        why = _obstacle(record)
        if why is None:
            placed.setdefault(str(record.subject_id), []).append(record)
        else:
            names.losses.append(Loss(record_id=record.record_id, why=why))
    for player, subject in enumerate(sorted(placed)):
        if player < MAX_PLAYERS:
            names.stems |= _name_trained(placed[subject], 5 * player)
            names.stems |= _name_tested(placed[subject], 5 * player, names.stems)
        for record in placed[subject]:
            if names.of(record) is None:
                full = "five numbers a player: three retain, one forget, one relearn, and the others are taken"
                why = full if player < MAX_PLAYERS else f"it numbers at most {MAX_PLAYERS:,} players"
                names.losses.append(Loss(record_id=record.record_id, why=f"the format has {why}"))
    return names


def _obstacle(record: Record) -> str | None:
    if record.split not in (*SLOTS, "test"):
        return f"the format has no split {record.split}"
    if record.modality == "multimodal" and record.image is None:
        return "it asks about a picture that isn't in the dataset"
    return None


def _name_trained(records: list[Record], base: int) -> dict[Key, str]:
    stems: dict[Key, str] = {}
    for split, slots in SLOTS.items():
        stems |= _numbered(_keys(records, split), [f"{base + slot:03d}" for slot in slots])
    return stems


def _name_tested(records: list[Record], base: int, known: dict[Key, str]) -> dict[Key, str]:
    """Copies start with their original's number; new pictures with one of six digits, which no original has."""
    new = f"{base + 1:06d}"
    starts = dict.fromkeys(_keys(records, "test"), new)
    for record in records:
        if key_of(record) in starts and record.derived_from is not None:
            starts[key_of(record)] = known.get((str(record.subject_id), "retain", record.derived_from), new)
    return _numbered(list(starts), [f"{start}_test{place}" for place, start in enumerate(starts.values(), 1)])


def _keys(records: list[Record], split: str) -> list[Key]:
    """The pictures of a subject's split in order; text about the subject alone comes last."""
    keys = dict.fromkeys(key_of(record) for record in records if record.split == split)
    return sorted(keys, key=lambda key: key[2] is None)


def _numbered(keys: list[Key], numbers: list[str]) -> dict[Key, str]:
    """Give out numbers; text about the subject alone goes with the first picture."""
    stems = dict(zip(keys, numbers, strict=False))
    for key in keys:
        if key[2] is None:
            stems[key] = numbers[0]
    return stems
