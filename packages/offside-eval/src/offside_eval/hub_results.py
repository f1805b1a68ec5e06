"""Results as `.eval_results/*.yaml` of a model on the Hub, which the page of the dataset that was asked lists.

That format knows no direction, so only what is better the higher it is goes in: metrics of which more is better, over
slices that were to survive. What was to be forgotten stands in `model_index.yaml` and in the results themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from offside_data.hub.benchmark import task_id
from offside_eval.metrics import load_metric

if TYPE_CHECKING:
    from offside_eval.results import Results

_DIGITS = 6


def eval_results_yaml(results: Results) -> str:
    """The file of an evaluation; whoever publishes it puts the dataset's place on the Hub for its name.

    Args:
        results: The evaluation.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    data = results.meta.dataset
    entries = [
        EvalResultEntry(
            dataset_id=data.name,
            task_id=task_id(f"{entry.config}/{entry.split}"),
            value=round(entry.value, _DIGITS),
            dataset_revision=data.commit,
            notes=f"{entry.metric}, setting {results.setting}, {data.name} {data.version}, {entry.n_scored} questions",
        )
        for entry in results.aggregates
        if entry.slice == f"keep:{entry.config}/{entry.split}"
        and entry.scope is None
        and entry.variant == "plain"
        and load_metric(entry.metric).higher_is_better["keep"]
    ]
    return str(yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True))
