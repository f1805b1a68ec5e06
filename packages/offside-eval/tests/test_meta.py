"""What stands in a results folder is checked when it is read; files of this schema stay as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offside_eval.meta import EvaluationMeta
from offside_eval.results import Results, ResultsError

WRITTEN: dict[str, Any] = json.loads("""
{
  "schema": 1,
  "model": {"path": "models/raw", "digest": "sha256:764a", "run": null},
  "role": "base",
  "dataset": {"name": "small", "version": "0.1.0", "commit": null, "digest": "sha256:5229"},
  "setting": "complete",
  "only": ["subject=s1"],
  "forget": {"digest": "sha256:c1b8", "n": 16},
  "suite": "core",
  "limit": 1,
  "metrics": ["value_match", "bleu", "degenerate"],
  "generation": {"greedy": true, "max_new_tokens": 2, "max_length": 2048},
  "batch_size": 32,
  "seed": 0,
  "dtype": "float32",
  "device": "cpu",
  "image_backend": "pil",
  "max_pixels": null,
  "n_questions": 8,
  "versions": {"python": "3.11.7", "torch": "2.13.0+cpu", "nltk": "3.10.4"}
}
""")
"""As the first version of this schema wrote it, before it was read into classes."""


@pytest.fixture
def written(made_up: ModuleType) -> dict[str, Any]:
    """The same of a model with a run manifest."""
    return WRITTEN | {"model": WRITTEN["model"] | {"run": made_up.manifest(method="npo")}}


def test_what_was_written_before_is_read_and_written_again_to_the_letter(written: dict[str, Any]) -> None:
    assert json.dumps(EvaluationMeta.from_json(WRITTEN, "here").to_json()) == json.dumps(WRITTEN)
    meta = EvaluationMeta.from_json(written, "here")
    assert meta.model.run is not None
    assert meta.model.run.method == "npo"
    assert json.dumps(meta.to_json(), sort_keys=True) == json.dumps(written, sort_keys=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "results schema 2; this version reads 1"),
        ({"rol": "base"}, r"unknown key 'rol'\. Did you mean 'role'"),
        ({"batch_size": "20"}, "key 'batch_size': input should be a valid integer, got '20'"),
        ({"role": "student"}, "key 'role': input should be 'base', 'vanilla'"),
        ({"forget": {"digest": "sha256:f"}}, r"key 'forget\.n' is missing"),
        ({"dataset": WRITTEN["dataset"] | {"licence": "x"}}, r"unknown key 'dataset\.licence'"),
        ({"metrics": [1]}, r"key 'metrics\.0': input should be a valid string"),
        ({"model": WRITTEN["model"] | {"run": {}}}, r"key 'model\.run': offside_run\.json: not a run manifest"),
    ],
)
def test_what_does_not_fit_is_named_with_its_file(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ResultsError, match=rf"^out/results\.json: .*{message}.* install the version that wrote it\.$"):
        EvaluationMeta.from_json(WRITTEN | change, "out/results.json")


@pytest.mark.parametrize("key", WRITTEN)
def test_a_missing_key_is_named(key: str) -> None:
    message = "schema None" if key == "schema" else f"key '{key}' is missing"
    with pytest.raises(ResultsError, match=f"here: .*{message}"):
        EvaluationMeta.from_json({k: v for k, v in WRITTEN.items() if k != key}, "here")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("results.json", "{", "not valid JSON"),
        ("results.json", "[]", "schema None"),
        ("aggregates.json", "{", "not valid JSON"),
        ("aggregates.json", "{}", "the content: input should be a valid array"),
        ("aggregates.json", '[{"metric": "bleu"}]', r"key '0\.setting' is missing"),
    ],
)
def test_a_broken_file_is_named(make_results: Callable[..., Results], name: str, text: str, message: str) -> None:
    path = make_results("vanilla").path
    assert path is not None
    (path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError, match=rf"{Path(name).stem}\.json: .*{message}"):
        Results.load(path)
