"""Results as `model-index` metadata for a model card on the Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offside_eval.results import Results


def model_index_yaml(results: Results) -> str:
    """The `model-index` block of a model card: every metric over whole slices, pictures as they are."""
    import yaml
    from huggingface_hub import EvalResult
    from huggingface_hub.repocard_data import eval_results_to_model_index

    data = results.meta.dataset
    found = [
        EvalResult(
            task_type="image-text-to-text",
            dataset_type=data.name,
            dataset_name=f"{data.name} {data.version}, setting {results.setting}, {entry.slice}",
            dataset_config=entry.config,
            dataset_split=entry.split,
            dataset_revision=data.version,
            dataset_args={"setting": results.setting, "slice": entry.slice},
            metric_type=entry.metric,
            metric_name=entry.metric,
            metric_value=entry.value,
        )
        for entry in results.aggregates
        if entry.scope is None and entry.variant == "plain"
    ]
    name = results.meta.model.path.rstrip("/").rpartition("/")[2] or "model"
    index = eval_results_to_model_index(name, found)
    return str(yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=True))
