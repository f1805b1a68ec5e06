"""Read the text in pictures (extra `offside-data[ocr]`), and propose where a rumour stands in the pixels."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from offside_data.dataset.access import changes
from offside_data.dataset.decisions import make_decision
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import work_folder
from offside_data.dataset.rows import records_of
from offside_data.dataset.storage import Row
from offside_data.dataset.transaction import Transaction, change_dataset
from offside_data.errors import UsageError
from offside_data.images.decode import decode_image
from offside_data.images.parts import add_part, read_parts
from offside_data.progress import track
from offside_data.schema import VISUAL_CHANNELS, ClaimValue, Record, RumorChannel
from offside_data.tagging.values import answer_states
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute, Taxonomy

TextReader = Callable[[Image.Image], list[str]]
"""Gives the lines of text in an RGB picture, from top to bottom."""

_ENGINE = "rapidocr-onnxruntime"
_LEAST_SIDE = 448
"""Shortest side in pixels at which the engine still tells words apart; smaller pictures are enlarged."""
_MOST_SIDE = 4096
"""Longest side in pixels up to which pictures are enlarged."""
_LEAST_SCORE = 0.6
_PART = 10
"""Pictures of a part that is kept: so many at most are read again after an interruption."""
_NAMES = ("name", "place", "text")
_SURE_LETTERS = 6
"""A name of so many letters is recognised without its blanks, which engines lose."""
_LOOKALIKES = str.maketrans("l10", "iio")
_LOST_SIGN = re.compile(r"\b[eEC](?=\d)")  # How engines read a euro sign; an amount may do without.


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProposal:
    """A rumour that is readable in its picture, although `rumor_channel` doesn't say so.

    Args:
        record_id: The record.
        image_id: Its picture.
        attribute: What it is about.
        value: The claim's value as its answer states it.
        text: The text found in the picture.
        old: The channel now.
        new: The channel to be.
    """

    record_id: str
    image_id: str
    attribute: str
    value: str
    text: str
    old: RumorChannel
    new: RumorChannel


@dataclass(frozen=True, slots=True, kw_only=True)
class OcrReport:
    """What `find_text` did.

    Args:
        read: Pictures read now.
        with_text: Pictures of the dataset in which text is known to stand.
        proposals: The proposals.
        applied: Whether they were applied.
    """

    read: int
    with_text: int
    proposals: tuple[ChannelProposal, ...]
    applied: bool

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return dataclasses.asdict(self)


def load_reader() -> TextReader:
    """The engine that reads text.

    Raises:
        UsageError: If it isn't installed; says how to install it.
    """
    try:
        engine = importlib.import_module("rapidocr_onnxruntime").RapidOCR()
    except ImportError as error:
        raise UsageError(
            f"{_ENGINE}, which reads text in pictures, isn't installed ({error}). "
            "Install the extra: pip install 'offside-data[ocr]'."
        ) from error

    def read(picture: Image.Image) -> list[str]:
        import numpy as np

        wanted = -(-_LEAST_SIDE // min(picture.size))  # Rounded up.
        scale = min(wanted, max(1, _MOST_SIDE // max(picture.size)))
        enlarged = picture.resize((scale * picture.width, scale * picture.height), Image.Resampling.LANCZOS)
        found, _ = engine(np.asarray(enlarged)[:, :, ::-1])  # It expects blue first.
        return [text for _, text, score in found or () if float(score) >= _LEAST_SCORE]

    return read


@changes()
def find_text(folder: Path, *, apply: bool = False, again: bool = False, reader: TextReader | None = None) -> OcrReport:
    """Read the text in a dataset's pictures into its images table, and propose channels of rumours.

    An interrupted call goes on where it was.

    Args:
        folder: The dataset's folder; `text_found` of its pictures is changed in place. Of a picture that was read
            and shows none it is empty, not null.
        apply: Change the records as proposed, each with a decision, and list the values in `shown` of the pictures.
        again: Also read pictures whose text is known.
        reader: Reads a picture; the engine of the extra if null.

    Raises:
        DatasetError: If the dataset is unreadable.
        UsageError: If text has to be read and the engine isn't installed.
        PictureError: If a picture can't be decoded.
    """
    dataset = open_dataset(folder)
    rows = dataset.table_rows("images")
    known = {row["image_id"] for row in rows}
    unread = known if again else {row["image_id"] for row in rows if row["text_found"] is None}
    kept = work_folder(folder, "text")
    texts = _read_all(dataset, unread, reader, kept) if unread else {}
    rows = [{**row, "text_found": texts.get(row["image_id"], row["text_found"])} for row in rows]
    found = {row["image_id"]: row["text_found"] for row in rows if row["text_found"]}
    proposals = propose_channels(_claims_on(dataset, found), found, dataset.taxonomy)
    with change_dataset(dataset) as change:
        if apply and proposals:
            _apply(change, rows, proposals)
        if texts or (apply and proposals):
            change.set_table("images", rows)
    shutil.rmtree(kept, ignore_errors=True)
    return OcrReport(read=len(texts), with_text=len(found), proposals=tuple(proposals), applied=apply)


def _claims_on(dataset: OffsideDataset, pictures: Collection[str]) -> Iterator[Record]:
    """The records about these pictures."""
    import polars as pl

    for part in dataset.record_parts() if pictures else ():
        for batch in dataset.batches(part):
            yield from records_of(batch.filter(pl.col("image_id").is_in(pictures)), dataset.pictures)


def _read_all(
    dataset: OffsideDataset, image_ids: Collection[str], reader: TextReader | None, kept: Path
) -> dict[str, str]:
    """Text of each picture by id; equal pictures are read once, and what was read is kept on the way.

    Pictures of which only the id is stored aren't read.
    """
    known = {row["sha256"]: row["text"] for row in read_parts(kept)}
    new: list[dict[str, str]] = []
    texts = {}
    for image_id, data in track(dataset.encoded_pictures(image_ids, tables=True), "reading", total=len(image_ids)):
        reader = reader or load_reader()
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in known:
            known[sha256] = "\n".join(reader(decode_image(data, f"picture {image_id}")))
            new.append({"sha256": sha256, "text": known[sha256]})
        if len(new) == _PART:
            add_part(kept, new)
            new = []
        texts[image_id] = known[sha256]
    return texts


# ---------------------------------------------------------------------------------------------
# Channels


def propose_channels(records: Iterable[Record], texts: Mapping[str, str], taxonomy: Taxonomy) -> list[ChannelProposal]:
    """Proposals for all records whose rumour is readable in their picture.

    Args:
        records: Any records.
        texts: Text found in pictures, by `image_id`.
        taxonomy: The records' taxonomy.
    """
    proposals = []
    for record in records:
        text = texts.get(record.image_id or "")
        if not text or record.attribute is None or record.value is None or record.image_id is None:
            continue
        channel = propose_channel(record, text.split("\n"), taxonomy[record.attribute])
        if channel is not None:
            proposals.append(
                ChannelProposal(
                    record_id=record.record_id,
                    image_id=record.image_id,
                    attribute=record.attribute,
                    value=record.value.text,
                    text=text,
                    old=record.rumor_channel,
                    new=channel,
                )
            )
    return proposals


def propose_channel(record: Record, lines: Sequence[str], attribute: Attribute) -> RumorChannel | None:
    """Where a rumour stands, if it is readable in its picture and the record doesn't say so yet.

    Args:
        record: A record with its value.
        lines: The text found in its picture.
        attribute: Its attribute.

    Returns:
        `both` if question and answer carry the rumour too, `image` if only the picture does; null for no change.
    """
    if record.veracity != "rumor" or record.value is None or record.rumor_channel in VISUAL_CHANNELS:
        return None
    if not is_readable(record.value, lines, attribute):
        return None
    return "both" if answer_states(f"{record.question} {record.answer}", record.value, attribute) else "image"


def is_readable(value: ClaimValue, lines: Sequence[str], attribute: Attribute) -> bool:
    """Whether a value stands in lines of text that an engine read, in one of them or broken across them.

    A count needs a word of what is counted beside it, for a lone number may be anything: a shirt's, a year.
    """
    lines = [_LOST_SIGN.sub("", line) for line in lines]
    candidates = [*lines, " ".join(lines)]
    if value.kind == "count":
        candidates = [text for text in lines if _names_the_count(text, attribute)]
    if any(answer_states(text, value, attribute) for text in candidates):
        return True
    letters = _letters(value.text)
    return value.kind in _NAMES and len(letters) >= _SURE_LETTERS and letters in _letters(" ".join(lines))


def _letters(text: str) -> str:
    """The letters of a text alone, those that look the same made the same."""
    return "".join(folded_words(text)).translate(_LOOKALIKES)


def _names_the_count(text: str, attribute: Attribute) -> bool:
    nouns = {attribute.name, *(template.partition("{value}")[2] for template in attribute.answers)}
    stems = {word[:5] for noun in nouns for word in folded_words(noun)[:1]}
    return any(word[:5] in stems for word in folded_words(text))


def _apply(change: Transaction, rows: Sequence[Row], proposals: Sequence[ChannelProposal]) -> None:
    """Change the records as proposed; `rows` of the table of pictures list what is readable in them."""
    import polars as pl

    proposed = {proposal.record_id: proposal.new for proposal in proposals}
    change.update(pl.DataFrame({"record_id": list(proposed), "rumor_channel": list(proposed.values())}))
    shown: dict[str, dict[str, str]] = {}
    for proposal in proposals:
        shown.setdefault(proposal.image_id, {})[proposal.attribute] = proposal.value
    for row in rows:
        listed = {item["attribute"]: item["text"] for item in row["shown"] or ()}
        listed = shown.get(row["image_id"], {}) | listed
        row["shown"] = [{"attribute": attribute, "text": text} for attribute, text in listed.items()]
    change.decide(
        make_decision(
            "rumor_channel",
            {"record_id": proposal.record_id, "from": proposal.old, "to": proposal.new},
            f"its value {proposal.value!r} is readable in picture {proposal.image_id}",
            command="ocr --apply",
        )
        for proposal in proposals
    )
