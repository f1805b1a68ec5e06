"""A release is read without our code: by `datasets`, `mlcroissant`, `polars` and `huggingface_hub`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.release.releasing import make_release

READER = """
import json, sys
from pathlib import Path

folder, seen = Path(sys.argv[1]), {}

import datasets
seen["datasets"] = {}
for config in ("multimodal", "text", "subjects", "images"):
    loaded = datasets.load_dataset(str(folder), config)
    seen["datasets"][config] = {split: len(rows) for split, rows in loaded.items()}
seen["picture"] = datasets.load_dataset(str(folder), "multimodal", split="forget")[0]["image"].size
seen["default"] = sorted(datasets.load_dataset(str(folder)))

import mlcroissant
description = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
seen["croissant"] = {
    part.id: sum(1 for _ in description.records(part.id)) for part in description.metadata.record_sets
}

import polars
table = polars.read_parquet(folder / "data" / "multimodal" / "*.parquet", missing_columns="raise")
seen["polars"] = {"rows": table.height, "splits": sorted(table["split"].unique()), "value": table["value"][0]["kind"]}
seen["tables"] = {
    name: polars.read_parquet(folder / "tables" / f"{name}.parquet").height for name in ("subjects", "images")
}

from huggingface_hub import DatasetCard
card = DatasetCard.load(folder / "README.md")
seen["card"] = {
    "license": card.data.license,
    "configs": [config["config_name"] for config in card.data.configs],
    "version": card.data.to_dict()["offside"]["version"],
    "notice": "contains false claims" in card.text,
}

assert not any(name.startswith("offside") for name in sys.modules)
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen(small: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process without our code saw of a release."""
    temporary = tmp_path_factory.mktemp("plain")
    folder = shutil.copytree(small.path, temporary / "release")
    make_release(folder, bump="major", note="The first.")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(temporary / "home")}
    command = [sys.executable, "-c", READER, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=temporary, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_datasets_loads_all_four_configs(seen: dict[str, Any]) -> None:
    assert seen["datasets"] == {
        "multimodal": {"retain": 8, "test": 8, "forget": 8, "relearn": 8},
        "text": {"retain": 4, "forget": 4},
        "subjects": {"train": 4},
        "images": {"train": 16},
    }
    assert seen["picture"] == [32, 32]
    assert seen["default"] == ["forget", "relearn", "retain", "test"]


def test_mlcroissant_reads_every_record_set(seen: dict[str, Any]) -> None:
    assert seen["croissant"] == {
        **{f"multimodal/{split}": 8 for split in ("retain", "test", "forget", "relearn")},
        **{f"text/{split}": 4 for split in ("retain", "forget")},
        "subjects": 4,
        "images": 16,
    }


def test_polars_reads_the_files(seen: dict[str, Any]) -> None:
    assert seen["polars"] == {"rows": 32, "splits": ["forget", "relearn", "retain", "test"], "value": "place"}
    assert seen["tables"] == {"subjects": 4, "images": 16}


def test_huggingface_hub_reads_the_card(seen: dict[str, Any]) -> None:
    assert seen["card"] == {
        "license": "cc0-1.0",
        "configs": ["multimodal", "text", "subjects", "images"],
        "version": "1.0.0",
        "notice": True,
    }
