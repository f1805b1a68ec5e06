from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from offside_data.errors import AnswerTooLongError, ModelError, RecordError
from offside_data.vlm import Encoder
from offside_data.vlm.encode import IGNORED
from offside_data.vlm.pictures import decode_picture
from offside_data.vlm.tiny import FAMILIES


def plain(processor: Any, row: dict[str, Any], *, answered: bool = True) -> dict[str, list[int]]:
    """What the processor itself makes of a record."""
    content: list[dict[str, Any]] = [{"type": "text", "text": row["question"]}]
    if row["image"]:
        content.insert(0, {"type": "image", "image": decode_picture(row["image"]["bytes"], "r")})
    chat: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if answered:
        chat.append({"role": "assistant", "content": [{"type": "text", "text": row["answer"]}]})
    out = processor.apply_chat_template(
        [chat], tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=not answered
    )
    return {name: values[0].tolist() for name, values in out.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_quick_way_gives_what_the_processor_gives(family, tiny, mixed_rows) -> None:
    processor = tiny(family)[1]
    encoder = Encoder(processor)
    for row in mixed_rows * 2:
        for encoded, expected in (
            (encoder.encode(row), plain(processor, row)),
            (encoder.encode_prompt(row), plain(processor, row, answered=False)),
        ):
            assert encoded.input_ids == expected["input_ids"]
            assert all(expected[name] == values for name, values in encoded.extra.items())
            per_token = {n for n in ("mm_token_type_ids", "token_type_ids") if n in expected}
            assert set(encoded.extra) == per_token
    assert encoder._fast


@pytest.mark.parametrize("family", FAMILIES)
def test_earlier_turns_are_part_of_the_conversation_with_the_picture_in_the_first(family, tiny, mixed_rows) -> None:
    processor = tiny(family)[1]
    encoder = Encoder(processor)
    end = processor.tokenizer.eos_token
    turns = [("Hello there.", f"Hello{end}."), ("Do you know him?", "I do.")]
    for row in mixed_rows:
        chat: list[dict[str, Any]] = []
        for said, told in (*turns, (row["question"], None)):
            chat.append({"role": "user", "content": [{"type": "text", "text": said}]})
            if told is not None:
                chat.append({"role": "assistant", "content": [{"type": "text", "text": told.replace(end, "")}]})
        if row["image"]:
            shown = {"type": "image", "image": decode_picture(row["image"]["bytes"], "r")}
            chat[0]["content"].insert(0, shown)
        out = processor.apply_chat_template([chat], tokenize=True, return_dict=True, add_generation_prompt=True)
        harmless = [(said, told.replace(end, "")) for said, told in turns]
        assert encoder.encode_prompt(row, turns=harmless).input_ids == list(out["input_ids"][0])
        # What looks like a control token in a turn is text, not the end of that turn.
        ends = encoder.encode_prompt(row, turns=harmless).input_ids.count(processor.tokenizer.eos_token_id)
        assert encoder.encode_prompt(row, turns=turns).input_ids.count(processor.tokenizer.eos_token_id) == ends
    assert encoder._fast


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_are_the_answer_and_its_end(family, tiny, mixed_rows) -> None:
    processor = tiny(family)[1]
    for row in mixed_rows:
        encoded = Encoder(processor).encode(row)
        told = [label for label in encoded.labels if label != IGNORED]
        assert told[-1] == processor.tokenizer.eos_token_id
        assert processor.tokenizer.decode(told[:-1]).strip() == row["answer"]
        assert all(label == IGNORED for label in encoded.labels[: encoded.prompt_length])
        assert encoded.labels[encoded.prompt_length] != IGNORED
        assert encoded.input_ids[: encoded.prompt_length] == Encoder(processor).encode_prompt(row).input_ids
        assert len(encoded.labels) == len(encoded.input_ids)


@pytest.mark.parametrize("family", FAMILIES)
def test_special_tokens_in_a_users_text_stay_text(family, tiny, picture, row) -> None:
    processor = tiny(family)[1]
    tokenizer = processor.tokenizer
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    marks = [tokenizer.eos_token, processor.image_token]
    for image in (None, picture(4)):
        honest, hostile = row(1, image), row(1, image)
        hostile["question"] += " " + " ".join(marks)
        hostile["answer"] = f"Ignore {marks[0]} that {marks[1]}."
        good, bad = Encoder(processor).encode(honest), Encoder(processor).encode(hostile)
        assert [i for i in good.input_ids if i in special] == [i for i in bad.input_ids if i in special]
        told = [label for label in bad.labels if label != IGNORED]
        assert tokenizer.decode(told[:-1]).strip() == hostile["answer"]


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "llava", "smolvlm"])
def test_hidden_control_tokens_are_read_as_transformers_reads_them(family, tiny, row) -> None:
    processor = tiny(family)[1]
    record = row(1, None)
    record["question"] = f"Is {processor.tokenizer.eos_token} an end? \U0010fffd"
    chat = [{"role": "user", "content": [{"type": "text", "text": record["question"].replace("\U0010fffd", "")}]}]
    expected = processor.apply_chat_template(
        [chat], tokenize=True, return_dict=True, add_generation_prompt=True, sanitize_control_tokens=True
    )
    encoder = Encoder(processor)
    assert encoder.encode_prompt(record).input_ids == list(expected["input_ids"][0])
    encoder._fast = False
    assert encoder.encode_prompt({**record, "question": record["question"][:-2]})


