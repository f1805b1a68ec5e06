"""Tasks of `lmms-eval` on one of our models: what is needed is checked before the model is loaded."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.errors import UsageError, listed
from offside_data.files import write_json, write_text
from offside_data.outputs import ensure_free, require_apart, whole_folder
from offside_data.plugins import did_you_mean
from offside_data.progress import log
from offside_eval import provenance
from offside_eval.config import EvaluationConfig
from offside_eval.lmms import PACKAGE, require_lmms_eval

FILE = "lmms_eval.json"
SAMPLES = "samples.jsonl"
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


@dataclass(frozen=True)
class TaskScore:
    """One number of a task.

    Args:
        task: As `lmms-eval` calls it.
        metric: As the task calls it.
        value: As the task aggregates it; null if that gave no number.
        stderr: Its standard error, over subjects where the task says who they are; null if it has none.
        n: Records that were asked.
        higher_is_better: As the task says; null if it doesn't.
    """

    task: str
    metric: str
    value: float | None
    stderr: float | None
    n: int
    higher_is_better: bool | None


def run_tasks(
    model: str | Path,
    tasks: Sequence[str],
    out: str | Path,
    *,
    include: Sequence[str | Path] = (),
    limit: int | None = None,
    download: bool = False,
    force: bool = False,
    config: EvaluationConfig | None = None,
) -> list[TaskScore]:
    """Run tasks of `lmms-eval` on a model and write what came of it.

    Args:
        model: A model folder, an adapter folder, a run whose method acts while a model answers, or a Hub name.
        tasks: Names of tasks, groups or tags.
        out: Folder to write: numbers with what they are of, and every answer.
        include: Folders with further tasks, as `export-lmms-eval` writes them.
        limit: At most so many questions a task, the first ones.
        download: Whether data that aren't on this machine may be fetched.
        force: Replace what an earlier call wrote into `out`.
        config: `device`, `dtype`, `batch_size`, `max_pixels` and `max_length` are read.

    Raises:
        UsageError: If `lmms-eval` isn't installed, a task is unknown, or its data aren't here and may not be fetched.
        ModelError: If the model's folder can't be used.
        OutputExistsError: If `out` holds something.
    """
    out, config = Path(out), config or EvaluationConfig()
    ensure_free(out, force=force)
    if Path(model).is_dir():
        require_apart(out, Path(model), "model")
    found_version = require_lmms_eval()
    folders = [str(Path(folder).resolve()) for folder in include]
    for folder in folders:
        if not Path(folder).is_dir():
            raise UsageError(f"{folder}: no folder of tasks; give one that holds YAML files.")
    _say_whether_to_download(download)
    with contextlib.redirect_stdout(sys.stderr):  # It speaks on stdout, which is for results.
        manager = _manager(tasks, folders)
        if not download:
            _require_data(manager.task_index, _leaves(manager.task_index, tasks))

        from offside_eval.model import TargetModel

        target = TargetModel.of(model, None, config)
        found = _evaluate(target, tasks, manager, limit, config)
    scores = list(_scores(found))
    about = {
        "model": {"path": str(model), "digest": target.digest, "role": target.role},
        "intervention": target.applied.kind if target.applied else None,
        "tasks": list(tasks),
        "limit": limit,
        "dtype": target.dtype,
        "device": target.device,
        "max_pixels": config.max_pixels,
        "greedy": True,
        "versions": {**provenance.versions(), PACKAGE: found_version},
        "task_versions": {name: str(version) for name, version in found["versions"].items()},
        "scores": [vars(score) for score in scores],
    }
    with whole_folder(out, force=force) as staged:
        write_json(staged / FILE, about)
        lines = (_line(task, sample) for task, samples in sorted(found["samples"].items()) for sample in samples)
        write_text(staged / SAMPLES, "".join(lines))
    return scores


def _manager(tasks: Sequence[str], folders: Sequence[str]) -> Any:
    """The list of tasks that are known.

    Raises:
        UsageError: If one that is asked for isn't among them.
    """
    import lmms_eval.models  # noqa: F401 - it sets what lmms-eval's log tells
    from lmms_eval.tasks import TaskManager

    # Its own tasks are two thousand files: where all that was asked for lies in the folders, they aren't read.
    manager = TaskManager(include_path=list(folders), include_defaults=False)
    if not set(tasks) <= set(manager.all_tasks):
        manager = TaskManager(include_path=list(folders))
    unknown = [name for name in tasks if name not in manager.all_tasks]
    if unknown:
        raise UsageError(
            f"unknown task {unknown[0]!r}.{did_you_mean(unknown[0], manager.all_tasks)} {len(manager.all_tasks):,} are "
            "known: `lmms-eval --tasks list` lists its own, --include names a folder of others."
        )
    return manager


def _say_whether_to_download(download: bool) -> None:
    """Keep the libraries off the network, or leave them as the user's environment has them.

    They read the environment when they are imported, which may have been before.
    """
    if download:
        return
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
    import datasets
    import huggingface_hub.constants

    huggingface_hub.constants.HF_HUB_OFFLINE = True
    datasets.config.HF_HUB_OFFLINE = True


def _leaves(index: Mapping[str, Mapping[str, Any]], names: Iterable[Any]) -> Iterator[str]:
    """The tasks that names of tasks, groups and tags stand for."""
    for given in names:
        name = given.get("task") or given.get("group") if isinstance(given, Mapping) else given
        if isinstance(name, list):
            yield from _leaves(index, name)
        if not isinstance(name, str) or name not in index:
            continue  # A task that is written out within its group.
        entry = index[name]
        if entry["type"] == "tag":
            yield from _leaves(index, entry["task"])
        elif entry["type"] == "group":
            yield from _leaves(index, _content(entry["yaml_path"]).get("task") or ())
        else:
            yield name


def _content(path: str) -> dict[str, Any]:
    from lmms_eval.utils import load_yaml_config

    content: dict[str, Any] = load_yaml_config(path, mode="simple")
    return content


def _require_data(index: Mapping[str, Mapping[str, Any]], leaves: Iterable[str]) -> None:
    """Refuse tasks whose data aren't on this machine.

    Raises:
        UsageError: It names their data, and how to come by them.
    """
    import datasets
    from datasets.exceptions import DatasetsError

    missing: dict[str, list[str]] = {}
    for name in dict.fromkeys(leaves):
        content = _content(index[name]["yaml_path"])
        path, options = content.get("dataset_path"), content.get("dataset_kwargs") or {}
        if not isinstance(path, str) or options.get("load_from_disk"):
            continue  # A class or a folder of its own: it says itself what it lacks.
        known = {key: options[key] for key in ("data_files", "data_dir", "revision") if key in options}
        try:
            datasets.load_dataset_builder(path, content.get("dataset_name"), **known)
        except (OSError, ValueError, DatasetsError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
            missing.setdefault(path, []).append(f"{name}: {path} ({why[:120]})")
    if missing:
        fetch = " and ".join(f"`hf download --repo-type dataset {path}`" for path in list(missing)[:3])
        raise UsageError(
            "these tasks' data aren't on this machine, and nothing is downloaded unless asked:\n"
            f"{listed([line for lines in missing.values() for line in lines])}\n"
            f"Pass --download to let {PACKAGE} fetch them, or fetch them where there is a network ({fetch}) and copy "
            "the cache."
        )


def _evaluate(
    target: Any, tasks: Sequence[str], manager: Any, limit: int | None, config: EvaluationConfig
) -> dict[str, Any]:
    from datasets.exceptions import DatasetsError
    from lmms_eval.evaluator import simple_evaluate
    from tenacity import RetryError

    from offside_eval.lmms.model import OffsideModel

    lm = OffsideModel(batch_size=config.batch_size, max_length=max(config.max_length, 8192), target=target)
    try:
        found: dict[str, Any] = simple_evaluate(
            lm, tasks=list(tasks), task_manager=manager, limit=limit, log_samples=True, bootstrap_iters=0
        )
    except RetryError as error:  # It tries loading five times, whatever the reason.
        cause = error.last_attempt.exception()
        raise UsageError(f"{PACKAGE} couldn't load or score a task of {', '.join(tasks)}: {cause}") from error
    except DatasetsError as error:
        raise UsageError(f"{PACKAGE} couldn't load the data of {', '.join(tasks)}: {error}") from error
    return found


def _scores(found: Mapping[str, Any]) -> Iterator[TaskScore]:
    for task, numbers in found["results"].items():
        better = found.get("higher_is_better", {}).get(task) or {}
        for key, value in numbers.items():
            metric, comma, which = key.partition(",")
            if not comma or "_stderr" in metric:
                continue
            errors = (numbers.get(f"{metric}_stderr{kind},{which}") for kind in ("_clustered", "_clt", ""))
            stderr = next((_number(error) for error in errors if _number(error) is not None), None)
            n = len(found["samples"].get(task, ()))
            yield TaskScore(task, metric, _number(value), stderr, n, better.get(metric))


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if number == number else None


def _line(task: str, sample: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in sample.items() if name not in ("arguments", "input_media", "resps")}
    return json.dumps({"task": task, **kept}, ensure_ascii=False, default=str) + "\n"


def tell(scores: Sequence[TaskScore]) -> None:
    """Say on stderr which tasks gave no number."""
    for score in scores:
        if score.value is None:
            log(f"note: {score.task}: {score.metric} has no number.")
