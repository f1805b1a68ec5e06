"""Records as two-turn conversations, for trainers that put a picture where the user's text says `<image>`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from offside_data.dataset.storage import Row
from offside_data.exporters._base import Loss, Selection
from offside_data.exporters._pictures import Pictures
from offside_data.schema import Record
from offside_data.validation import IMAGE_TOKEN

HOLDS = ("modality", "split", "question", "answer", "image")
"""Fields that a conversation keeps; modality and split are in its file's name."""


@dataclass(kw_only=True)
class Chats:
    """Conversations by `config_split`, the ids of their records in the same order, and what has no place."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    ids: dict[str, list[str]] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)


def write_chats(selection: Selection, folder: Path, reserved: Collection[str]) -> Chats:
    """Turn records into conversations, and write their pictures.

    Args:
        selection: The records.
        folder: The export's folder; pictures go into `images/` in it.
        reserved: Tags that the reader replaces wherever they stand, so that a text must not hold them.

    Raises:
        PictureError: If a picture's bytes are no picture.
    """
    chats, pictures = Chats(), Pictures(folder)
    for record in selection.records:
        why = _obstacle(record, reserved)
        if why is not None:
            chats.losses.append(Loss(record_id=record.record_id, why=why))
            continue
        content, row = record.question, {}
        if record.image is not None:
            content, row = IMAGE_TOKEN + content, {"images": [pictures.add(record.image)]}
        turns = (("user", content), ("assistant", record.answer))
        messages = [{"role": role, "content": text} for role, text in turns]
        name = f"{record.modality}_{record.split}"
        chats.rows.setdefault(name, []).append({"messages": messages, **row})
        chats.ids.setdefault(name, []).append(record.record_id)
    return chats


def _obstacle(record: Record, reserved: Collection[str]) -> str | None:
    if record.modality == "multimodal" and record.image is None:
        return "it asks about a picture that isn't in the dataset"
    found = [tag for tag in reserved if tag in record.question or tag in record.answer]
    return f"its text holds {found[0]}, which the reader would replace" if found else None
