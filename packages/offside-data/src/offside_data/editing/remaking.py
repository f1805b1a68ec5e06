"""Make the forms anew that no longer fit, of changed records and of others whose wrong answers became true."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.rows import frame_of
from offside_data.editing.dependents import WRONG, Pair, stale_forms, with_forms, wrongly_wrong
from offside_data.editing.reading import related, whole_records
from offside_data.editing.table import Edit
from offside_data.questions import forms as forms_module
from offside_data.questions.forms import Forms, ambiguous_texts, without
from offside_data.schema import Record


def with_fitting_forms(
    dataset: OffsideDataset,
    changed: Mapping[str, Pair],
    around: Sequence[Record],
    edits: Mapping[str, Edit],
    seed: int,
) -> dict[str, Pair]:
    """The changed records with forms that fit, and other records whose wrong answers became true with new ones."""
    taxonomy = dataset.taxonomy
    stale = {
        name: [f for f in stale_forms(pair, taxonomy) if name not in edits or f not in edits[name].cells]
        for name, pair in changed.items()
    }
    if not any(stale.values()):
        return dict(changed)
    new: dict[str | None, list[tuple[str, Any]]] = {}
    for pair in changed.values():
        if pair.claims_otherwise and pair.after.value is not None and pair.after.attribute is not None:
            new.setdefault(pair.after.subject_id, []).append((pair.after.attribute, pair.after.value))
    now = {name: pair.after for name, pair in changed.items()}
    others = {
        r.record_id: r
        for r in [*now.values(), *around]
        if not stale.get(r.record_id) and wrongly_wrong(r, new.get(r.subject_id, ()), taxonomy)
    }
    forms = _forms(dataset, now, [*(now[n].attribute for n, f in stale.items() if f), *_attributes(others)], seed)
    made = {name: with_forms(record, stale[name], forms) if stale[name] else record for name, record in now.items()}
    made |= {name: with_forms(record, WRONG, forms) for name, record in others.items()}
    before = {r.record_id: r for r in around} | {name: pair.before for name, pair in changed.items()}
    asking = [name for name, fields in stale.items() if "question_paraphrases" in fields]
    made |= _unambiguous(dataset, [made[name] for name in asking], made)
    return {name: Pair(before[name], record) for name, record in made.items()}


def _attributes(records: Mapping[str, Record]) -> Iterator[str | None]:
    return (record.attribute for record in records.values())


def _forms(dataset: OffsideDataset, now: Mapping[str, Record], names: Collection[str | None], seed: int) -> Forms:
    """Makes forms from what all records about the named attributes say, the changed ones as they are `now`."""
    import polars as pl

    taxonomy, columns = dataset.taxonomy, forms_module.READ
    attributes = related(set(names), taxonomy)
    known = [frame_of((r for r in now.values() if r.attribute in attributes), "text", dataset.pictures, columns)]
    for part in dataset.record_parts():
        for batch in dataset.batches(part, columns):
            of_these = pl.col("attribute").is_in(attributes) & ~pl.col("record_id").is_in(list(now))
            known.append(batch.filter(of_these).select(columns))
    subjects = dataset.frame("subjects", ["subject_id", "name"]).filter(pl.col("name") != "")
    images = dataset.frame("images", ["image_id", "subject_id", "occasion", "shown"]).to_dicts()
    claims = pl.concat([frame.select(columns) for frame in known])
    return Forms(
        claims, taxonomy, seed=seed, names=dict(subjects.select("subject_id", "name").iter_rows()), images=images
    )


def _unambiguous(dataset: OffsideDataset, asking: Sequence[Record], now: Mapping[str, Record]) -> dict[str, Record]:
    """Records without the paraphrases that ask for others' answers, too: of the same picture, or in the text form."""
    import polars as pl

    if not asking:
        return {}
    texts = {text for r in asking if r.modality == "text" for text in (r.question, *r.question_paraphrases)}
    pictures = {r.image_id for r in asking if r.modality == "multimodal"}
    asks = pl.col("question").is_in(list(texts)) | (
        pl.col("question_paraphrases").list.eval(pl.element().is_in(list(texts))).list.any()
    )
    shows = (pl.col("modality") == "multimodal") & pl.col("image_id").is_in(list(pictures))
    columns = ["modality", "image_id", "question", "question_paraphrases"]
    groups: dict[str | None, dict[str, Record]] = {}
    for record in whole_records(dataset, shows | ((pl.col("modality") == "text") & asks), columns):
        about = record.image_id if record.modality == "multimodal" else None
        groups.setdefault(about, {})[record.record_id] = now.get(record.record_id, record)
    found = {}
    for record in asking:
        about = record.image_id if record.modality == "multimodal" else None
        group = {**groups.get(about, {}), record.record_id: record}
        asked = [(other, (other.question, *other.question_paraphrases)) for other in group.values()]
        found[record.record_id] = without(record, ambiguous_texts(asked, dataset.taxonomy))
    return found
