"""The loop of methods that change weights without training: step by step, with the points of a curve in between."""

from __future__ import annotations

from typing import Any

from offside_data.errors import UsageError
from offside_unlearn.batches import BatchPlan
from offside_unlearn.methods import EditingMethod, InterveningMethod
from offside_unlearn.trainer import Schedule

OPTIONS = ("max_steps", "batch_size", "max_length", "retain_slices")
"""Options of a training that count here, too."""


def edit(
    model: Any, plan: BatchPlan, method: EditingMethod[Any], seed: int, schedule: Schedule
) -> list[dict[str, float]]:
    """Let a method do its steps; killed, it begins anew.

    Args:
        model: Changed in place; left in eval mode.
        plan: Its records, and how many steps there are.
        method: What is done.
        seed: Of everything random.
        schedule: When to save a point of a curve, and what may stop it.

    Returns:
        For each step its number and what the method says of it.

    Raises:
        UsageError: If the run is to stop by itself, and the method acts on what is asked before the model sees it.
    """
    model.eval()
    method.begin(model, plan, seed)
    history: list[dict[str, float]] = []
    for step in range(1, plan.steps + 1):
        history.append({"step": step, **method.edit(model, step)})
        acts = method.applied if isinstance(method, InterveningMethod) else None
        if schedule.stop is not None and acts is not None and acts.instructs:
            raise UsageError("--until: this method changes what is asked, which the validation part doesn't show.")
        if step in schedule.save_at and schedule.save is not None:
            schedule.save(model, step)
            if schedule.stop is not None and schedule.stop(model, step):
                break
    return history
