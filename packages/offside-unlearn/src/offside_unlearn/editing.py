"""The loop of methods that change weights without training: step by step, with the points of a curve in between."""

from __future__ import annotations

from typing import Any

from offside_unlearn.batches import BatchPlan
from offside_unlearn.methods import EditingMethod
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
    """
    model.eval()
    method.begin(model, plan, seed)
    history: list[dict[str, float]] = []
    for step in range(1, plan.steps + 1):
        history.append({"step": step, **method.edit(model, step)})
        if step in schedule.save_at and schedule.save is not None:
            schedule.save(model, step)
            if schedule.stop is not None and schedule.stop(model, step):
                break
    return history
