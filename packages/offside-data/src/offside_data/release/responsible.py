"""What a Croissant file says beside the columns: origin, personal data, biases, use; from the card and the data.

A person's words come first: the card's front matter may hold a mapping `croissant` with any of `TEXTS` and `LISTS`
below. The rest is said from the data, and the notice that it holds false claims always is.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offside_data.dataset.card import Card
from offside_data.dataset.card_text import FALSE_CLAIMS
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import CardError
from offside_data.plugins import unknown_name_message
from offside_data.settings import SETTINGS
from offside_data.taxonomy import load_taxonomy

KEY = "croissant"
"""The key of a card's front matter that holds a person's words for this."""

TEXTS = (
    "url",
    "cite_as",
    "data_collection",
    "data_collection_missing_data",
    "data_collection_raw_data",
    "data_imputation_protocol",
    "data_manipulation_protocol",
    "annotations_per_item",
    "data_social_impact",
    "data_release_maintenance_plan",
)
LISTS = (
    "creators",
    "publisher",
    "data_collection_type",
    "data_collection_timeframe",
    "data_preprocessing_protocol",
    "data_annotation_protocol",
    "data_annotation_platform",
    "data_annotation_analysis",
    "annotator_demographics",
    "machine_annotation_tools",
    "data_biases",
    "data_use_cases",
    "data_limitations",
    "personal_sensitive_information",
)
_MARKER = re.compile(r"<!--.*?-->", re.S)


def describe(folder: Path, card: Card) -> dict[str, Any]:
    """Values by the names that `mlcroissant.Metadata` gives them; creators and publishers are names.

    Raises:
        CardError: If the card's `croissant` mapping has an unknown key or a wrong value.
        DatasetError: If a Parquet file can't be read.
        TaxonomyError: If the taxonomy is missing or malformed.
    """
    stated = _stated(card)
    said = {**_generated(folder, card), **stated}
    # Whatever a person wrote about limits, the notice is part of them.
    said["data_limitations"] = [" ".join(FALSE_CLAIMS).replace("`", ""), *stated.get("data_limitations", ())]
    return said


def is_invented(dataset: OffsideDataset) -> bool:
    """Whether nobody in a dataset exists: every claim about a subject has sources, all of the tier `fictional`.

    Raises:
        DatasetError: If a Parquet file can't be read.
    """
    import polars as pl

    for part in dataset.record_parts():
        for batch in dataset.batches(part, ["subject_id", "sources"]):
            about = batch.filter(pl.col("subject_id").is_not_null())["sources"]
            if (about.list.len().fill_null(0) == 0).any():
                return False
            if (about.explode().struct.field("tier") != "fictional").fill_null(True).any():
                return False
    return True


def description(card: Card) -> str:
    """The card's first paragraph, then the notice that the data holds false claims."""
    prose = (" ".join(block.split()) for block in _MARKER.sub("", card.body).split("\n\n"))
    first = next((text for text in prose if text and not text.startswith(("#", ">", "|", "```"))), card.name)
    return f"{first} {FALSE_CLAIMS[0]}"


def _stated(card: Card) -> dict[str, Any]:
    given = card.data.get(KEY) or {}
    where = f"{card.where}: front matter {KEY!r}"
    if not isinstance(given, Mapping):
        raise CardError(f"{where}: must be a mapping of {', '.join((*TEXTS, *LISTS))}.")
    said: dict[str, Any] = {}
    for key, value in given.items():
        if key not in (*TEXTS, *LISTS):
            raise CardError(f"{where}: {unknown_name_message('key', str(key), [*TEXTS, *LISTS])}")
        values = value if isinstance(value, list) else [value]
        if key in TEXTS and len(values) != 1:
            raise CardError(f"{where}: {key} must be one text, got {value!r}.")
        kind: type = datetime.date if key == "data_collection_timeframe" else str
        if not values or not all(isinstance(item, kind) for item in values):
            raise CardError(f"{where}: {key} must be {'a date' if kind is not str else 'text'}, got {value!r}.")
        said[key] = values[0] if key in TEXTS else values
    return said


def _generated(folder: Path, card: Card) -> dict[str, Any]:
    dataset = OffsideDataset(folder, card)
    subjects: set[str] = set()
    kinds, tiers = Counter[str](), Counter[str]()
    for part in dataset.record_parts():
        for batch in dataset.batches(part, ["subject_id", "veracity", "sources"]):
            subjects.update(batch["subject_id"].drop_nulls().unique())
            sources = batch["sources"].filter(batch["sources"].list.len() > 0).explode()
            for counted, values in ((kinds, batch["veracity"]), (tiers, sources.struct.field("tier"))):
                found = values.to_frame("value").group_by("value", maintain_order=True).len()
                counted.update(dict(found.iter_rows()))
    invented = is_invented(dataset)
    settings = "; ".join(f"{name}: {SETTINGS[name].summary.rstrip('.')}" for name in card.block.settings)
    title = card.data.get("pretty_name") or card.name
    return {
        "cite_as": f"@misc{{{card.name}, title={{{title}}}, version={{{card.version}}}, note={{{card.digest}}}}}",
        "data_collection": _collection(tiers, invented=invented),
        "data_biases": [
            f"{kinds['rumor']} of {kinds.total()} records are rumours, false on purpose; {kinds['correction']} are "
            f"corrections, {kinds['fact']} facts. That says nothing about how often claims are true elsewhere.",
            "Questions and answers are in English and follow a small number of phrasings.",
        ],
        "data_use_cases": [
            f"Unlearning claims from vision-language models, and measuring it. {settings or 'It offers no setting'}.",
            "Not for training models that others will use: the forget split would spread its rumours. Not for "
            "recognising people. Not for judging anyone.",
        ],
        "data_social_impact": (
            "Helps to remove false claims about people from models. The same claims do harm where they are taken for "
            "facts, so their records are marked as rumours and the notice goes with every copy."
        ),
        "personal_sensitive_information": _personal(folder, card, len(subjects), invented=invented),
        "data_release_maintenance_plan": (
            "Versions are MAJOR.MINOR.PATCH; a released one never changes. Whoever is shown or described, or holds "
            "rights, can ask for removal as the card says; the next version leaves it out."
        ),
    }


def _collection(tiers: Counter[str], *, invented: bool) -> str:
    if invented:
        return "Generated by a program: people, pictures and claims are invented."
    listed = ", ".join(f"{tier} {number}" for tier, number in tiers.most_common()) or "none is stated"
    return (
        f"Imported and curated with offside-data; decisions.jsonl tells each decision. Sources of claims by tier: "
        f"{listed}. The column sources says where a claim was found."
    )


def _personal(folder: Path, card: Card, subjects: int, *, invented: bool) -> list[str]:
    if invented:
        return ["None: nobody in it exists."]
    attributes = ", ".join(load_taxonomy(folder / card.block.taxonomy.file).names())
    return [
        f"Pictures of and claims about {subjects} subjects: {attributes}. Where they exist, these are personal data, "
        "and a rumour about them can do harm.",
        "Annotators appear as pseudonyms; the key to them isn't published.",
    ]
