"""Attacks: one file, one way to get a forgotten claim out of a model again; the file name is the attack's name.

A module here (or an entry point in the group `offside_eval.attacks`) defines `Attack`, a frozen dataclass derived from
`RecoveryAttack`, and `PAPER`, where it was published. An attack asks and never judges: what came out is decided in one
place, by the strict rule of `value_match`, for all attacks alike (`_judging`). All that an attack is made of is
imported from here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from offside_data.paper import Paper
from offside_data.plugins import Registry

if TYPE_CHECKING:
    from offside_eval.attacks._attack import RecoveryAttack
    from offside_eval.attacks._base import Access, Ask, AttackedClaim, Attempt, Sampling
    from offside_eval.attacks._target import AttackTarget

__all__ = [
    "ATTACKS",
    "Access",
    "Ask",
    "AttackTarget",
    "AttackedClaim",
    "Attempt",
    "Paper",
    "RecoveryAttack",
    "Sampling",
]

ATTACKS = Registry("offside_eval.attacks", "attack", needs={"Attack": type, "PAPER": Paper})

_HOMES = {
    "_base": ("Access", "Ask", "AttackedClaim", "Attempt", "Sampling"),
    "_attack": ("RecoveryAttack",),
    "_target": ("AttackTarget",),
}


def __getattr__(name: str) -> Any:
    # Lazy, so that the registry can be asked for names without torch.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"offside_eval.attacks.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
