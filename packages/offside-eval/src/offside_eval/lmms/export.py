"""What a setting asks, as tasks of `lmms-eval`: a folder of YAML files, the functions they name, and Parquet files.

Each slice of the setting becomes up to three tasks on the same rows: `open` (the model writes an answer), `letters` (it
writes the letter of a choice) and `choices` (the likelihoods of the choices are compared). All records are asked on
their own pictures; the twins of visual rumours are left to `offside-eval run`, and so are records by which the run was
stopped or chosen.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.errors import DatasetError, UsageError
from offside_data.files import write_json, write_text
from offside_data.outputs import ensure_free, require_apart, whole_folder
from offside_data.run_manifest import read as read_manifest
from offside_eval.inference.forms import LETTERS, letter_question, lettered
from offside_eval.lmms import PACKAGE, TESTED
from offside_eval.plan import EARLIER, Plan, Question, make_plan

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset

FUNCTIONS = Path(__file__).with_name("task_functions.py")
_MAX_NEW_TOKENS = {"open": 48, "letters": 16}


@dataclass(frozen=True)
class ExportedTask:
    """A task that was written.

    Args:
        name: As `lmms-eval --tasks` takes it.
        slice: Of the setting.
        form: `open`, `letters` or `choices`.
        records: How many it asks.
    """

    name: str
    slice: str
    form: str
    records: int


def export_tasks(
    run: str | Path,
    out: str | Path,
    *,
    data: OffsideDataset | str | Path,
    setting: str | None = None,
    only: Sequence[str] = (),
    limit: int | None = None,
    seed: int = 0,
    force: bool = False,
) -> list[ExportedTask]:
    """Write what a setting asks of a model as tasks of `lmms-eval`.

    Args:
        run: The model's folder, or its Hub name: its receipt says setting and request, and which records don't count.
        out: Folder to write.
        data: The dataset, or a reference to one.
        setting: One that the dataset's card offers; null takes the receipt's.
        only: Narrows the request; empty takes the receipt's.
        limit: At most so many records a slice, drawn by `seed`.
        seed: Also of the order of lettered choices.
        force: Replace what an earlier call wrote into `out`.

    Raises:
        UsageError: If neither option nor receipt says the setting, or the names make two tasks one.
        DatasetError: If there is nothing to ask.
        OutputExistsError: If `out` holds something.
    """
    from offside_data.dataset.folder import open_dataset

    out = Path(out)
    ensure_free(out, force=force)
    receipt = read_manifest(run)
    setting = setting or (receipt.setting if receipt else None)
    if setting is None:
        raise UsageError(f"{run}: no receipt says for which setting it was made; name one with --setting.")
    opened = open_dataset(data) if isinstance(data, (str, Path)) else data
    opened.verify()
    for what, place in (("model", Path(run)), ("dataset", opened.path)):
        if place.exists():
            require_apart(out, place, what)
    if receipt is not None and not only and receipt.setting == setting:
        only = receipt.only or ()
    plan = make_plan(opened, setting, only=only, limit=limit, seed=seed, run=receipt)
    left_out = frozenset(receipt.not_counted) if receipt else frozenset[str]()
    about = {
        "dataset": {"name": opened.name, "version": opened.version, "digest": opened.digest},
        "setting": setting,
        "only": list(only),
        "forget_digest": plan.request.digest,
        "limit": limit,
        "seed": seed,
        "left_out": len(left_out),
        "written_for": f"{PACKAGE} {TESTED}",
    }
    group = _slug(f"offside_{opened.name}_{setting}")
    with whole_folder(out, force=force) as folder:
        tasks = list(_write_tasks(plan, folder, group, left_out, about, seed))
        if not tasks:
            raise DatasetError(f"{opened.path}: setting {setting!r} has no record that counts to ask about.")
        shutil.copyfile(FUNCTIONS, folder / "utils.py")
        write_json(folder / "tasks.json", {**about, "tasks": [vars(task) for task in tasks]})
        write_text(folder / "README.md", _readme(run, group, tasks, about))
    return tasks


def _write_tasks(
    plan: Plan, folder: Path, group: str, left_out: frozenset[str], about: dict[str, Any], seed: int
) -> Iterator[ExportedTask]:
    import yaml

    slices: dict[str, list[Question]] = {}
    for name, key in plan.places:
        question = plan.questions[key]
        if question.variant == "plain" and question.row["record_id"] not in left_out:
            slices.setdefault(name, []).append(question)
    known: dict[str, str] = {}
    for name, questions in slices.items():
        slug = _slug(name)
        if known.setdefault(slug, name) != name:
            raise UsageError(f"the slices {known[slug]!r} and {name!r} would be one task, {group}_{slug}.")
        rows = [_row(question, seed) for question in questions]
        _write_rows(rows, folder / "data" / f"{slug}.parquet")
        counts = {
            "open": len(rows),
            "letters": sum(row["letter"] is not None for row in rows),
            "choices": sum(row["correct_choice"] is not None for row in rows),
        }
        for form, records in counts.items():
            if records:
                task = ExportedTask(f"{group}_{slug}_{form}", name, form, records)
                has_value = any(row["value"] for row in rows)
                content = _yaml(task, group, f"data/{slug}.parquet", about, has_value=has_value)
                # The tag of functions isn't YAML's: it is written as it stands, without quotes.
                text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
                write_text(folder / f"{task.name}.yaml", re.sub(r"'(!function [\w.]+)'", r"\1", text))
                yield task


def _yaml(task: ExportedTask, group: str, file: str, about: dict[str, Any], *, has_value: bool) -> dict[str, Any]:
    """The fields of a task that `lmms-eval` reads."""
    content: dict[str, Any] = {
        "task": task.name,
        # A model that only chats can't run tasks of likelihoods: they have a tag of their own.
        "tag": f"{group}_likelihood" if task.form == "choices" else group,
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {"test": file}},  # Relative to the YAML file.
        "test_split": "test",
        "output_type": "multiple_choice" if task.form == "choices" else "generate_until",
        "doc_to_visual": "!function utils.pictures",
    }
    # Of what is or was to be forgotten, and of the same claims in words, less is what unlearning is for.
    measured = task.slice.startswith("measure:") and "forget" in task.slice.split("/")
    higher = not (measured or task.slice == "forget" or task.slice.startswith(EARLIER))
    if task.form == "open":
        metrics = ["same_answer", *(["says_value"] if has_value else [])]
        content |= {"doc_to_text": "question", "doc_to_target": "answer"}
        content["process_results"] = "!function utils.score_answer"
    elif task.form == "letters":
        metrics = ["right_letter"]
        content |= {"doc_to_text": "letter_question", "doc_to_target": "letter"}
        content |= {"process_docs": "!function utils.with_letters", "process_results": "!function utils.score_letter"}
    else:
        metrics = ["right_choice"]
        content["process_results"] = "!function utils.score_choice"
        content |= {"doc_to_text": "question", "doc_to_choice": "choices", "doc_to_target": "correct_choice"}
        content["process_docs"] = "!function utils.with_choices"
    if task.form != "choices":
        content["generation_kwargs"] = {
            "max_new_tokens": _MAX_NEW_TOKENS[task.form],
            "temperature": 0,
            "do_sample": False,
            "num_beams": 1,
            "until": ["\n\n"],
        }
    mean = "!function utils.mean_score"
    content["metric_list"] = [{"metric": m, "aggregation": mean, "higher_is_better": higher} for m in metrics]
    content["cluster_key"] = "subject_id"
    content["metadata"] = {"version": about["dataset"]["version"], **about, "slice": task.slice}
    return content


def _row(question: Question, seed: int) -> dict[str, Any]:
    row = question.row
    letters = lettered(question, seed)
    return {
        "record_id": row["record_id"],
        "subject_id": row["subject_id"],
        "scope": row["scope"],
        "attribute": row["attribute"],
        "question": row["question"],
        "answer": question.answer,
        "value": question.value.text if question.value else None,
        "letter_question": letter_question(question, seed),
        "letter": LETTERS[letters.correct] if letters else None,
        "choices": list(question.choices) if question.correct_choice is not None else [],
        "correct_choice": question.correct_choice,
        "image": row["image"],
    }


def _write_rows(rows: Sequence[dict[str, Any]], file: Path) -> None:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = datasets.Value("string")
    types = dict.fromkeys(rows[0], text) | {
        "choices": datasets.List(text),
        "correct_choice": datasets.Value("int64"),
        "image": datasets.Image(),
    }
    table = pa.Table.from_pylist(list(rows), schema=datasets.Features(types).arrow_schema)
    file.parent.mkdir(exist_ok=True)
    # A picture stands in the file once, however many records show it.
    pq.write_table(table, file, compression="zstd", use_dictionary=True, dictionary_pagesize_limit=2**30)


def _slug(name: str) -> str:
    """A name as task names are written."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _readme(run: str | Path, group: str, tasks: Sequence[ExportedTask], about: dict[str, Any]) -> str:
    rows = "\n".join(f"| `{task.name}` | {task.slice} | {task.form} | {task.records} |" for task in tasks)
    data, narrowed = about["dataset"], f", narrowed to {', '.join(about['only'])}" if about["only"] else ""
    quoted = shlex.quote(os.path.abspath(run) if Path(run).exists() else str(run))
    held = (
        f"\n{about['left_out']} records by which the run was stopped or chosen aren't asked.\n"
        if about["left_out"]
        else ""
    )
    return f"""# Tasks of lmms-eval

What the setting `{about["setting"]}`{narrowed} asks of {data["name"]} {data["version"]} (`{data["digest"]}`), for
{about["written_for"]}. The folder can be moved; its YAML files find their data beside them. From within it:

```
lmms-eval --model MODEL --model_args pretrained=PATH --include_path . --tasks {group} --output_path logs
offside-eval run-lmms-eval results-lmms --model {quoted} --include . --tasks {group},{group}_likelihood
```

The second command runs them on folders that lmms-eval's own models don't read: adapters, and runs that do something
while a model answers.

| task | slice | form | records |
| --- | --- | --- | --- |
{rows}
{held}
* `open`: `same_answer` is the gold answer, `says_value` the gold value's words, whatever is said of them. That is less
  strict than `value_match` of `offside-eval run`, which no number here replaces.
* `letters`: `right_letter`. Choices stand in an order drawn by record.
* `choices`: `right_choice`, by the likelihoods of the choices, a mean over an answer's tokens. Only models that tell
  likelihoods can run these, and they have a tag of their own, `{group}_likelihood`.
* Of what is to be forgotten, lower is better, down to what a model says that never saw it, not to zero.
* Errors beside the means: `stderr_clustered` is over subjects.
"""
