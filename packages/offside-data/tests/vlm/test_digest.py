from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from offside_data.errors import ModelError
from offside_data.vlm.digest import model_digest, weights_digest


def folder(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)
    return path


def test_what_decides_the_answers_counts_and_nothing_else(tmp_path: Path) -> None:
    files = {
        "config__json": "{}",
        "model__safetensors": "w",
        "tokenizer__json": "t",
        "chat_template__jinja": "c",
    }
    same = model_digest(folder(tmp_path / "a", **files))
    assert same == model_digest(folder(tmp_path / "b", **files, README__md="card", offside_run__json="{}"))
    for i, name in enumerate(files):
        assert model_digest(folder(tmp_path / f"c{i}", **(files | {name: "other"}))) != same


def test_an_adapter_covers_its_base(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", config__json="{}", model__safetensors="w")
    config = json.dumps({"base_model_name_or_path": str(base)})
    run = folder(tmp_path / "run", adapter_config__json=config, adapter_model__safetensors="a")
    before = model_digest(run)
    (base / "model.safetensors").write_text("other")
    assert model_digest(run) != before
    (base / "config.json").unlink()
    with pytest.raises(ModelError, match="base"):
        model_digest(run)


def test_where_the_base_lies_is_no_part_of_an_adapter(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", config__json="{}", model__safetensors="w")
    whole, point = tmp_path / "run", tmp_path / "run" / "points" / "step-10"
    for place, rank in ((whole, 8), (point, 8), (tmp_path / "other", 4)):
        place.mkdir(parents=True)
        told = {"r": rank, "base_model_name_or_path": os.path.relpath(base, place)}
        (place / "adapter_config.json").write_text(json.dumps(told))
        (place / "adapter_model.safetensors").write_text("a")
    assert model_digest(whole) == model_digest(point) != model_digest(tmp_path / "other")


def test_a_hub_name_stands_for_itself() -> None:
    assert model_digest("org/name") == "hub:org/name"


def test_a_loaded_models_weights() -> None:
    model = torch.nn.Linear(2, 2)
    before = weights_digest(model)
    assert before == weights_digest(model)
    torch.nn.init.zeros_(model.weight)
    assert weights_digest(model) != before
