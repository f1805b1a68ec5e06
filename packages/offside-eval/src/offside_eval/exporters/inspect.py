"""Logs of Inspect (`inspect_ai`), which `read_eval_log` and its viewer load; one a results folder.

A sample is a record on one of its pictures' variants, a score one of our metrics. What wasn't scored has no value: NaN,
which is how that format says so (it isn't strict JSON then); the reason stands beside it. A corrected score has its
history: what was measured, who changed it, when and why. Pictures aren't in the log.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.files import write_text
from offside_data.outputs import ensure_free, whole_folder
from offside_eval.exporters.eval_results import named

if TYPE_CHECKING:
    from offside_eval.corrections import Correction
    from offside_eval.results import Results

SUMMARY = "logs of inspect_ai, version 2 of its format"
LOG_VERSION = 2
_FACTS = (
    "record_id",
    "variant",
    "subject_id",
    "image_id",
    "config",
    "split",
    "scope",
    "attribute",
    "modality",
    "veracity",
    "rumor_channel",
    "held_out",
)
"""Columns that go into a sample's metadata."""


def write(results: Sequence[Results], out: Path, *, force: bool) -> Path:
    """Write a JSON log of each results folder."""
    ensure_free(out, force=force)
    logs: dict[str, dict[str, Any]] = {}
    for name, found in named(results).items():
        file, number = _file_name(name, found), 2
        while file in logs:  # `a_b` and `a-b` are called the same there.
            file, number = _file_name(f"{name}-{number}", found), number + 1
        logs[file] = _log(found)
    with whole_folder(out, force=force) as folder:
        for name, log in logs.items():
            write_text(folder / name, json.dumps(log, indent=1, ensure_ascii=False) + "\n")
    return out / next(iter(logs))


def _file_name(name: str, results: Results) -> str:
    """As that library calls its own, else it doesn't list them: time, task, id."""
    parts = (_finished_at(results)[:19].replace(":", "-"), results.setting, name.replace("_", "-"))
    return f"{'_'.join(parts)}.json"


def _log(results: Results) -> dict[str, Any]:
    meta, data = results.meta, results.meta.dataset
    samples = _samples(results)
    created = _finished_at(results)
    task = f"offside/{results.setting}"
    ids = [sample["id"] for sample in samples]
    identity = _id(meta.model.digest, data.digest, results.setting, meta.forget.digest)
    generation = {"max_tokens": meta.generation.max_new_tokens, "temperature": 0.0 if meta.generation.greedy else None}
    return {
        "version": LOG_VERSION,
        "status": "success",
        "eval": {
            "eval_id": identity,
            "run_id": identity,
            "created": created,
            "task": task,
            "task_id": _id(task, data.digest),
            "task_version": 0,
            "task_args": {"suite": meta.suite, "only": list(meta.only), "limit": meta.limit, "seed": meta.seed},
            "dataset": {
                "name": f"{data.name} {data.version}",
                "samples": len(ids),
                "sample_ids": ids,
                "shuffled": False,
            },
            "model": f"offside/{meta.model.path}",
            "model_generate_config": {k: v for k, v in generation.items() if v is not None},
            "config": {"epochs": 1},
            "packages": dict(meta.versions),
            "metadata": meta.to_json(),
        },
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {}},
        "results": {
            "total_samples": len(ids),
            "completed_samples": len(ids),
            "scores": [entry for metric in results.metrics for entry in _scores(results, metric)],
        },
        "stats": {"started_at": created, "completed_at": created, "model_usage": {}},
        "samples": samples,
    }


def _scores(results: Results, metric: str) -> list[dict[str, Any]]:
    """One entry a metric, slice and scope, pictures as they are: a mean over all slices would say nothing."""
    entries = []
    for found in results.aggregates:
        if found.metric != metric or found.variant != "plain":
            continue
        place = ", ".join(part for part in (found.slice, found.scope) if part)
        means = {"mean": {"name": "mean", "value": found.value, "params": {}}}
        for name, end in (("low", found.low), ("high", found.high)):
            if end is not None:
                means[name] = {"name": name, "value": end, "params": {"confidence": 0.95, "over": "subjects"}}
        entries.append(
            {
                "name": f"{metric} ({place})",
                "scorer": metric,
                "scored_samples": found.n_scored,
                "unscored_samples": found.n_skipped,
                "params": {"slice": found.slice, "scope": found.scope},
                "metrics": means,
                "metadata": {"n_subjects": found.n_subjects, "kinds": dict(found.kinds)},
            }
        )
    return entries


def _samples(results: Results) -> list[dict[str, Any]]:
    history: dict[tuple[str, str, str], list[Correction]] = defaultdict(list)
    for correction in results.corrections:
        history[correction.place].append(correction)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in results.samples.iter_rows(named=True):
        key = (row["record_id"], row["variant"])
        if key not in found:
            found[key] = _sample(row, results, history)
        found[key]["metadata"]["slices"].append(row["slice"])
    return list(found.values())


def _sample(
    row: dict[str, Any], results: Results, history: dict[tuple[str, str, str], list[Correction]]
) -> dict[str, Any]:
    said, model = row["prediction"], results.meta.model.path
    stop = "max_tokens" if row["ended"] is False else "stop"
    asked = {"role": "user", "content": row["question"], "source": "input"}
    answer = {"role": "assistant", "content": said, "source": "generate", "model": model}
    scores = {m: _score(row, m, history[row["record_id"], row["variant"], m]) for m in results.metrics}
    sample: dict[str, Any] = {
        "id": f"{row['record_id']}/{row['variant']}",
        "epoch": 1,
        "input": row["question"],
        "target": row["answer"],
        "messages": [asked] if said is None else [asked, answer],
        "output": {"model": model, "choices": [], "completion": said or ""},
        "scores": scores,
        "metadata": {name: row.get(name) for name in _FACTS} | {"slices": []},
    }
    if said is not None:
        sample["output"]["choices"] = [{"message": answer, "stop_reason": stop}]
    return sample


def _score(row: dict[str, Any], metric: str, corrections: Sequence[Correction]) -> dict[str, Any]:
    now = _state(row[metric], row[f"{metric}.kind"], row[f"{metric}.skipped"])
    score = {**now, "answer": row["prediction"], "history": []}
    if corrections:
        first = corrections[0]
        score["history"] = [_state(first.before, first.before_kind, first.before_skipped) | {"provenance": None}]
        for c in corrections:
            who = {"timestamp": c.at, "author": c.by, "reason": c.reason, "metadata": {}}
            score["history"].append(_state(c.value, c.kind, c.skipped) | {"provenance": who})
    return score


def _state(value: float | None, kind: str | None, skipped: str | None) -> dict[str, Any]:
    """A score at one time; that format's sign for none is NaN."""
    return {
        "value": float("nan") if value is None else value,
        "explanation": skipped or kind,
        "reason": None if value is not None else "unscored",
        "metadata": {"kind": kind, "skipped": skipped},
    }


def _finished_at(results: Results) -> str:
    """When the evaluation was finished, as its file says: no content of a results folder has a date."""
    if results.path is None:
        return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    written = (results.path / "results.json").stat().st_mtime
    return datetime.datetime.fromtimestamp(written, datetime.UTC).isoformat(timespec="seconds")


def _id(*parts: str) -> str:
    """A short id that the same evaluation always has."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:22]
