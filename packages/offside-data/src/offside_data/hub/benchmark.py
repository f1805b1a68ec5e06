"""`eval.yaml`: what makes a dataset a benchmark on the Hub, so that results of models can be registered with it.

The format is in beta there: it is checked when it is pushed, and a leaderboard appears only for datasets that the Hub
has put on its list. One task a split that models are asked about; its id is what `.eval_results/*.yaml` of a model
names. No solvers and scorers are named: one of another framework would count an answer that only contains the value.
"""

from __future__ import annotations

from typing import Any

import yaml

from offside_data.dataset.folder import OffsideDataset
from offside_data.release.responsible import description

EVAL_FILE = "eval.yaml"
FRAMEWORK = "offside-eval"
"""The evaluation framework that its tasks are for."""
_NOT_ASKED = ("text/general", "multimodal/general")
"""What only base models are trained on."""


def task_id(part: str) -> str:
    """The id of the task of a part: `multimodal-test` of `multimodal/test`."""
    return part.replace("/", "-")


def eval_yaml(dataset: OffsideDataset) -> bytes:
    """The file of a dataset."""
    tasks: list[dict[str, Any]] = []
    for part in dataset.record_parts():
        if part in _NOT_ASKED:
            continue
        config, _, split = part.partition("/")
        fields = {"input": "question", "target": "answer"}
        if config == "multimodal":
            fields["input_image"] = "image"
        tasks.append({"id": task_id(part), "config": config, "split": split, "field_spec": fields})
    content = {
        "name": str(dataset.card.data.get("pretty_name") or dataset.name),
        "description": description(dataset.card),
        "evaluation_framework": FRAMEWORK,
        "tasks": tasks,
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110).encode()