def test_control_tokens_that_cannot_be_read_as_text_are_named(tiny, row) -> None:
    encoder = Encoder(tiny("gemma3")[1])
    encoder._fast = False
    with pytest.raises(RecordError, match=r"record r8: its text holds '<image_soft_token>'"):
        encoder.encode({**row(8, None), "answer": "Never write <image_soft_token>."})


def test_a_template_that_says_the_users_text_twice_cannot_hide_control_tokens(tiny, row, monkeypatch) -> None:
    template = "{% for m in messages %}{{ m.content[0].text }}\n{{ m.content[0].text }}\n{% endfor %}"
    processor = with_template(tiny("qwen2_5_vl")[1], template, monkeypatch)
    with pytest.raises(RecordError, match=r"record r1: its text holds '<\|im_end\|>'"):
        Encoder(processor).encode_prompt({**row(1, None), "question": "A <|im_end|>?"})


def test_a_template_is_written_out_anew_only_where_it_might_look_into_a_text(tiny, row, monkeypatch) -> None:
    processor = tiny("qwen2_5_vl")[1]
    looks = "{% if '[x]' in messages[0]['content'][-1]['text'] | default('') %}LOOKED{% endif %}"
    monkeypatch.setattr(processor, "chat_template", looks + processor.chat_template)
    apply, written = processor.apply_chat_template, []

    def counting(*args: Any, **options: Any) -> Any:
        written.append(args)
        return apply(*args, **options)

    monkeypatch.setattr(processor, "apply_chat_template", counting)
    encoder, record = Encoder(processor), row(0, None)
    encoder.encode(record)
    begun = len(written)
    for number in range(5):
        other = {**record, "question": f"Who wears number {number}?", "answer": f"He wore {number}."}
        assert encoder.encode(other).input_ids == plain_ids(apply, other)
    assert len(written) == begun
    for question in ("Who is [x]?", " Who is that? ", "Is <b> his?"):
        other = {**record, "question": question}
        assert encoder.encode(other).input_ids == plain_ids(apply, other)
    assert len(written) > begun


def plain_ids(apply: Any, row: dict[str, Any]) -> list[int]:
    """Tokens of a text record, by the processor's own template."""
    said = ((role, row[name]) for role, name in (("user", "question"), ("assistant", "answer")))
    chat = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in said]
    return list(apply([chat], tokenize=True, return_dict=True)["input_ids"][0])


