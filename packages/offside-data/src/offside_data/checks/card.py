"""Does the card describe the data: splits, counts, settings, what `datasets` needs, generated prose."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import Inspection, Item
from offside_data.dataset.card import Card
from offside_data.dataset.card_text import SECTION_NAMES
from offside_data.dataset.storage import TABLE_SPLIT, TABLES
from offside_data.issues import Issue
from offside_data.request import settings_of, slices_of
from offside_data.schema import CONFIGS

_REWRITE = "Write the dataset again, with its card."


def run(inspection: Inspection) -> Iterator[Issue]:
    """Compare the card with what is stored."""
    card = inspection.dataset.card
    yield from card.validate()
    yield from _counts(inspection)
    yield from _settings(inspection)
    yield from _hub_metadata(card, inspection)
    for name in SECTION_NAMES:
        if name not in card.section_names():
            message = f"the card's generated section {name!r} is missing. {_REWRITE}"
            yield Issue("warning", "card-section-missing", name, message)


def _counts(inspection: Inspection) -> Iterator[Issue]:
    stored = {part: items for part, items in inspection.items.items() if part not in TABLES}
    stated = inspection.dataset.card.splits
    for part in sorted(stated.keys() | stored.keys()):
        where = f"offside.splits.{part}"
        if part not in stored:
            if not inspection.dataset.has(*part.split("/")):
                yield Issue("error", "card-outdated", where, f"the card lists {part}, but there are no files.")
        elif part not in stated:
            yield Issue("error", "card-outdated", where, f"{part} is stored but not listed. {_REWRITE}")
        else:
            for key, found in _count(stored[part]).items():
                if stated[part][key] != found:
                    message = f"the card says {stated[part][key]} {key}, stored are {found}. {_REWRITE}"
                    yield Issue("error", "card-outdated", f"{where}.{key}", message)


def _count(items: list[Item]) -> dict[str, int]:
    return {
        "records": len(items),
        "subjects": len({item.row["subject_id"] for item in items} - {None}),
        "images": len({item.row["image_id"] for item in items} - {None}),
    }


def _settings(inspection: Inspection) -> Iterator[Issue]:
    parts = {part: (item.row for item in items) for part, items in inspection.items.items() if part not in TABLES}
    offered, stated = settings_of(slices_of(parts)), inspection.dataset.settings()
    if set(offered) != set(stated):
        message = f"the card offers {', '.join(stated) or 'none'}; the records allow {', '.join(offered)}."
        yield Issue("error", "card-outdated", "offside.settings", message)


def _hub_metadata(card: Card, inspection: Inspection) -> Iterator[Issue]:
    infos = card.data.get("dataset_info") or []
    infos = [info for info in (infos if isinstance(infos, list) else [infos]) if isinstance(info, dict)]
    stated = {
        (info.get("config_name"), split.get("name")): split.get("num_examples")
        for info in infos
        for split in info.get("splits") or []
    }
    for part, items in inspection.items.items():
        config, _, split = part.partition("/")
        key = (config, split if config in CONFIGS else TABLE_SPLIT)
        if stated.get(key) != len(items):
            message = f"{part} has {len(items)} rows, not {stated.get(key)}; `datasets` would refuse it."
            yield Issue("error", "card-outdated", f"dataset_info.{part}", f"{message} {_REWRITE}")
    configs = card.data.get("configs") or []
    listed = {config.get("config_name") for config in configs if isinstance(config, dict)}
    for config in dict.fromkeys(part.partition("/")[0] for part in inspection.items):
        if config not in listed:
            message = f"the config {config} isn't listed, so `datasets.load_dataset` can't find it. {_REWRITE}"
            yield Issue("error", "card-outdated", f"configs.{config}", message)
