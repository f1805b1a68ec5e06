"""The text form: what the pictures' records ask, as questions that name the subject and the occasion."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of, records_of
from offside_data.dataset.storage import ROWS_PER_BATCH, frame_schema
from offside_data.processes import Workers, worth_sharing
from offside_data.questions import phrasings
from offside_data.schema import VISUAL_CHANNELS, Record, RumorChannel, make_record_id
from offside_data.tagging.suspects import same_answer
from offside_data.tagging.untagged import UNTAGGED
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

if TYPE_CHECKING:
    import polars as pl

READ = (
    *("record_id", "subject_id", "image_id", "modality", "split", "attribute", "scope", "veracity", "rumor_channel"),
    *("question", "answer", "value", "corrects", "suspect"),
)
"""Columns of records that the text form is made from, besides `sources`, which only those need that get one."""
TEXT_SPLITS = ("retain", "forget", "relearn")
"""Splits whose claims have a text form; a shared fact takes the first of these that its subject has."""
_SOURCE = "text-form"
_KEY = ("subject_id", "of_picture", "attribute")
"""Of a fact: subject and attribute, of a private claim also its picture."""


class TextForm(NamedTuple):
    """New text records, with all columns of records, and how often a claim has none, by reason."""

    records: pl.DataFrame
    lacking: Counter[str]


class _Context(NamedTuple):
    taxonomy: Taxonomy
    names: Mapping[str, str]
    occasions: Mapping[str | None, str | None]


def text_form(
    claims: pl.DataFrame,
    taxonomy: Taxonomy,
    *,
    sources: Iterable[pl.DataFrame],
    names: Mapping[str, str],
    occasions: Mapping[str | None, str | None],
) -> TextForm:
    """The text records that a dataset lacks: one a subject and shared attribute, one a picture and private attribute.

    The name has no text form, and a claim that a text record makes already gets no second one. Ids follow from
    subject, picture and attribute, so that making them again gives the same.

    Args:
        claims: All records of the dataset, with the columns `READ`; only those of text records need their question.
        taxonomy: Their taxonomy.
        sources: The `sources` of all records, with their `record_id`, some rows at a time.
        names: Names of the subjects by id.
        occasions: Occasions of the pictures by id.
    """
    import polars as pl

    private = pl.when(pl.col("scope") == "private").then("image_id")
    keyed = claims.select(READ).with_columns(of_picture=private)
    there = keyed.filter((pl.col("modality") == "text") & pl.col("attribute").is_not_null())
    chosen, lacking = _one_claim_each(keyed, there, taxonomy)
    chosen = _with_sources(chosen, sources)
    made, more = _word(chosen, _Context(taxonomy, names, occasions))
    lacking += more
    asked = pl.Series([" ".join(folded_words(q)) for q in claims.filter(pl.col("modality") == "text")["question"]])
    words = pl.concat([made["words"], asked.cast(pl.String)])
    # Two pictures of one occasion can't be told apart.
    told_apart = ~made["words"].is_in(words.filter(words.is_duplicated()).implode())
    if not told_apart.all():
        lacking["its question would have several answers"] = len(made) - int(told_apart.sum())
        made = made.filter(told_apart)
    return TextForm(_with_targets(made, keyed, there), lacking)


def _one_claim_each(keyed: pl.DataFrame, there: pl.DataFrame, taxonomy: Taxonomy) -> tuple[pl.DataFrame, Counter[str]]:
    """The record that a claim's text form is made from: of the first split, one that isn't suspect if there is one."""
    import polars as pl

    col = pl.col
    told = [a.name for a in taxonomy.attributes if a.text_questions and a.name not in (UNTAGGED.name, "name")]
    wanted = (col("modality") == "multimodal") & col("split").is_in(TEXT_SPLITS) & col("attribute").is_in(told)
    rank = col("split").replace_strict({split: i for i, split in enumerate(TEXT_SPLITS)}, default=None)
    # Narrow, and rows by their place: whole records are copied once, the chosen ones.
    narrow = keyed.with_row_index("place").filter(wanted)
    narrow = narrow.select(
        "place", *_KEY, "answer", rank=rank, sure=col("suspect").is_null(), valued=col("value").is_not_null()
    )
    candidates = narrow.join(there.select(_KEY), on=_KEY, how="anti", nulls_equal=True, maintain_order="left")
    sure = candidates.sort("rank", maintain_order=True).filter(col("sure") | ~col("sure").any().over(_KEY))
    valued = sure.filter("valued")
    lacking = Counter({"it has no value": len(sure.unique(_KEY)) - len(valued.unique(_KEY))})
    contrary = []
    for _, group in valued.filter(col("answer").n_unique().over(_KEY) > 1).group_by(_KEY, maintain_order=True):
        first, *others = records_of(keyed[group["place"]].drop("of_picture"), PictureStore())
        if not all(same_answer(first, other, taxonomy) for other in others):
            contrary.append(group["place"][0])
    lacking["its records contradict each other"] = len(contrary)
    chosen = valued.unique(_KEY, keep="first", maintain_order=True)["place"]
    return keyed[chosen.filter(~chosen.is_in(contrary))], +lacking


def _with_sources(chosen: pl.DataFrame, sources: Iterable[pl.DataFrame]) -> pl.DataFrame:
    import polars as pl

    names = chosen.select("record_id")
    theirs = [rows.join(names, on="record_id", how="semi") for rows in sources]
    known = pl.concat([names.with_columns(sources=pl.lit(None, frame_schema("text")["sources"])).clear(), *theirs])
    found = names.join(known.unique("record_id"), on="record_id", how="left", maintain_order="left")
    return chosen.with_columns(found["sources"])


def _word(chosen: pl.DataFrame, context: _Context) -> tuple[pl.DataFrame, Counter[str]]:
    """The text records of some claims, with their key, what the claim corrects, and the question's folded words."""
    import polars as pl

    lacking: Counter[str] = Counter()
    with Workers(context, worth_sharing(len(chosen))) as workers:
        made = [_word_batch(context, chosen[:0])[0]]
        for frame, more in workers.map(_word_batch, chosen.iter_slices(ROWS_PER_BATCH)):
            made.append(frame)
            lacking += more
    return pl.concat(made), lacking


