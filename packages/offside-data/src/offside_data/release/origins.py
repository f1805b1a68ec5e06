"""What Croissant 1.1 says beyond 1.0: where data comes from, down to a value (PROV-O), and what it is for (ODRL).

A value's origin is a row's own: an annotation field beside the field says in which column it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offside_data.dataset.card import Card
from offside_data.dataset.digest import PREFIX
from offside_data.schema import CONFIGS

CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
"""The versions of Croissant and of its vocabulary for responsible AI."""
_CONTEXT = {
    "annotation": "cr:annotation",
    "duo": "http://purl.obolibrary.org/obo/DUO_",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "prov": "http://www.w3.org/ns/prov#",
    "sdVersion": "cr:sdVersion",
}
_SOURCE = (
    "source",
    "sources",
    {"url": ("sc:URL", "prov:hadPrimarySource"), "retrieved_on": ("sc:Date", "prov:atTime")},
)
_ANNOTATOR = (
    "annotator",
    "annotations",
    {"annotator": ("sc:Text", "prov:wasAttributedTo"), "at": ("sc:DateTime", "prov:generatedAtTime")},
)
_ORIGINS = {
    "answer": (_SOURCE, "Where the claim was found."),
    "value": (_SOURCE, "Where the claim was found."),
    "agreed_value": (_ANNOTATOR, "Who said so, by pseudonym, and when; the column `annotations` has what each said."),
}
"""Columns whose origin stands in another: as which annotation, in which column, in which of its keys."""


def with_origins(described: Mapping[str, Any], card: Card) -> dict[str, Any]:
    """A description in Croissant 1.1, from one in 1.0.

    Args:
        described: What `mlcroissant` gives, as plain JSON values.
        card: The card of the dataset.
    """
    parent = card.block.parent
    derived = {"prov:wasDerivedFrom": {"@id": _urn(card.name, parent.digest)}} if parent else {}
    return {
        **described,
        "@context": {**described["@context"], **_CONTEXT},
        "conformsTo": list(CONFORMS_TO),
        "sdVersion": card.version,
        "sameAs": _urn(card.name, card.digest),
        **derived,
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "prov:label": f"Release {card.version}" + (f", made from {parent.version}" if parent else ""),
            "prov:wasAssociatedWith": [
                {"@type": "prov:SoftwareAgent", "prov:label": f"{name} {version}"}
                for name, version in sorted(card.block.created_with.items())
            ],
        },
        "usageInfo": _usage(),
        "recordSet": [_with_value_origins(part) for part in described["recordSet"]],
    }


def _urn(name: str, digest: str) -> str:
    """A name for the content of a version, wherever it lies."""
    return f"urn:offside:{name}:{digest.removeprefix(PREFIX)}"


def _with_value_origins(part: Mapping[str, Any]) -> dict[str, Any]:
    name = str(part["@id"])
    if name.partition("/")[0] not in CONFIGS:
        return dict(part)
    fields = []
    for field in part["field"]:
        column = field["@id"].removeprefix(f"{name}/")
        if column in _ORIGINS:
            fields.append({**field, "annotation": _origin(field, *_ORIGINS[column])})
        else:
            fields.append(field)
    return {**part, "field": fields}


def _origin(
    field: Mapping[str, Any], origin: tuple[str, str, Mapping[str, tuple[str, str]]], description: str
) -> dict[str, Any]:
    """The annotation field of a field."""
    short, column, keys = origin
    file = dict((field.get("source") or field["subField"][0]["source"]).items())
    place = {key: file[key] for key in ("fileObject", "fileSet") if key in file}
    return {
        "@type": "cr:Field",
        "@id": f"{field['@id']}/{short}",
        "name": f"{field['@id']}/{short}",
        "description": description,
        "dataType": "prov:Entity" if short == "source" else "prov:Person",
        "equivalentProperty": next(iter(keys.values()))[1],
        "repeated": True,
        "subField": [
            {
                "@type": "cr:Field",
                "@id": f"{field['@id']}/{short}/{key}",
                "name": f"{field['@id']}/{short}/{key}",
                "dataType": kind,
                "equivalentProperty": meaning,
                "source": {**place, "extract": {"column": column}, "transform": {"jsonPath": key}},
            }
            for key, (kind, meaning) in keys.items()
        ],
    }


def _usage() -> dict[str, Any]:
    """What the data may be used for, whatever its licence allows besides."""
    return {
        "@type": ["CreativeWork", "odrl:Offer"],
        "name": "Research on removing claims from models; not for spreading them",
        "odrl:permission": [
            {
                "@type": "odrl:Permission",
                "odrl:action": {"@id": "duo:0000042", "name": "General research use"},
                "odrl:target": {"@id": "#unlearning", "name": "unlearning from models, and measuring it"},
            }
        ],
        "odrl:prohibition": [
            {
                "@type": "odrl:Prohibition",
                "odrl:action": {"@id": "odrl:distribute"},
                "odrl:target": {"@id": "#trained-on-forget", "name": "models trained on the split `forget`"},
            },
            {
                "@type": "odrl:Prohibition",
                "odrl:action": {"@id": "odrl:use"},
                "odrl:target": {"@id": "#recognition", "name": "recognising people, or judging anyone by a claim"},
            },
        ],
    }
