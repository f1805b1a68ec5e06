"""Which runs are the same but for their seed, and their numbers together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from offside_data.run_manifest import Parent, RunManifest
from offside_eval.compare.extremes import with_extremes
from offside_eval.compare.quantities import Quantity, over_seeds

if TYPE_CHECKING:
    from offside_eval.compare.models import Model, ModelSet

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
        "base_model": run.base_model and _plain(run.base_model.digest, run.parents),
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


def _plain(base: str, parents: Sequence[Parent]) -> str | None:
    """The plain model; null where that is one of the unlearned ones itself, as where all weights were trained."""
    return None if any(p.role in _UNLEARNED and p.digest == base for p in parents) else base


def _origin(parent: Parent) -> dict[str, Any]:
    if parent.role not in _UNLEARNED:
        return {"role": parent.role, "digest": parent.digest}
    forget = parent.forget and parent.forget.digest
    request = {"method": parent.method, "setting": parent.setting, "only": parent.only, "forget": forget}
    return {"role": parent.role, **request}


def starts_of(models: ModelSet) -> dict[str, str]:
    """Of each relearned model which model it was made from, as a text; by digest.

    The same text where that differs in its seed alone. A manifest says of what it came from the request made of it and
    not the options, so that this is told by the models themselves, if they are there. Of several that were trained
    further with one and the same seed (points of one run, runs with seeds of their own) each is another start.
    """
    origins = {model.digest: _start_of(model, models) for model in models.members if model.role == "relearned"}
    by_seed: dict[str, dict[int | None, set[tuple[int, str]]]] = {}
    for model in models.members:
        if model.digest in origins:
            text, place = origins[model.digest]
            by_seed.setdefault(text, {}).setdefault(seed_of(model.run), set()).add(place)
    even = {text for text, seeds in by_seed.items() if len({len(places) for places in seeds.values()}) == 1}
    found = {}
    for model in models.members:
        if model.digest in origins:
            text, place = origins[model.digest]
            nth = sorted(by_seed[text][seed_of(model.run)]).index(place)
            found[model.digest] = f"{text} {nth if text in even else place[1]}"
    return found


def _start_of(model: Model, models: ModelSet) -> tuple[str, tuple[int, str]]:
    """What tells a start but its seed; and its steps and digest, which tell it from others of the same recipe."""
    parent = models.parents.get(model.digest)
    if parent is not None:
        text = parent.digest if parent.run is None else recipe(parent.run)
        return text, (parent.steps or 0, parent.digest)
    line = [one for one in model.run.parents if one.role != "relearned"] if model.run else []
    return json.dumps([_origin(one) for one in line], default=dict), (0, line[-1].digest if line else "")


def together(numbers: Sequence[dict[str, Quantity]]) -> dict[str, Quantity]:
    """Every number over seeds, one mapping a seed; a number that one of them lacks isn't scored."""
    if len(numbers) == 1:
        return numbers[0]
    names = dict.fromkeys(name for of_seed in numbers for name in of_seed)
    missing = Quantity(reason="not measured with every seed")
    return with_extremes({name: over_seeds([of_seed.get(name, missing) for of_seed in numbers]) for name in names})
