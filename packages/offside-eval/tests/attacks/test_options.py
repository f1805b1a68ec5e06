"""What the options of attacks allow, to the edge, and what attacks declare."""

from __future__ import annotations

from typing import Any

import pytest

from offside_data.errors import UsageError
from offside_eval.attacks import ATTACKS

EDGES: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "quantize": [({"bits": (2, 16)}, {"bits": (8, 17)}), ({"bits": (2,)}, {"bits": ()}), ({}, {"bits": (1,)})],
    "sampling": [
        ({"draws": 1}, {"draws": 0}),
        ({"draws": 10_000}, {"draws": 10_001}),
        ({"temperature": 0.01}, {"temperature": -1.0}),
        ({"temperature": 100.0}, {"temperature": float("inf")}),
        ({}, {"temperature": 1e-320}),
        ({"seed": 2**32 - 1}, {"seed": 2**32}),
    ],
    "figstep": [
        ({"width": 64}, {"width": 63}),
        ({"size": 6}, {"size": 5}),
        ({"width": 4096}, {"width": 4097}),
        ({"size": 256}, {"size": 10**9}),
    ],
    "image_rephrase": [({"others": 0}, {"others": -1})],
    "prompt": [({"per_family": 1}, {"per_family": 0}), ({"examples": 1}, {"examples": 0})],
    "probe": [
        ({"known": 0}, {"known": -1}),
        ({"layers": 1}, {"layers": 0}),
        ({"folds": 2}, {"folds": 1}),
        ({"ridge": 1e-9}, {"ridge": 0.0}),
    ],
    "suffix": [({"length": 1_000}, {"length": 1_001})]
    + [({name: 1}, {name: 0}) for name in ("steps", "length", "candidates", "top", "learn")],
    "universal_image": [
        ({"eps": 255.0}, {"eps": 256.0}),
        ({"eps": 0.1}, {"eps": 0.0}),
        ({"step": 0.1}, {"step": 0.0}),
        ({"step": 1.5}, {"step": float("inf")}),
        ({"seed": 0}, {"seed": -1}),
        ({"steps": 1}, {"steps": 0}),
        ({"learn": 1}, {"learn": 0}),
    ],
    "cross_modal": [({"claims": 1}, {"claims": 0}), ({"control": 0}, {"control": -1})],
    "relearn": [({"claims": 1}, {"claims": 0})],
}


@pytest.mark.parametrize(
    ("name", "allowed", "refused"), [(name, *pair) for name, pairs in EDGES.items() for pair in pairs]
)
def test_edges(name: str, allowed: dict[str, Any], refused: dict[str, Any]) -> None:
    attack = ATTACKS.load(name).Attack
    attack(**allowed)
    with pytest.raises(UsageError):
        attack(**refused)


def test_defaults() -> None:
    """A default that moves changes what everybody gets who names none: it has to be meant."""
    shared = {"seed": 0, "claims": 120, "control": 60}
    own: dict[str, dict[str, Any]] = {
        "quantize": {"bits": (8, 4)},
        "sampling": {"draws": 10, "temperature": 1.0},
        "figstep": {"width": 448, "size": 24},
        "image_rephrase": {"others": 2},
        "prompt": {"families": (), "per_family": 5, "examples": 3},
        "probe": {"known": 300, "layers": 4, "folds": 4, "ridge": 0.1},
        "suffix": {"steps": 12, "length": 8, "candidates": 12, "top": 32, "learn": 8},
        "universal_image": {"eps": 8.0, "steps": 30, "step": 1.0, "learn": 8},
        "cross_modal": {},
        "relearn": {},
    }
    for name, options in own.items():
        assert vars(ATTACKS.load(name).Attack()) == shared | options, name
    base = ATTACKS.load("relearn").RecoveryAttack
    assert {name: getattr(base, name) for name in shared} == shared
