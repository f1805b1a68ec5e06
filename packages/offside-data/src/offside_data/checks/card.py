"""Does the card describe the data: splits, counts, settings, what `datasets` needs, generated prose."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Any

from offside_data.checks._base import CheckedDataset
from offside_data.dataset.card import Card
from offside_data.dataset.card_text import SECTION_NAMES
from offside_data.dataset.journal import stays_inside
from offside_data.dataset.storage import TABLE_SPLIT, TABLES, config_of
from offside_data.issues import Issue
from offside_data.schema import CONFIGS
from offside_data.settings import settings_of, slices_of

_REWRITE = "Write the dataset again, with its card."


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Compare the card with what is stored."""
    card = checked.dataset.card
    yield from card.validate()
    yield from _counts(checked)
    yield from _settings(checked)
    yield from _hub_metadata(card, checked)
    for name in SECTION_NAMES:
        if name not in card.section_names():
            message = f"the card's generated section {name!r} is missing. {_REWRITE}"
            yield Issue("warning", "card-section-missing", name, message)


def _counts(checked: CheckedDataset) -> Iterator[Issue]:
    import polars as pl

    counted = checked.records.group_by("part").agg(
        pl.len().alias("records"),
        pl.col("subject_id").drop_nulls().n_unique().alias("subjects"),
        pl.col("image_id").drop_nulls().n_unique().alias("images"),
    )
    nothing = dict.fromkeys(("records", "subjects", "images"), 0)
    stored = {part: nothing for part in checked.sizes if part not in TABLES}
    stored |= {row.pop("part"): row for row in counted.to_dicts()}
    stated = checked.dataset.card.block.splits
    for part in sorted(stated.keys() | stored.keys()):
        where = f"offside.splits.{part}"
        if part not in stored:
            if not checked.dataset.has(*part.split("/")):
                yield Issue("error", "card-outdated", where, f"the card lists {part}, but there are no files.")
        elif part not in stated:
            yield Issue("error", "card-outdated", where, f"{part} is stored but not listed. {_REWRITE}")
        else:
            for key, found in stored[part].items():
                if (said := getattr(stated[part], key)) != found:
                    message = f"the card says {said} {key}, stored are {found}. {_REWRITE}"
                    yield Issue("error", "card-outdated", f"{where}.{key}", message)


def _settings(checked: CheckedDataset) -> Iterator[Issue]:
    pairs: dict[str, list[tuple[str | None, str | None]]] = {part: [] for part in checked.sizes if part not in TABLES}
    for part, scope, channel in checked.records.select("part", "scope", "rumor_channel").unique().rows():
        pairs[part].append((scope, channel))
    offered, stated = settings_of(slices_of(pairs)), checked.dataset.settings()
    if set(offered) != set(stated):
        message = f"the card offers {', '.join(stated) or 'none'}; the records allow {', '.join(offered)}."
        yield Issue("error", "card-outdated", "offside.settings", message)


def _hub_metadata(card: Card, checked: CheckedDataset) -> Iterator[Issue]:
    stated = card.stated_sizes()
    for part, size in checked.sizes.items():
        config, _, split = part.partition("/")
        key = (config, split if config in CONFIGS else TABLE_SPLIT)
        if stated.get(key) != size:
            message = f"{part} has {size} rows, not {stated.get(key)}; `datasets` would refuse it."
            yield Issue("error", "card-outdated", f"dataset_info.{part}", f"{message} {_REWRITE}")
    configs = card.data.get("configs") or []
    configs = configs if isinstance(configs, list) else []
    yield from _data_files(configs, checked)
    listed = {str(config.get("config_name")) for config in configs if isinstance(config, dict)}
    for config in dict.fromkeys(map(config_of, checked.sizes)):
        if config not in listed:
            message = f"the config {config} isn't listed, so `datasets.load_dataset` can't find it. {_REWRITE}"
            yield Issue("error", "card-outdated", f"configs.{config}", message)


def _data_files(configs: list[Any], checked: CheckedDataset) -> Iterator[Issue]:
    """Do others find the same files by the card as we do, and none that is no part of the dataset."""
    found: dict[str, list[str]] = {}
    for config in configs:
        name = str(config.get("config_name")) if isinstance(config, dict) else ""
        for split, path in _patterns(config.get("data_files") if isinstance(config, dict) else None):
            found.setdefault(f"{name}/{split}", []).append(path)
            if not stays_inside(path) or "://" in path:
                message = f"{path!r} lies outside the dataset, and `datasets` would read it. {_REWRITE}"
                yield Issue("error", "data-files-outside", f"configs.{name}", message)
    for part in checked.sizes:
        config, _, split = part.partition("/")
        patterns = found.get(f"{config}/{split or TABLE_SPLIT}", [])
        names = [file.relative_to(checked.dataset.path).as_posix() for file in checked.dataset.files(part)]
        lost = [name for name in names if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
        if lost and any(key.startswith(f"{config}/") for key in found):
            message = f"`datasets` wouldn't find {', '.join(lost[:3])} of {part} by it. {_REWRITE}"
            yield Issue("error", "card-outdated", f"configs.{config}.data_files", message)


def _patterns(told: Any) -> Iterator[tuple[str, str]]:
    """Split and path of all that `data_files` of a config lists, in any of the forms that the Hub knows."""
    if isinstance(told, dict):
        told = [{"split": split, "path": path} for split, path in told.items()]
    for entry in told if isinstance(told, list) else [told]:
        split, paths = (entry.get("split"), entry.get("path")) if isinstance(entry, dict) else (TABLE_SPLIT, entry)
        yield from (
            (str(split), path) for path in (paths if isinstance(paths, list) else [paths]) if isinstance(path, str)
        )
