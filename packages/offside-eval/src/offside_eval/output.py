"""The folder that an evaluation writes to: free, interrupted, finished, or somebody else's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.errors import OutputExistsError
from offside_data.files import ensure_free, write_json, write_text
from offside_data.progress import log
from offside_eval.model_index import model_index_yaml
from offside_eval.provenance import differences
from offside_eval.results import META, TIMING, Results

if TYPE_CHECKING:
    from offside_eval.inference.saved import SavedBatches
    from offside_eval.meta import EvaluationMeta

PROGRESS = ".progress"
MODEL_INDEX = "model_index.yaml"
_IDENTITY = "evaluation.json"


class OutputFolder:
    """The output folder of one evaluation.

    While it runs, `.progress/` holds what the evaluation is and its finished batches. `results.json`
    is written last, so a folder that has it is finished.

    Args:
        folder: The folder.
        meta: What `results.json` will hold: two evaluations are the same when these are equal, but
            for where the model lies.
        force: Take the folder whatever it holds.

    Raises:
        OutputExistsError: If it holds something else.
    """

    def __init__(self, folder: Path, meta: EvaluationMeta, *, force: bool = False) -> None:
        self.folder = folder
        self._meta = meta
        self._progress = folder / PROGRESS
        self._force = force
        self._state = "free" if force else self._look()

    def finished(self) -> Results | None:
        """The results, if this very evaluation is finished."""
        if self._state != "finished":
            return None
        shutil.rmtree(self._progress, ignore_errors=True)  # Killed between its last two steps.
        return Results.load(self.folder)

    def saved(self) -> SavedBatches:
        """Where batches are kept while the evaluation runs."""
        from offside_eval.inference.saved import SavedBatches

        return SavedBatches(self._progress)

    def begin(self) -> None:
        """Take the folder. Called when nothing about the input can be wrong any more."""
        if self._state == "interrupted":
            log(f"{self.folder}: going on with an interrupted evaluation.")
            return
        if self._force:
            if self.folder.is_file():
                ensure_free(self.folder)
            shutil.rmtree(self.folder, ignore_errors=True)
        write_json(self._progress / _IDENTITY, self._meta.to_json())

    def finish(self, results: Results, timing: dict[str, Any]) -> Results:
        """Write the results, `results.json` last, and drop the progress."""
        write_json(self.folder / TIMING, timing)
        write_text(self.folder / MODEL_INDEX, model_index_yaml(results))
        saved = results.save(self.folder)
        for partial in self.folder.glob(".*.partial"):  # Of an earlier attempt that was killed.
            partial.unlink()
        shutil.rmtree(self._progress, ignore_errors=True)
        return saved

    def _look(self) -> str:
        finished = _read(self.folder / META)
        if finished is not None:
            self._require_same(finished, "a finished evaluation")
            return "finished"
        begun = _read(self._progress / _IDENTITY)
        if begun is not None:
            self._require_same(begun, "an interrupted evaluation")
            return "interrupted"
        if self._progress.is_dir() and list(self.folder.iterdir()) == [self._progress]:
            shutil.rmtree(self._progress)  # Killed before it had begun.
        ensure_free(self.folder)
        return "free"

    def _require_same(self, before: dict[str, Any], what: str) -> None:
        differing = differences(_identity(before), _identity(self._meta.to_json()))
        if differing:
            raise OutputExistsError(
                f"{self.folder} holds {what} of something else ({'; '.join(differing)}). "
                "Choose another output folder, or pass --force to replace it."
            )


def _identity(meta: dict[str, Any]) -> dict[str, Any]:
    return meta | {"model": {key: value for key, value in (meta.get("model") or {}).items() if key != "path"}}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return content if isinstance(content, dict) else None
