"""Which runs are the same but for their seed, and their numbers together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from offside_data.run_manifest import Parent, RunManifest
from offside_eval.compare.extremes import with_extremes
from offside_eval.compare.quantities import Quantity, over_seeds

_UNLEARNED = ("unlearned", "relearned")


def seed_of(run: RunManifest | None) -> int | None:
    """The seed of a run; null if it names none."""
    return None if run is None else run.seeds.get("seed")


def recipe(run: RunManifest) -> str:
    """What decides a run but its seed, as a text: the same text, the same row of a table.

    The models that it comes from count: by their weights, but where these were unlearned themselves (with a seed of
    their own) by the request made of them.
    """
    training = run.training
    content: dict[str, Any] = {
        "command": run.command,
        "role": run.role,
        "method": run.method,
        "config": run.config,
        "setting": run.setting,
        "only": run.only,
        "dataset": run.dataset.digest,
        "forget": run.forget and run.forget.digest,
        "base_model": run.base_model and run.base_model.digest,
        "adapter": run.adapter,
        "parents": [_origin(parent) for parent in run.parents],
        "attack": run.attack,
        "taught": run.taught,
    }
    if training is not None:
        content |= {key: getattr(training, key) for key in ("tune", "limit", "dtype", "max_pixels", "until")}
        # The points of an unlearning run are one trajectory, wherever it stopped; after relearning, the budget counts.
        content["steps"] = training.steps if run.role == "relearned" else None
    return json.dumps(content, sort_keys=True, default=dict)


def _origin(parent: Parent) -> dict[str, Any]:
    if parent.role not in _UNLEARNED:
        return {"role": parent.role, "digest": parent.digest}
    forget = parent.forget and parent.forget.digest
    request = {"method": parent.method, "setting": parent.setting, "only": parent.only, "forget": forget}
    return {"role": parent.role, **request}


def together(numbers: Sequence[dict[str, Quantity]]) -> dict[str, Quantity]:
    """Every number over seeds, one mapping a seed; a number that one of them lacks isn't scored."""
    if len(numbers) == 1:
        return numbers[0]
    names = dict.fromkeys(name for of_seed in numbers for name in of_seed)
    missing = Quantity(reason="not measured with every seed")
    return with_extremes({name: over_seeds([of_seed.get(name, missing) for of_seed in numbers]) for name in names})
