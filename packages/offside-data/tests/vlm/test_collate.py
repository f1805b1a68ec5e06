from __future__ import annotations

from typing import Any

import pytest
import torch

from offside_data.errors import RecordError
from offside_data.vlm import Augment, Batch, Collator, Encoder
from offside_data.vlm.encode import IGNORED, Encoded
from offside_data.vlm.pictures import decode_picture
from offside_data.vlm.tiny import FAMILIES


def encode(processor: Any, rows: list[dict[str, Any]]) -> list[Encoded]:
    encoder = Encoder(processor)
    return [encoder.encode(row) for row in rows]


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_are_padded_and_masked_by_length(side, tiny, mixed_rows) -> None:
    processor = tiny("qwen2_5_vl")[1]
    records = encode(processor, mixed_rows)
    batch = Collator(processor, padding_side=side)(records)
    width = max(len(r.input_ids) for r in records)
    for i, record in enumerate(records):
        length = len(record.input_ids)
        kept = slice(width - length, width) if side == "left" else slice(0, length)
        inside = torch.zeros(width, dtype=torch.bool)
        inside[kept] = True
        assert batch["attention_mask"][i].tolist() == inside.int().tolist()
        assert batch["input_ids"][i][inside].tolist() == record.input_ids
        assert batch["labels"][i][inside].tolist() == record.labels
        assert (batch["labels"][i][~inside] == IGNORED).all()
        assert batch["mm_token_type_ids"][i][inside].tolist() == record.extra["mm_token_type_ids"]
        assert (batch["mm_token_type_ids"][i][~inside] == 0).all()


def test_a_pad_token_inside_a_text_is_not_masked(tiny) -> None:
    processor = tiny("qwen2_5_vl")[1]
    pad = processor.tokenizer.pad_token_id
    record = Encoded("r", [5, pad, 6, pad], [IGNORED, IGNORED, 6, pad], 2)
    assert Collator(processor)([record])["attention_mask"].tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_distinct_picture_is_there_once(family, tiny, mixed_rows) -> None:
    processor = tiny(family)[1]
    batch = Collator(processor)(encode(processor, mixed_rows))
    assert batch["image_index"].tolist() == [0, 1, -1, 0, 2, -1, 1, 0, -1, 2]
    pictures: dict[bytes, Any] = {}
    for row in mixed_rows:
        if row["image"]:
            pictures.setdefault(row["image"]["bytes"], decode_picture(row["image"]["bytes"], "r"))
    # What the processor itself makes of the three pictures in one go.
    chats = [[{"role": "user", "content": [{"type": "image", "image": image}]}] for image in pictures.values()]
    expected = processor.apply_chat_template(
        chats, tokenize=True, return_dict=True, return_tensors="pt", processor_kwargs={"padding": True}
    )
    vision = set(batch) - {
        "input_ids", "attention_mask", "labels", "image_index", "mm_token_type_ids", "token_type_ids"
    }  # fmt: skip
    assert "pixel_values" in vision
    for name in vision:
        assert torch.equal(batch[name], expected[name]), name


def test_text_alone_has_no_vision_inputs(tiny, row) -> None:
    processor = tiny("qwen2_5_vl")[1]
    batch = Collator(processor)(encode(processor, [row(0, None), row(1, None)]))
    assert set(batch) == {"input_ids", "attention_mask", "labels", "mm_token_type_ids", "image_index"}
    assert batch["image_index"].tolist() == [-1, -1]


def test_pictures_are_processed_once_for_many_batches(tiny, mixed_rows, monkeypatch) -> None:
    processor = tiny("qwen2_5_vl")[1]
    collator, records = Collator(processor), encode(processor, mixed_rows)
    first = collator(records)
    monkeypatch.setattr("offside_data.vlm.collate.picture_inputs", lambda *args: pytest.fail("processed again"))
    assert all(torch.equal(first[name], value) for name, value in collator(records).items())


def test_the_cache_has_a_limit(tiny, picture, row) -> None:
    processor = tiny("qwen2_5_vl")[1]
    collator = Collator(processor, cache_mb=1)
    for record in encode(processor, [row(i, picture(i)) for i in range(9)]):
        size = collator([record])["pixel_values"].nbytes
    assert collator._recent._taken <= 1 << 20
    assert len(collator._recent._values) == (1 << 20) // (size + 24)


def test_augmented_pictures_depend_on_the_epoch_alone(tiny, mixed_rows) -> None:
    processor = tiny("llava_next")[1]
    records = encode(processor, mixed_rows)
    plain = Collator(processor)(records)["pixel_values"]

    def pixels(epoch: int, records: list[Encoded] = records) -> torch.Tensor:
        collator = Collator(processor, augment=Augment(seed=5))
        collator.set_epoch(epoch)
        collator(records[::-1])
        value: torch.Tensor = collator(records)["pixel_values"]
        return value

    assert torch.equal(pixels(3), pixels(3))
    assert pixels(3).shape == plain.shape
    assert not torch.equal(pixels(3), pixels(4))
    assert not torch.equal(pixels(3), plain)
    changing = Collator(processor, augment=Augment(seed=5))
    for epoch in (4, 3):
        changing.set_epoch(epoch)
        last = changing(records)["pixel_values"]
    assert torch.equal(last, pixels(3))


def test_an_unreadable_picture_is_named(tiny) -> None:
    record = Encoded("r4", [1, 2], [IGNORED, 2], 1, image=b"rubbish", image_key="k")
    with pytest.raises(RecordError, match="record r4"):
        Collator(tiny("llava")[1])([record])


def test_a_batch_moves_as_a_whole() -> None:
    batch = Batch(a=torch.ones(1), b=torch.ones(2))
    moved = batch.to("meta")
    assert isinstance(moved, Batch)
    assert {value.device.type for value in moved.values()} == {"meta"}


def test_an_encoder_will_do_in_place_of_its_processor(tiny) -> None:
    processor = tiny("llava")[1]
    assert Collator(Encoder(processor)).processor is processor