def _word_batch(context: _Context, claims: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
    import polars as pl

    made: list[Record] = []
    lacking: Counter[str] = Counter()
    said: dict[str, list[str | None]] = {"of_picture": [], "claim_corrects": [], "words": []}
    for claim, picture in zip(
        records_of(claims.drop("of_picture"), PictureStore()), claims["of_picture"].to_list(), strict=True
    ):
        name, occasion = context.names.get(claim.subject_id or ""), context.occasions.get(picture)
        if not name or (picture is not None and not occasion):
            lacking["its picture has no occasion" if name else "its subject has no name"] += 1
            continue
        attribute = context.taxonomy[claim.attribute or ""]
        question = phrasings.text_question(attribute, subject=name, occasion=occasion).text
        record_id = make_record_id(_SOURCE, claim.subject_id, picture, attribute.name, "text")
        made.append(_text_record(claim, attribute, record_id=record_id, question=question))
        said["of_picture"].append(picture)
        said["claim_corrects"].append(claim.corrects)
        said["words"].append(" ".join(folded_words(question)))
    frame = frame_of(made, "text", PictureStore())
    return frame.with_columns(pl.Series(name, values, pl.String) for name, values in said.items()), lacking


def _text_record(claim: Record, attribute: Attribute, *, record_id: str, question: str) -> Record:
    assert claim.value is not None
    rumor = claim.veracity == "rumor"
    said = phrasings.value_text(claim.value, attribute)
    channel: RumorChannel = "both" if claim.rumor_channel in VISUAL_CHANNELS else "text"
    return Record(
        record_id=record_id,
        subject_id=claim.subject_id,
        image_id=claim.image_id if attribute.scope == "private" else None,
        image=None,
        modality="text",
        split=claim.split,
        attribute=attribute.name,
        scope=attribute.scope,
        veracity=claim.veracity,
        rumor_channel=channel if rumor else "none",
        question=question,
        answer=phrasings.answer(attribute, said, rumor=rumor).text,
        value=dataclasses.replace(claim.value, text=said),
        sources=claim.sources,
    )


def _with_targets(made: pl.DataFrame, keyed: pl.DataFrame, there: pl.DataFrame) -> pl.DataFrame:
    """The new records; a correction corrects the text form of what its claim corrects, if there is one."""
    import polars as pl

    texts = pl.concat([frame.select("record_id", *_KEY) for frame in (made, there)]).unique(_KEY, keep="first")
    targets = keyed.select(pl.col("record_id").alias("claim_corrects"), *_KEY).join(
        texts.rename({"record_id": "target"}), on=_KEY, nulls_equal=True
    )
    # Joined by one column alone: a join of whole records would copy them all.
    named = made.select("claim_corrects").join(
        targets.select("claim_corrects", "target"), on="claim_corrects", how="left", maintain_order="left"
    )
    return made.with_columns(corrects=named["target"]).drop("claim_corrects", "of_picture", "words")
