"""The part of a card's front matter that the Hub and `datasets` read, made from what was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.card import Card
from offside_data.dataset.storage import TABLE_SPLIT, TABLES
from offside_data.schema import CONFIGS, features_of

REWRITTEN = ("size_categories", "configs", "dataset_info")
"""Keys that every command which writes Parquet brings up to date; the others are also a person's to edit."""

_SIZE_CATEGORIES = {"n<1K": 10**3, "1K<n<10K": 10**4, "10K<n<100K": 10**5, "100K<n<1M": 10**6}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a dataset as it was written.

    Args:
        name: `config/split` or the table's name.
        rows: Number of rows.
        digest: Root of its digest.
        files: Its Parquet files.
        size: Bytes of its rows in memory.
    """

    name: str
    rows: int
    digest: str
    files: list[Path]
    size: int

    @property
    def config(self) -> str:
        """The config as `datasets` calls it."""
        return self.name.partition("/")[0]

    @property
    def split(self) -> str:
        """The split as `datasets` calls it."""
        return self.name.partition("/")[2] or TABLE_SPLIT

    @property
    def pattern(self) -> str:
        """Its files in a dataset folder."""
        return f"tables/{self.name}.parquet" if self.name in TABLES else f"data/{self.name}-*.parquet"


def hub_metadata(parts: list[Part], *, license: str, title: str) -> dict[str, Any]:
    """Front matter for a dataset of these parts."""
    configs = list(dict.fromkeys(part.config for part in parts))
    records = sum(part.rows for part in parts if part.config in CONFIGS)
    return {
        "pretty_name": title,
        "license": license,
        "language": ["en"],
        "task_categories": ["visual-question-answering", "question-answering"],
        "size_categories": [next((name for name, n in _SIZE_CATEGORIES.items() if records < n), "1M<n<10M")],
        "tags": ["machine-unlearning", "vision-language", "misinformation", "offside"],
        "configs": [
            {
                "config_name": config,
                **({"default": True} if config == configs[0] else {}),
                "data_files": [{"split": p.split, "path": p.pattern} for p in parts if p.config == config],
            }
            for config in configs
        ],
        "dataset_info": _dataset_info([[p for p in parts if p.config == config] for config in configs]),
    }


def _dataset_info(configs: list[list[Part]]) -> Any:
    from datasets import DatasetInfo, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    infos = {
        parts[0].config: DatasetInfo(
            features=features_of(parts[0].config),
            splits=SplitDict({p.split: SplitInfo(p.split, num_bytes=p.size, num_examples=p.rows) for p in parts}),
            download_size=sum(file.stat().st_size for p in parts for file in p.files),
            dataset_size=sum(p.size for p in parts),
        )
        for parts in configs
    }
    data = DatasetCardData()
    DatasetInfosDict(infos).to_dataset_card_data(data)
    return data["dataset_info"]


def stated_size(card: Card, part: str) -> int | None:
    """The size of a part's rows in memory as a card's `dataset_info` states it; null if it doesn't."""
    config, _, split = part.partition("/")
    size = card.stated_sizes("num_bytes").get((config, split or TABLE_SPLIT))
    return size if isinstance(size, int) else None
