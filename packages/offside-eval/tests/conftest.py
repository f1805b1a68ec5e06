"""Fixtures of the evaluation tests: made-up results folders, a small dataset, tiny models."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offside_data.settings import SETTINGS, Slice
from offside_eval.results import Results, samples_frame

SHARED = ("age", "foot")
PRIVATE = ("club", "fee")


def _slice_rows(place: Slice, key: str, subjects: int, visual_subjects: int) -> list[dict[str, Any]]:
    """The records of one slice of a made-up dataset: per subject two shared facts and two private claims."""
    if place.split == "utility":
        return [
            {"record_id": f"utility-{i}", "image_id": f"u{i}", "config": "multimodal", "split": "utility",
             "modality": "multimodal", "veracity": "fact", "rumor_channel": "none", "slice": key,
             "variant": "plain"}
            for i in range(2 * subjects)
        ]  # fmt: skip
    rows = []
    for number in range(subjects):
        visual = place.split == "forget" and number < visual_subjects
        if place.visual is not None and place.visual != visual:
            continue
        for scope, attributes in (("shared", SHARED), ("private", PRIVATE)):
            if place.scope not in (None, scope) or (place.split == "test" and scope == "private"):
                continue
            for attribute in attributes:
                rumor = place.split == "forget" and scope == "private"
                channel = "image" if rumor and visual and place.config == "multimodal" else "text" if rumor else "none"
                row = {
                    "record_id": f"{place.config}-{place.split}-s{number}-{attribute}",
                    "subject_id": f"s{number}",
                    "image_id": f"{place.split}-s{number}",
                    "config": place.config,
                    "modality": place.config,
                    "split": place.split,
                    "scope": scope,
                    "attribute": attribute,
                    "veracity": "rumor" if rumor else "correction" if place.split == "relearn" else "fact",
                    "rumor_channel": channel,
                    "slice": key,
                }
                variants = ("plain", "blank", "swapped") if channel == "image" else ("plain",)
                rows += [row | {"variant": variant} for variant in variants]
    return rows


def _rate(rates: Mapping[str, float], row: dict[str, Any], default: float) -> float:
    """The most specific rate given for a row, e.g. by `text/forget/private`, `forget/private` or `blank`."""
    scope, split = row["scope"], row["split"]
    keys = [f"{row['config']}/{split}/{scope}", f"{split}/{scope}", split, scope]
    if row["variant"] != "plain":
        keys = [row["variant"]]
    return next((rates[k] for k in keys if k in rates), default)


@pytest.fixture(scope="session")
def results_of(made_up: ModuleType) -> Callable[..., Results]:
    """Results as `make_results` writes them, not yet written; the same arguments give the same ones."""
    known: dict[str, Results] = {}

    def get(**arguments: Any) -> Results:
        key = repr(arguments)
        if key not in known:
            known[key] = _made(made_up, **arguments)
        return dataclasses.replace(known[key], aggregates=list(known[key].aggregates))

    return get


@pytest.fixture
def make_results(results_of: Callable[..., Results], tmp_path: Path) -> Callable[..., Results]:
    """Write a made-up results folder: `make_results("npo", role="unlearned", rates={"forget/private": 0.1})`.

    `rates` is the share of right answers by `config/split/scope`, `split/scope`, `split`, `scope` or
    variant (`blank`, `swapped`), `degenerate` the share of degenerate answers; everything else is 0.9
    right. Which records are right depends on the seed alone.
    """
    return lambda name, **options: results_of(name=name, **options).save(tmp_path / name)


def _made(
    made_up: ModuleType,
    *,
    name: str,
    role: str = "vanilla",
    setting: str = "complete",
    rates: Mapping[str, float] = {},
    degenerate: float = 0.0,
    subjects: int = 12,
    method: str | None = None,
    **meta: Any,
) -> Results:
    chosen = SETTINGS[setting]
    places = [("forget", s) for s in chosen.forget]
    places += [(f"keep:{s.name}", s) for s in chosen.keep] + [(f"measure:{s.name}", s) for s in chosen.measure]
    rows = [row for key, place in places for row in _slice_rows(place, key, subjects, max(2, subjects // 4))]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        row |= {
            "scope": row.get("scope"),
            "question": f"Q about {row['record_id']}?",
            "answer": "The gold answer.",
        }
        groups.setdefault((row["slice"], row["scope"], row["variant"]), []).append(row)
    for key, group in groups.items():
        order = random.Random(f"{meta.get('seed', 0)}:{key}").sample(range(len(group)), len(group))
        right = round(_rate(rates, group[0], 0.9) * len(group))
        for rank, index in enumerate(order):
            _fill(
                group[index],
                right=rank < right,
                degenerate=rank >= len(group) - round(degenerate * len(group)),
            )
    forget_ids = sorted({r["record_id"] for r in rows if r["slice"] == "forget"})
    digest = "sha256:" + hashlib.sha256("\n".join(forget_ids).encode()).hexdigest()
    run = None if role == "unknown" else {"role": role, "method": method, "setting": setting}
    forget = {"digest": digest, "n": len(forget_ids)}
    content = made_up.meta_of(name, role, setting, run=run, **{"forget": forget} | meta)
    from offside_eval.aggregate import aggregate  # written by the same commands as the real thing

    frame = samples_frame(rows, made_up.METRICS)
    return Results(frame, aggregate(frame, made_up.METRICS, setting=setting), content)


def _fill(row: dict[str, Any], *, right: bool, degenerate: bool) -> None:
    prediction = "The gold answer." if right else "" if degenerate else "Another answer."
    row |= {
        "prediction": prediction,
        "n_new_tokens": 0 if degenerate else 4,
        "ended": True,
        "value_match": float(right),
        "value_match.kind": "correct" if right else "empty" if degenerate else "wrong_value",
        "rouge_l": 1.0 if right else 0.4,
        "probability": 0.9 if right else 0.05,
        "degenerate": float(degenerate and not right),
        "degenerate.kind": "empty" if degenerate and not right else None,
        "states_old": float(not right) if row["variant"] == "swapped" else None,
    }


def _module(name: str) -> ModuleType:
    """A module beside this file."""
    spec = importlib.util.spec_from_file_location(f"offside_eval_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """The module `made_up.py`, which writes whole made-up studies."""
    return _module("made_up")


@pytest.fixture(scope="session")
def with_meta(made_up: ModuleType) -> Callable[..., Results]:
    """Change what `results.json` says: `with_meta(results, role="unknown")`."""
    changed: Callable[..., Results] = made_up.with_meta
    return changed


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """The module `small.py`, which makes the small dataset."""
    return _module("small")


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of four invented players (`small.py`); never write into it."""
    path: Path = _module("small").write_dataset(tmp_path_factory.mktemp("data") / "small")
    return path


@pytest.fixture(scope="session")
def models(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of a tiny model as built (`raw`), `trained` on `small_data`, and `half` unlearned again."""
    places: dict[str, Path] = _module("small").write_models(small_data, tmp_path_factory.mktemp("models"))
    return places


@pytest.fixture(scope="session")
def study(made_up: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Results folders of a small but complete study."""
    paths: list[Path] = made_up.write_study(tmp_path_factory.mktemp("study"), quick=True)
    return paths
