"""Encoded records to one batch: padded, and each distinct picture processed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from offside_data.vlm.augment import Augment
from offside_data.vlm.encode import IGNORED, Encoded
from offside_data.vlm.pictures import Recent, decode_picture, picture_inputs

PaddingSide = Literal["left", "right"]


class Batch(dict[str, Any]):
    """Model inputs by name.

    `image_index` says which picture each row shows (-1: none); the vision inputs (`pixel_values`
    and its companions) hold each distinct picture once, in that numbering. So a batch doesn't go
    into a model directly: `forward` and `generate` know what to do with it.

    Attributes:
        features: A model, and what its vision tower made of the pictures, where `forward` was told to keep it.
    """

    features: tuple[Any, Any] = (None, None)

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch with its tensors on another device."""
        return Batch({name: value.to(device) for name, value in self.items()})


class Collator:
    """Makes a `Batch` of `Encoded` records; works as the `data_collator` of a `Trainer`.

    Args:
        processor: The one that the records were encoded with (or the `Encoder` itself).
        augment: Changes each picture at random; call `set_epoch` before each epoch.
        padding_side: `right` for training and scoring, `left` for generation.
        cache_mb: Processed pictures to keep between batches.
    """

    def __init__(
        self,
        processor: Any,
        *,
        augment: Augment | None = None,
        padding_side: PaddingSide = "right",
        cache_mb: int = 256,
    ) -> None:
        self.processor = getattr(processor, "processor", processor)
        self.augment = augment
        self.padding_side: PaddingSide = padding_side
        self.epoch = 0
        tokenizer = self.processor.tokenizer
        pad = tokenizer.pad_token_id
        self._pad_id = pad if pad is not None else tokenizer.eos_token_id or 0
        self._recent: Recent[tuple[int, str], dict[str, torch.Tensor]] = Recent(cache_mb << 20, _size_in_bytes)

    def set_epoch(self, epoch: int) -> None:
        """Choose which random changes the pictures get from now on."""
        self.epoch = epoch

    def __call__(self, records: Sequence[Encoded]) -> Batch:
        """Pad the records to the longest and process their pictures."""
        length = max(len(r.input_ids) for r in records)
        batch = Batch(
            input_ids=self._padded([r.input_ids for r in records], length, self._pad_id),
            attention_mask=self._padded([[1] * len(r.input_ids) for r in records], length, 0),
            labels=self._padded([r.labels for r in records], length, IGNORED),
        )
        for name in {name: None for r in records for name in r.extra}:
            batch[name] = self._padded([r.extra[name] for r in records], length, 0)
        pictures: dict[str, Encoded] = {r.image_key: r for r in records if r.image_key is not None}
        numbers = {key: number for number, key in enumerate(pictures)}
        batch["image_index"] = torch.tensor([numbers.get(r.image_key or "", -1) for r in records])
        if pictures:
            batch.update(_joined([self._vision_inputs(record) for record in pictures.values()]))
        return batch

    def _padded(self, rows: list[list[int]], length: int, value: int) -> torch.Tensor:
        if self.padding_side == "left":
            return torch.tensor([[value] * (length - len(row)) + row for row in rows])
        return torch.tensor([row + [value] * (length - len(row)) for row in rows])

    def _vision_inputs(self, record: Encoded) -> dict[str, torch.Tensor]:
        key, data = record.image_key, record.image
        assert key is not None  # An Encoded has both or neither.
        assert data is not None

        def process() -> dict[str, torch.Tensor]:
            image = decode_picture(data, record.record_id)
            if self.augment is not None:
                image = self.augment(image, key, self.epoch)
            return picture_inputs(self.processor, image)[0]

        return self._recent.get((self.epoch if self.augment else 0, key), process)


def _size_in_bytes(inputs: dict[str, torch.Tensor]) -> int:
    return sum(value.nbytes for value in inputs.values())


def _joined(pictures: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Stack pictures along the first dimension; smaller ones (fewer tiles) are filled with zeros."""
    return {name: _concatenated([picture[name] for picture in pictures]) for name in pictures[0]}


def _concatenated(tensors: list[torch.Tensor]) -> torch.Tensor:
    shape = [max(sizes) for sizes in zip(*(t.shape[1:] for t in tensors), strict=True)]
    if any(list(t.shape[1:]) != shape for t in tensors):
        filled = [t.new_zeros(t.shape[0], *shape) for t in tensors]
        for target, source in zip(filled, tensors, strict=True):
            target[tuple(slice(n) for n in source.shape)] = source
        tensors = filled
    return torch.cat(tensors)
