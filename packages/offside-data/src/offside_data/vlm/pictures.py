"""Pictures on their way into a model: bytes, a key by content, pixels, the model's vision inputs."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from offside_data.errors import RecordError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values used last; `get` makes what isn't there.

    Args:
        room: How much is kept, in whatever unit `weigh` has.
        weigh: How much room a value takes; by default each takes one.
    """

    def __init__(self, room: int, weigh: Callable[[V], int] = lambda value: 1) -> None:
        self._room = room
        self._weigh = weigh
        self._taken = 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of `key`, made by `make` if need be."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = make()
        self._taken += self._weigh(value)
        while self._taken > self._room:
            self._taken -= self._weigh(self._values.popitem(last=False)[1])
        return value


def picture_key(data: bytes) -> str:
    """Name a picture by its encoded bytes."""
    return hashlib.sha256(data).hexdigest()


def picture_bytes(row: Mapping[str, Any]) -> bytes | None:
    """The encoded picture of a row, whether its image column is decoded or not.

    Raises:
        RecordError: If the row names a file that can't be read.
    """
    image = row.get("image")
    if image is None:
        return None
    if isinstance(image, bytes):
        return image
    if isinstance(image, Image.Image):
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        return buffer.getvalue()
    if image["bytes"] is not None:
        return bytes(image["bytes"])
    try:
        return Path(image["path"]).read_bytes()
    except OSError as error:
        raise RecordError(
            f"record {row.get('record_id')}: its picture {image['path']} can't be read ({error.strerror}). "
            "Put the file back or ingest the dataset again, so that pictures are embedded."
        ) from error


def decode_picture(data: bytes, record_id: str) -> Image.Image:
    """Decode a picture to upright RGB, as transformers does.

    Raises:
        RecordError: If the bytes are no picture, or one that is cut short or absurdly large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
            return ImageOps.exif_transpose(image).convert("RGB")
    except (
        OSError,
        SyntaxError,
        ValueError,
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise RecordError(
            f"record {record_id}: its picture ({len(data)} bytes) can't be decoded: {error}. "
            "Replace the picture or drop the record; offside-data check lists all of them."
        ) from error


def image_message(image: Image.Image | None, text: str | None) -> dict[str, Any]:
    """What the user says: a picture, a text, or the picture followed by the text."""
    blocks: list[dict[str, Any]] = []
    if image is not None:
        blocks.append({"type": "image", "image": image})
    if text is not None:
        blocks.append({"type": "text", "text": text})
    return {"role": "user", "content": blocks}


def picture_inputs(processor: Any, image: Image.Image) -> tuple[dict[str, torch.Tensor], str | None]:
    """Process one picture alone.

    Returns:
        The tensors that the vision tower takes (`pixel_values`, `image_grid_thw`, ...), and the
        text that takes the place of the picture's mark in a prompt (null if the processor doesn't
        tell).
    """
    out = processor.apply_chat_template(
        [[image_message(image, None)]],
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"return_text_replacement_offsets": True},
    )
    offsets = out.pop("text_replacement_offsets", None)
    replacement = offsets[0][0]["replacement"] if offsets and len(offsets[0]) == 1 else None
    length = out["input_ids"].shape[1]
    return {name: value for name, value in out.items() if value.shape[:2] != (1, length)}, replacement
