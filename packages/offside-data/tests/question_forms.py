"""What makes further forms of questions, for records at hand instead of a dataset on disk."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of, records_of
from offside_data.questions import forms, text_form
from offside_data.schema import Record
from offside_data.taxonomy import Taxonomy

Images = Sequence[Mapping[str, Any]]


def frame(records: Iterable[Record]) -> pl.DataFrame:
    return frame_of(records, "multimodal", PictureStore())


def forms_of(records: Iterable[Record], taxonomy: Taxonomy, **context: Any) -> forms.Forms:
    return forms.Forms(frame(records), taxonomy, **context)


class TextForm(NamedTuple):
    records: list[Record]
    lacking: Counter[str]


def text_form_of(
    records: Iterable[Record], taxonomy: Taxonomy, *, names: Mapping[str, str], images: Images
) -> TextForm:
    occasions = {row["image_id"]: row.get("occasion") for row in images}
    claims = frame(records)
    sources = [claims.select("record_id", "sources")]
    made = text_form.text_form(claims, taxonomy, sources=sources, names=names, occasions=occasions)
    return TextForm(records_of(made.records, PictureStore()), made.lacking)


def regenerated(
    records: Sequence[Record],
    taxonomy: Taxonomy,
    *,
    seed: int,
    only: Iterable[str] | None = None,
    images: Images = (),
) -> list[Record]:
    """All records, those in `only` (all if null) with new choices and wrong answers."""
    wanted = set(only) if only is not None else {record.record_id for record in records}
    chosen = [record for record in records if record.record_id in wanted]
    new = {r.record_id: r for r in forms.regenerate(chosen, frame(records), taxonomy, seed=seed, images=images)}
    return [new.get(record.record_id, record) for record in records]


def without_ambiguous_paraphrases(records: Sequence[Record], taxonomy: Taxonomy) -> list[Record]:
    """As the command does it: within a picture, and within the whole text form."""
    groups: dict[str | None, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.image_id if record.modality == "multimodal" else None].append(record)
    kept = {}
    for group in groups.values():
        asked = [(record, (record.question, *record.question_paraphrases)) for record in group]
        ambiguous = forms.ambiguous_texts(asked, taxonomy)
        kept |= {record.record_id: forms.without(record, ambiguous) for record in group}
    return [kept[record.record_id] for record in records]