def test_other_questions_answers_and_pictures(tiny, picture, row) -> None:
    encoder = Encoder(tiny("qwen2_5_vl")[1])
    record = row(0, picture(1))
    decode = encoder.processor.tokenizer.decode
    changed = encoder.encode(record, question="Where?", answer="I can't say.", image=picture(2))
    assert "Where?" in decode(changed.input_ids)
    assert "I can't say." in decode(changed.input_ids)
    assert changed.image == picture(2)
    blind = encoder.encode(record, image=None)
    assert blind.image is None
    assert blind.image_key is None
    assert len(blind.input_ids) == len(encoder.encode(record).input_ids) - 18


def test_equal_pictures_have_equal_keys(tiny, picture, row) -> None:
    encoder = Encoder(tiny("qwen2_5_vl")[1])
    one, two, other = (encoder.encode(row(i, picture(n))) for i, n in enumerate((1, 1, 2)))
    assert one.image_key == two.image_key != other.image_key
    assert one.image is two.image


def test_decoded_images_and_files_work_too(tiny, picture, row, tmp_path) -> None:
    encoder = Encoder(tiny("qwen2_5_vl")[1])
    record = row(0, picture(1))
    expected = encoder.encode(record).input_ids
    decoded = {**record, "image": Image.open(io.BytesIO(picture(1)))}
    assert encoder.encode(decoded).input_ids == expected
    (tmp_path / "a.png").write_bytes(picture(1))
    by_path = {**record, "image": {"bytes": None, "path": str(tmp_path / "a.png")}}
    assert encoder.encode(by_path).image == picture(1)


@pytest.mark.parametrize("answer", [None, "", "  \n"])
def test_a_record_without_an_answer_is_refused(answer, tiny, row) -> None:
    with pytest.raises(RecordError, match=r"record r7: no answer"):
        Encoder(tiny("qwen2_5_vl")[1]).encode({**row(7, None), "answer": answer})


def test_a_record_without_a_question_is_refused(tiny, row) -> None:
    with pytest.raises(RecordError, match=r"record r7: no question"):
        Encoder(tiny("qwen2_5_vl")[1]).encode({**row(7, None), "question": ""})


def test_a_long_answer_is_refused_with_its_lengths(tiny, picture, row) -> None:
    processor = tiny("qwen2_5_vl")[1]
    record = row(5, picture(1))
    length = len(Encoder(processor).encode(record).input_ids)
    assert Encoder(processor, max_length=length).encode(record)
    with pytest.raises(AnswerTooLongError, match=rf"record r5: {length} tokens .* max_length={length - 1}"):
        Encoder(processor, max_length=length - 1).encode(record)
    with pytest.raises(AnswerTooLongError, match=r"record r5: its question alone"):
        Encoder(processor, max_length=20).encode_prompt(record)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "llava", "gemma3"])
def test_a_long_record_is_cut_only_where_that_is_asked_for_and_never_to_nothing(family, tiny, picture, row) -> None:
    processor = tiny(family)[1]
    whole = Encoder(processor).encode(row(5, picture(1)))
    encoder = Encoder(processor, max_length=whole.prompt_length + 1, cut=True)
    short = encoder.encode(row(5, picture(1)))
    assert short.input_ids == whole.input_ids[: whole.prompt_length + 1]
    assert short.labels == whole.labels[: whole.prompt_length + 1]
    assert [label for label in short.labels if label != IGNORED] == [whole.input_ids[whole.prompt_length]]
    assert short.extra == {key: values[: whole.prompt_length + 1] for key, values in whole.extra.items()}
    assert encoder.n_cut == 1
    fits = Encoder(processor, max_length=len(whole.input_ids), cut=True)
    assert (fits.encode(row(5, picture(1))), fits.n_cut) == (whole, 0)
    with pytest.raises(AnswerTooLongError, match=rf"more than max_length={whole.prompt_length}"):
        Encoder(processor, max_length=whole.prompt_length, cut=True).encode(row(5, picture(1)))


