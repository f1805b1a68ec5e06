"""What an attack is told, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.schema import CONFIGS
from offside_data.seeding import rng


@dataclass(frozen=True)
class Target:
    """What is attacked.

    Args:
        dataset: All of the data.
        forgotten: Ids of the records that were to be forgotten; empty where the attack needn't know.
        seed: Of what is drawn. The same for all models that are to be compared.
    """

    dataset: OffsideDataset
    forgotten: frozenset[str]
    seed: int


@dataclass(frozen=True)
class TaughtRecords:
    """What the attacker trains on.

    Args:
        rows: Records (`datasets.Dataset`) by `config/split`.
        forgotten: Those of them that state what was to be forgotten: no report may count them, since to know what one
            was just told is no recovery.
    """

    rows: Mapping[str, Any]
    forgotten: frozenset[str] = field(default_factory=frozenset)


def half(target: Target, column: str) -> TaughtRecords:
    """Half of the forgotten claims, in both forms, all of one attribute or subject in the same half.

    Args:
        target: What is attacked.
        column: `attribute` or `subject_id`: what decides the half.

    Raises:
        UsageError: If the forgotten claims are of less than two.
    """
    data = target.dataset
    tables = {f"{config}/forget": data.records(config, "forget") for config in CONFIGS if data.has(config, "forget")}
    keys: set[str] = set()
    for table in tables.values():
        ids = table["record_id"]
        keys |= {key for key, record in zip(table[column], ids, strict=True) if record in target.forgotten}
    if len(keys) < 2:
        raise UsageError(
            f"half of what was forgotten is taught and the other half asked for, by {column}; but all of it is of "
            f"{', '.join(sorted(keys)) or 'none'}. Choose another attack."
        )
    drawn = sorted(keys)
    rng(target.seed, "attack", column).shuffle(drawn)
    chosen = set(drawn[: len(drawn) // 2])
    claims = {
        claim
        for table in tables.values()
        for claim, record in zip(_claims_of(table), table["record_id"], strict=True)
        if record in target.forgotten
    }
    taught, ids = {}, set[str]()
    for part, table in tables.items():
        keys_of = zip(table[column], _claims_of(table), strict=True)
        picked = [row for row, (key, claim) in enumerate(keys_of) if key in chosen and claim in claims]
        if picked:
            taught[part] = table.select(picked)
            ids |= set(taught[part]["record_id"])
    return TaughtRecords(taught, frozenset(ids))


def _claims_of(table: Any) -> list[tuple[str, str, str]]:
    """Subject, attribute and scope of each record: what a claim's two forms have in common."""
    return list(zip(table["subject_id"], table["attribute"], table["scope"], strict=True))
