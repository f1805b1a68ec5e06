"""Merge an adapter run into a plain model folder."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from offside_data.donors import table_of
from offside_data.errors import UsageError
from offside_data.outputs import whole_folder
from offside_data.vlm import load_model, load_processor, save_processor
from offside_unlearn import manifest as manifests
from offside_unlearn.options import RunOptions
from offside_unlearn.quiet import quietly
from offside_unlearn.runs import Run, finished
from offside_unlearn.start import find_start


def merge(run: str | Path, out: str | Path, *, dtype: str = RunOptions.dtype, force: bool = False) -> Run:
    """Write the model that a run's adapter makes of its base as a plain folder.

    Plain `AutoModelForImageTextToText.from_pretrained` loads the result, and it can be unlearned or
    fine-tuned with a new adapter.

    Args:
        run: An adapter run folder.
        out: The folder to write.
        dtype: Of the weights.
        force: Replace what `out` holds.

    Raises:
        UsageError: If `run` is no adapter.
        ModelError: If its table of donors isn't the one that the receipt names.
        OutputExistsError: If `out` holds something else.
    """
    start = find_start(str(run))
    if not start.adapter or start.manifest is None:
        raise UsageError(f"{run}: no adapter run, so there is nothing to merge.")
    lent = table_of(run)
    content = dataclasses.replace(start.manifest, published=None).to_json()
    merged_from = {"path": str(run), "digest": start.digest}
    identity = {**content, "merged_from": merged_from, "adapter": None, "dtype": dtype}
    del identity["schema"], identity["request"]
    done = finished(Path(out), identity, force=force)
    if done is not None:
        return done
    with quietly(), whole_folder(Path(out), force=force) as folder:
        model = load_model(run, device="cpu", dtype=dtype).merge_and_unload()
        model.save_pretrained(folder)
        save_processor(load_processor(run), folder)
        if lent is not None:
            shutil.copy2(lent, folder)
        manifest = manifests.complete(identity, {})
        manifests.write(folder, manifest)
    return Run(Path(out), manifest)
