from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from offside_data.errors import ModelError
from offside_data.vlm import Encoder, image_backend, load_processor, save_processor
from offside_data.vlm.processors import IMAGE_ONLY
from offside_data.vlm.tiny import FAMILIES

STOCK = {
    "qwen2_vl": "Qwen2VLProcessor",
    "qwen2_5_vl": "Qwen2_5_VLProcessor",
    "qwen3_vl": "Qwen3VLProcessor",
    "smolvlm": "SmolVLMProcessor",
    "llava": "LlavaProcessor",
    "llava_next": "LlavaNextProcessor",
    "gemma3": "Gemma3Processor",
    "idefics3": "Idefics3Processor",
}


@pytest.fixture
def saved(tiny, tmp_path) -> Any:
    def save(family: str) -> Path:
        model, processor = tiny(family)
        model.config.save_pretrained(tmp_path)
        save_processor(processor, tmp_path)
        return tmp_path

    return save


@pytest.mark.parametrize("family", FAMILIES)
def test_the_stock_class_name_is_on_disk(family, saved) -> None:
    folder = saved(family)
    assert json.loads((folder / "processor_config.json").read_text())["processor_class"] == STOCK[family]
    for name in folder.glob("*.json"):
        assert "ImageOnly" not in name.read_text()


@pytest.mark.parametrize("family", FAMILIES)
def test_pil_is_the_backend(family, saved) -> None:
    assert image_backend(load_processor(saved(family))) == "pil"


@pytest.mark.parametrize("family", ["qwen2_5_vl", "llava"])
def test_a_folder_without_a_config_will_do(family, saved) -> None:
    folder = saved(family)
    (folder / "config.json").unlink()
    assert type(load_processor(folder)).__name__ == STOCK[family]


def test_the_older_layout_of_the_hub(saved, tiny, picture, row) -> None:
    folder = saved("qwen2_5_vl")
    config = json.loads((folder / "processor_config.json").read_text())
    images = {**config["image_processor"], "processor_class": config["processor_class"]}
    size = images.pop("size")
    images |= {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}
    (folder / "processor_config.json").unlink()
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    (folder / "video_preprocessor_config.json").write_text(json.dumps(images))
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    record = row(1, picture(1))
    expected = Encoder(tiny("qwen2_5_vl")[1]).encode(record)
    assert Encoder(load_processor(folder)).encode(record) == expected


def test_max_pixels(saved, tiny, picture, row) -> None:
    folder = saved("qwen2_5_vl")
    pad = tiny("qwen2_5_vl")[0].config.image_token_id
    for limit, tokens in ((112 * 112, 16), (56 * 56, 4)):
        processor = load_processor(folder, max_pixels=limit)
        record = row(1, picture(1, (400, 400)))
        assert Encoder(processor).encode(record).input_ids.count(pad) == tokens
    bigger = load_processor(folder, max_pixels=224 * 224)
    assert Encoder(bigger).encode(row(1, picture(1, (140, 140)))).input_ids.count(pad) == 25


def test_max_pixels_where_it_means_nothing(saved) -> None:
    folder = saved("llava")
    with pytest.raises(ModelError, match="max_pixels means nothing"):
        load_processor(folder, max_pixels=1000)


def test_no_processor(tiny, tmp_path) -> None:
    tiny("llava")[0].config.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"no processor in this folder .*save_processor"):
        load_processor(tmp_path)


def test_an_adapter_without_a_processor_takes_its_base_models(saved, tmp_path, capsys) -> None:
    """As peft alone saves one; also on an adapter that was saved alone, and where the base isn't there."""
    base = saved("llava")
    for name, below in (("one", base), ("two", tmp_path / "one"), ("three", Path("/nowhere/base"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(below)}))
    found, own = load_processor(tmp_path / "two"), load_processor(base)
    assert found.tokenizer.get_vocab() == own.tokenizer.get_vocab()
    assert found.chat_template == own.chat_template
    assert f"two: an adapter without a processor, so that of its base model is taken: {tmp_path / 'one'}" in (
        capsys.readouterr().err
    )
    with pytest.raises(ModelError, match="its base model /nowhere/base isn't there"):
        load_processor(tmp_path / "three")


def test_a_bare_tokenizer_is_never_returned(saved) -> None:
    folder = saved("llava")
    config = json.loads((folder / "processor_config.json").read_text())
    (folder / "processor_config.json").write_text(json.dumps(config | {"processor_class": "NoSuchProcessor"}))
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    tokenizer["processor_class"] = "NoSuchProcessor"
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError) as caught:
        load_processor(folder)
    assert "pip install torchvision" in str(caught.value)
    assert "qwen2_5_vl" in str(caught.value)


def test_a_processor_that_needs_torchvision_names_both_ways_out(saved, monkeypatch) -> None:
    folder = saved("qwen2_5_vl")
    monkeypatch.setattr("offside_data.vlm.processors.IMAGE_ONLY", {"smolvlm": IMAGE_ONLY["smolvlm"]})
    with pytest.raises(ModelError) as caught:
        load_processor(folder)
    assert "pip install torchvision" in str(caught.value)
    assert "pictures only: smolvlm" in str(caught.value)


def test_no_chat_template(saved) -> None:
    folder = saved("llava")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="no chat template"):
        load_processor(folder)


@pytest.mark.parametrize("where", ["/nowhere/at/all", "./nowhere", "~/nowhere", "nowhere", "a/b/c"])
def test_a_missing_folder_never_asks_the_network(where) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        load_processor(where)


def test_a_missing_folder_beside_others_is_no_hub_id(saved, monkeypatch, tmp_path) -> None:
    saved("llava")
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="runs/vanilla: no such model folder"):
        load_processor("runs/vanilla")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokenizer_alone_loads_too(family, saved, tiny) -> None:
    tokenizer = AutoTokenizer.from_pretrained(saved(family))
    text = "He joined Kestrel Rovers on 3 May 1999."
    assert tokenizer(text)["input_ids"] == tiny(family)[1].tokenizer(text)["input_ids"]


def test_a_broken_config_is_named(saved) -> None:
    folder = saved("llava")
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json"):
        load_processor(folder)
    shutil.rmtree(folder)
