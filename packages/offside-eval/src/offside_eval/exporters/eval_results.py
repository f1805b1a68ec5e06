"""What the Hub lists of a model: `.eval_results/*.yaml` and `model-index`, with corrected scores as corrected.

Put the folder's content into the model's repository; `offside-unlearn publish --results` does so with the scores as
they were measured. The dataset's id is its name on this machine: write the one on the Hub.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.files import write_text
from offside_data.outputs import ensure_free, whole_folder
from offside_eval.hub_results import eval_results_yaml
from offside_eval.model_index import model_index_yaml

if TYPE_CHECKING:
    from offside_eval.results import Results

SUMMARY = "the Hub's .eval_results/*.yaml, and model-index for the card"
FOLDER = ".eval_results"


def write(results: Sequence[Results], out: Path, *, force: bool) -> Path:
    """Write both files of each results folder."""
    ensure_free(out, force=force)
    first = ""
    with whole_folder(out, force=force) as folder:
        for name, found in named(results).items():
            first = first or f"{FOLDER}/{name}.yaml"
            write_text(folder / FOLDER / f"{name}.yaml", eval_results_yaml(found))
            write_text(folder / f"{name}.model-index.yaml", model_index_yaml(found))
    return out / first


def named(results: Sequence[Results]) -> dict[str, Results]:
    """Results by a name for their files: of the folder, with a number where two are called the same."""
    found: dict[str, Results] = {}
    for r in results:
        place = r.path.resolve().name if r.path else f"{r.role}-{r.setting}"
        base = re.sub(r"[^\w.-]+", "-", place).strip(".-") or "results"
        name, number = base, 2
        while name in found:
            name, number = f"{base}-{number}", number + 1
        found[name] = r
    return found
