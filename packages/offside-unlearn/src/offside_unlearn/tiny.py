"""A tiny, untrained model whose vocabulary fits a dataset: to try everything on a laptop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from offside_data.dataset.folder import OffsideDataset
from offside_data.outputs import whole_folder
from offside_data.vlm import build_tiny, image_backend, save_processor
from offside_unlearn import manifest as manifests
from offside_unlearn.engine import dataset_facts
from offside_unlearn.finetuning import opened
from offside_unlearn.options import FAMILY
from offside_unlearn.quiet import quietly
from offside_unlearn.runs import Run, finished


def make_tiny(
    out: str | Path,
    data: str | Path | OffsideDataset,
    *,
    family: str = FAMILY,
    seed: int = 0,
    force: bool = False,
) -> Run:
    """Write a tiny model of a real architecture.

    Args:
        out: The folder to write.
        data: A dataset or a reference to one: the tokenizer is trained on its texts.
        family: One of `offside_data.vlm.tiny.FAMILIES`.
        seed: Of the weights.
        force: Replace what `out` holds.

    Raises:
        PluginError: If the family is unknown.
        OutputExistsError: If `out` holds something else.
    """
    dataset = opened(data)
    identity: dict[str, Any] = {
        "command": "tiny",
        "role": "base",
        "method": None,
        "config": {"family": family},
        "base_model": None,
        "parents": [],
        "dataset": dataset_facts(dataset),
        "setting": None,
        "only": [],
        "forget": None,
        "trained_on": [],
        "adapter": None,
        "seeds": {"seed": seed},
    }
    done = finished(Path(out), identity, force=force)
    if done is not None:
        return done
    model, processor = build_tiny(family, texts=_texts(dataset), seed=seed)
    with quietly(), whole_folder(Path(out), force=force) as folder:
        model.save_pretrained(folder)
        save_processor(processor, folder)
        facts = {
            "title": f"tiny {family}, untrained",
            "image_backend": image_backend(processor),
            "parameters": model.num_parameters(),
        }
        manifest = manifests.complete(identity, facts)
        manifests.write(folder, manifest)
    return Run(Path(out), manifest)


def _texts(dataset: OffsideDataset) -> list[str]:
    """All questions and answers, sorted: the same tokenizer whatever order they lie in.

    The words of the chat template come along, so that they are one token each.
    """
    texts: list[str] = []
    for name in dataset.record_parts():
        rows = dataset.records(*name.split("/"))
        texts += [*rows["question"], *rows["answer"]]
    return sorted(texts) + ["user", "assistant"] * 50
