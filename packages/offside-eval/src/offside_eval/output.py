"""The folder that an evaluation writes to: free, interrupted, finished, or somebody else's."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.dataset.lock import LOCK_FILES, held
from offside_data.errors import FolderInUseError, OutputExistsError
from offside_data.files import write_json, write_text
from offside_data.outputs import not_ours, others_in
from offside_data.parsing import parse_json
from offside_data.progress import log
from offside_data.reading import read_small
from offside_eval.attack_results import FOLDER as ATTACKS_FOLDER
from offside_eval.corrections import CORRECTIONS
from offside_eval.hub_results import eval_results_yaml
from offside_eval.meta import TIMING
from offside_eval.model_index import model_index_yaml
from offside_eval.model_scores import FILE as MODEL_METRICS
from offside_eval.provenance import differences
from offside_eval.results import AGGREGATES, DEPTH, MEMBERSHIP, META, SAMPLES, WEIGHINGS, Results

if TYPE_CHECKING:
    from offside_eval.inference.saved import SavedBatches
    from offside_eval.meta import EvaluationMeta

PROGRESS = ".progress"
MODEL_INDEX, HUB_RESULTS = "model_index.yaml", "eval_results.yaml"
_IDENTITY = "evaluation.json"
EVERY = 0.2
"""Seconds between two looks at what another process does."""
_OURS = (SAMPLES, WEIGHINGS, MEMBERSHIP, DEPTH, AGGREGATES, META, TIMING, MODEL_INDEX, HUB_RESULTS, MODEL_METRICS)
"""All files of a finished evaluation."""
_TELLING = {"model", "dataset", "setting", "metrics"}
"""Keys by which our `results.json` is told from other people's."""


class OutputFolder:
    """The output folder of one evaluation.

    While it runs, `.progress/` holds what the evaluation is and its finished batches. `results.json`
    is written last, so a folder that has it is finished.

    Args:
        folder: The folder.
        meta: What `results.json` will hold: two evaluations are the same when these are equal, but
            for where the model lies.
        force: Replace an evaluation that it holds; other files in it stay. What an interrupted one of the very same
            kind has asked already is used.

    Raises:
        OutputExistsError: If it holds something else, or with `force` no evaluation.
    """

    def __init__(self, folder: Path, meta: EvaluationMeta, *, force: bool = False) -> None:
        self.folder = folder
        self._meta = meta
        self._progress = folder / PROGRESS
        self._force = force
        if force:
            self._require_ours()
        self._state = self._look_to_replace() if force else self._look()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder: two processes would read each other's batches. What it holds is looked at again.

        Raises:
            OutputExistsError: If another process is at work in it, or made something else in it meanwhile.
        """
        with contextlib.ExitStack() as stack:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(held(self.folder, self._progress))
            except FolderInUseError as error:
                raise OutputExistsError(
                    f"{self.folder}: another process is making this evaluation. Wait for it, or choose another output "
                    "folder."
                ) from error
            if not self._force:
                self._state = self._look()
            yield

    def finished(self) -> Results | None:
        """The results, if this very evaluation is finished."""
        if self._state != "finished":
            return None
        if self._progress.is_dir():  # Killed between its last two steps, unless somebody is just taking them.
            with contextlib.suppress(FolderInUseError), held(self.folder, self._progress):
                self._drop_progress()
        return Results.load(self.folder)

    def begun(self) -> Results | None:
        """Wait until another process has begun this evaluation; its results, if they are finished by then.

        Raises:
            OutputExistsError: If the folder holds something else.
        """
        while (state := self._look()) == "free":
            time.sleep(EVERY)
        return Results.load(self.folder) if state == "finished" else None

    def awaited(self) -> Results:
        """Wait until another process has finished this evaluation."""
        while _read(self.folder / META) is None:
            time.sleep(EVERY)
        return Results.load(self.folder)

    def saved(self) -> SavedBatches:
        """Where batches are kept while the evaluation runs."""
        from offside_eval.inference.saved import SavedBatches

        return SavedBatches(self._progress)

    def begin(self) -> None:
        """Take the folder. Called when nothing about the input can be wrong any more."""
        if self._state == "interrupted":
            log(f"{self.folder}: going on with an interrupted evaluation.")
        else:
            self._drop_progress()  # Batches of nobody, e.g. of an evaluation that was killed while it cleared up.
            write_json(self._progress / _IDENTITY, self._meta.to_json())  # First: a kill leaves no folder of nobody.
        if self._force:
            for name in (*_OURS, CORRECTIONS):  # What was corrected is gone.
                (self.folder / name).unlink(missing_ok=True)
            self._drop_attacks()

    def finish(self, results: Results, timing: dict[str, Any]) -> Results:
        """Write the results, `results.json` last, and drop the progress."""
        write_json(self.folder / TIMING, timing)
        write_text(self.folder / MODEL_INDEX, model_index_yaml(results))
        write_text(self.folder / HUB_RESULTS, eval_results_yaml(results))
        saved = results.save(self.folder)
        for name in _OURS:
            for partial in self.folder.glob(f".{name}.*.partial"):  # Of an earlier attempt that was killed.
                partial.unlink()
        self._drop_progress()
        return saved

    @property
    def attacks(self) -> Path:
        """Where attacks on the model lie."""
        return self.folder / ATTACKS_FOLDER

    def _drop_attacks(self) -> None:
        """Delete the attacks on the model that was evaluated before."""
        for file in self.attacks.glob("*.json"):
            if "attack" in (_read(file) or {}):
                file.unlink()
                file.with_suffix(".parquet").unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # There are none, or something else is in it.
            self.attacks.rmdir()

    def _drop_progress(self) -> None:
        """Delete what an evaluation keeps while it runs, and nothing else."""
        for path in self._saved_files():
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # There is none, or something else is in it.
            self._progress.rmdir()

    def _saved_files(self) -> Iterator[Path]:
        for pattern in (_IDENTITY, f".{_IDENTITY}.*.partial", "*-??????.json", ".*-??????.json.*.partial"):
            yield from self._progress.glob(pattern)

    def _is_ours(self) -> bool:
        """Whether nothing but ours is in the folder of the progress."""
        if self._progress.is_symlink() or not self._progress.is_dir():
            return False
        return set(os.listdir(self._progress)) <= {*LOCK_FILES, *(path.name for path in self._saved_files())}

    def _require_ours(self) -> None:
        there = others_in(self.folder)
        stated = _read(self.folder / META) or _read(self._progress / _IDENTITY) or {}
        if not stated.keys() >= _TELLING and not set(there) <= {PROGRESS}:  # Others call files `results.json`, too.
            raise not_ours(self.folder, there, "an evaluation")

    def _look(self) -> str:
        finished = _read(self.folder / META)
        if finished is not None:
            self._require_ours()
            self._require_same(finished, "a finished evaluation")
            return "finished"
        begun = _read(self._progress / _IDENTITY)
        if begun is not None:
            self._require_same(begun, "an interrupted evaluation")
            return "interrupted"
        there = others_in(self.folder)
        if there and not (there == [PROGRESS] and self._is_ours()):  # Else it was killed before it had begun.
            raise not_ours(self.folder, there, "an evaluation")
        return "free"

    def _look_to_replace(self) -> str:
        """As `_look`, where whatever is finished goes: an attempt to replace it may have been interrupted."""
        begun = _read(self._progress / _IDENTITY)
        same = begun is not None and not differences(_identity(begun), _identity(self._meta.to_json()))
        return "interrupted" if same else "free"

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
        content = parse_json(read_small(path))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return content if isinstance(content, dict) else None