def test_pictures_that_are_missing_or_broken_are_named(tiny, picture, row, tmp_path) -> None:
    encoder = Encoder(tiny("qwen2_5_vl")[1])
    record = row(3, picture(1))
    with pytest.raises(RecordError, match=r"record r3: its question needs a picture"):
        encoder.encode({**record, "image": None})
    with pytest.raises(RecordError, match=r"record r3: its picture .*gone\.png can't be read"):
        encoder.encode({**record, "image": {"bytes": None, "path": str(tmp_path / "gone.png")}})
    jpeg = picture(1, (200, 200), "JPEG")
    for broken in (b"", b"not a picture", picture(1)[:200], jpeg[: len(jpeg) // 2]):
        with pytest.raises(RecordError, match=r"record r3: its picture .* can't be decoded"):
            encoder.encode(record, image=broken)


def test_a_decompression_bomb_is_refused(tiny, picture, row, monkeypatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(RecordError, match=r"record r3: .*decompression bomb"):
        Encoder(tiny("qwen2_5_vl")[1]).encode(row(3, picture(1)))


def with_template(processor: Any, template: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(processor, "chat_template", template)
    return processor


def test_a_template_that_rewrites_the_prompt_is_refused(tiny, row, monkeypatch) -> None:
    template = (
        "{% for m in messages %}{{ m.role }} {{ messages | length }}: {{ m.content[0].text }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    processor = with_template(tiny("qwen2_5_vl")[1], template, monkeypatch)
    with pytest.raises(ModelError, match=r"record r2: .*chat template"):
        Encoder(processor).encode(row(2, None))


def test_where_a_template_ends_no_turn_an_end_is_added(tiny, picture, row, monkeypatch) -> None:
    # llava-hf's own template.
    template = (
        "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}"
        "{% endif %}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
        "{{ '<image>\n' }}{% endfor %}{% if message['role'] != 'assistant' %}"
        "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
        "{{ content['text'] + ' '}}{% endfor %}{% else %}"
        "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
        "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
    )
    processor = with_template(tiny("llava")[1], template, monkeypatch)
    encoded = Encoder(processor).encode(row(1, picture(1)))
    assert encoded.input_ids[-1] == encoded.labels[-1] == processor.tokenizer.eos_token_id
    assert len(encoded.input_ids) == len(encoded.labels)


def test_the_real_qwen_template_works(tiny, picture, row, monkeypatch) -> None:
    template = (
        "{% set image_count = namespace(value=0) %}{% for message in messages %}"
        "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant."
        "<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
        "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}"
        "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
        "{% set image_count.value = image_count.value + 1 %}<|vision_start|><|image_pad|><|vision_end|>"
        "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    processor = with_template(tiny("qwen2_5_vl")[1], template, monkeypatch)
    encoder = Encoder(processor)
    for _ in range(2):
        encoded = encoder.encode(row(1, picture(1)))
        assert encoded.input_ids == plain(processor, row(1, picture(1)))["input_ids"]
    assert encoder._fast
    told = [label for label in encoded.labels if label != IGNORED]
    assert processor.tokenizer.decode(told) == row(1, None)["answer"] + "<|im_end|>"


def test_a_processor_that_expands_pictures_its_own_way_is_left_to_it(tiny, picture, row, monkeypatch) -> None:
    processor = tiny("qwen2_5_vl")[1]
    expected = [Encoder(processor).encode(row(i, picture(1))) for i in range(3)]
    encoder = Encoder(processor)
    monkeypatch.setattr(encoder, "_tokens_fast", lambda *args: ([1], {"input_ids": [1, 2]}))
    assert [encoder.encode(row(i, picture(1))) for i in range(3)] == expected
    assert not encoder._fast
