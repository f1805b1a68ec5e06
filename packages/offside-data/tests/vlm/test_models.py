from __future__ import annotations

import copy
import json
import socket
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from offside_data.errors import ModelError, UsageError
from offside_data.vlm import (
    Collator,
    Encoder,
    base_model_of,
    forward,
    load_model,
    load_processor,
    save_processor,
)
from offside_data.vlm.bases import ADAPTER_CONFIG
from offside_data.vlm.models import ADAPTER_WEIGHTS
from offside_data.vlm.processors import local_options

QV = r".*language_model\.layers\.\d+\.self_attn\.[qv]_proj"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        pytest.fail("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def base(tiny, tmp_path) -> Path:
    model, processor = tiny("qwen2_5_vl")
    model.save_pretrained(tmp_path / "base")
    save_processor(processor, tmp_path / "base")
    return tmp_path / "base"


def make_adapter(base: Path, run: Path, *, trained: bool = True, names: str | None = None, **options: Any) -> Any:
    """An adapter run folder on `base`, as `offside-unlearn` writes it."""
    model = AutoModelForImageTextToText.from_pretrained(base)
    config = peft.LoraConfig(r=2, target_modules=QV, init_lora_weights=not trained, **options)
    adapted = peft.get_peft_model(model, config).eval()
    adapted.save_pretrained(run)
    recorded = json.loads((run / ADAPTER_CONFIG).read_text())
    recorded["base_model_name_or_path"] = str(base) if names is None else names
    (run / ADAPTER_CONFIG).write_text(json.dumps(recorded))
    return adapted


def logits(model: Any, processor: Any, rows: list[dict[str, Any]]) -> torch.Tensor:
    encoder = Encoder(processor)
    with torch.no_grad():
        result: torch.Tensor = forward(model, Collator(processor)([encoder.encode(r) for r in rows])).logits
    return result


def test_a_plain_folder(base, tiny, mixed_rows) -> None:
    model = load_model(base, device="cpu")
    assert not model.training
    assert torch.equal(logits(model, load_processor(base), mixed_rows), logits(*tiny("qwen2_5_vl"), mixed_rows))
    assert base_model_of(model) is model


def test_a_folder_never_goes_to_the_hub(base, tmp_path, monkeypatch) -> None:
    """Neither for a base that isn't here, nor to see whether one that is here is the newest."""
    make_adapter(base, tmp_path / "run", names="some-org/some-model")
    asked: list[tuple[str, bool]] = []
    monkeypatch.setattr("offside_data.vlm.models._load_plain", lambda where, **_: asked.append(options(where)))

    def options(where: str) -> tuple[str, bool]:
        return where, "local_files_only" in local_options(where)

    with pytest.raises(ModelError, match=r"never goes there by itself.*hf download some-org/some-model"):
        load_model(tmp_path / "run", device="cpu")
    assert asked == []
    monkeypatch.setattr("offside_data.vlm.bases.is_cached", lambda name: name == "some-org/some-model")
    with pytest.raises(AttributeError):  # Nothing was loaded.
        load_model(tmp_path / "run", device="cpu")
    assert asked == [("some-org/some-model", True)]
    assert options("some-org/some-model") == ("some-org/some-model", False)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_dtypes(dtype, base) -> None:
    assert load_model(base, dtype=dtype, device="cpu").dtype == getattr(torch, dtype)


def test_an_unknown_dtype(base) -> None:
    with pytest.raises(UsageError, match="bfloat16"):
        load_model(base, dtype="fp8")


@pytest.mark.parametrize("device", ["abacus", "xpu"])
def test_a_device_that_is_not_there(base, device: str) -> None:
    with pytest.raises(UsageError, match=f"'{device}' can't be used here"):
        load_model(base, device=device)


def test_an_adapter_folder(base, tmp_path, mixed_rows) -> None:
    adapted = make_adapter(base, tmp_path / "run")
    model = load_model(tmp_path / "run", device="cpu")
    processor = load_processor(base)
    assert isinstance(model, peft.PeftModel)
    assert torch.equal(logits(model, processor, mixed_rows), logits(adapted, processor, mixed_rows))
    assert not torch.equal(logits(model, processor, mixed_rows), logits(load_model(base), processor, mixed_rows))
    assert not any(p.requires_grad for p in model.parameters())
    trainable = load_model(tmp_path / "run", adapter_trainable=True)
    assert {name.split(".")[-2] for name, p in trainable.named_parameters() if p.requires_grad} == {"default"}


def test_a_merged_folder(base, tmp_path, mixed_rows) -> None:
    adapted = make_adapter(base, tmp_path / "run")
    processor = load_processor(base)
    expected = logits(adapted, processor, mixed_rows)
    load_model(tmp_path / "run").merge_and_unload().save_pretrained(tmp_path / "merged")
    merged = load_model(tmp_path / "merged", device="cpu")
    torch.testing.assert_close(logits(merged, processor, mixed_rows), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("names", ["../base", "/old/home/models/base", "base"])
def test_run_and_base_moved_together(names, base, tmp_path) -> None:
    (tmp_path / "runs").mkdir()
    run = tmp_path / ("run" if names == "../base" else "runs/run")
    make_adapter(base, run, names=names)
    assert isinstance(load_model(run), peft.PeftModel)
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    tmp_path.rename(moved)
    assert isinstance(load_model(moved / run.relative_to(tmp_path)), peft.PeftModel)


def test_an_adapter_on_an_adapter(base, tmp_path, mixed_rows) -> None:
    make_adapter(base, tmp_path / "first")
    lower = load_model(tmp_path / "first").merge_and_unload()
    torch.manual_seed(1)
    config = peft.LoraConfig(r=2, target_modules=QV, init_lora_weights=False)
    upper = peft.get_peft_model(lower, config).eval()
    upper.save_pretrained(tmp_path / "second")
    recorded = json.loads((tmp_path / "second" / ADAPTER_CONFIG).read_text())
    recorded["base_model_name_or_path"] = str(tmp_path / "first")
    (tmp_path / "second" / ADAPTER_CONFIG).write_text(json.dumps(recorded))
    processor = load_processor(base)
    torch.testing.assert_close(
        logits(load_model(tmp_path / "second"), processor, mixed_rows), logits(upper, processor, mixed_rows)
    )


def test_modules_saved_as_a_whole_are_no_misfit(base, tmp_path) -> None:
    make_adapter(base, tmp_path / "run", modules_to_save=["model.visual.merger"])
    assert isinstance(load_model(tmp_path / "run"), peft.PeftModel)


def test_an_adapter_with_other_names_is_refused(base, tmp_path) -> None:
    run = tmp_path / "run"
    make_adapter(base, run)
    weights = load_file(run / ADAPTER_WEIGHTS)
    save_file({name.replace("self_attn", "attention"): w for name, w in weights.items()}, run / ADAPTER_WEIGHTS)
    with pytest.raises(ModelError, match=r"16 weights missing, 16 unexpected"):
        load_model(run)


def test_an_adapter_of_another_shape_is_refused(base, tmp_path) -> None:
    run = tmp_path / "run"
    make_adapter(base, run)
    weights = load_file(run / ADAPTER_WEIGHTS)
    save_file({name: w[..., :1].contiguous() for name, w in weights.items()}, run / ADAPTER_WEIGHTS)
    with pytest.raises(ModelError, match="can't be put on the base model"):
        load_model(run)


def test_an_adapter_that_was_never_trained_is_refused(base, tmp_path) -> None:
    make_adapter(base, tmp_path / "run", trained=False)
    with pytest.raises(ModelError, match=r"all lora_B of the adapter are zero"):
        load_model(tmp_path / "run")


def test_an_adapter_without_its_base_says_where_it_looked(base, tmp_path) -> None:
    make_adapter(base, tmp_path / "run", names="/gone/vanilla")
    with pytest.raises(ModelError, match=r"base model /gone/vanilla isn't there .*run/vanilla|/vanilla"):
        load_model(tmp_path / "run")
    make_adapter(base, tmp_path / "run", names="")
    with pytest.raises(ModelError, match="is empty"):
        load_model(tmp_path / "run")


def test_an_adapter_without_weights_is_refused(base, tmp_path) -> None:
    run = tmp_path / "run"
    make_adapter(base, run)
    (run / ADAPTER_WEIGHTS).rename(run / "adapter_model.bin")
    with pytest.raises(ModelError, match="incomplete"):
        load_model(run)


def test_pickled_weights_are_refused(base) -> None:
    weights = load_file(base / "model.safetensors")
    torch.save(weights, base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no \*\.safetensors \(it holds pytorch_model\.bin\)"):
        load_model(base)


def test_missing_weights_are_refused(base) -> None:
    weights = load_file(base / "model.safetensors")
    name = next(n for n in sorted(weights) if "q_proj.weight" in n)
    del weights[name]
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"1 weights of .*{name}"):
        load_model(base)


def test_a_truncated_file_is_refused(base) -> None:
    whole = (base / "model.safetensors").read_bytes()
    (base / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="can't be loaded"):
        load_model(base)


def test_code_in_a_checkpoint_is_never_run(base) -> None:
    config = json.loads((base / "config.json").read_text())
    config |= {
        "model_type": "trojan",
        "auto_map": {"AutoConfig": "code.C", "AutoModelForImageTextToText": "code.M"},
    }
    (base / "config.json").write_text(json.dumps(config))
    (base / "code.py").write_text("raise SystemExit('the code ran')")
    with pytest.raises(ModelError, match="can't be loaded"):
        load_model(base)


def test_a_text_model_is_refused(base) -> None:
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config["text_config"], "model_type": "bert"}))
    with pytest.raises(ModelError, match="image-text-to-text"):
        load_model(base)


def test_folders_that_are_none(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for where, message in (
        (tmp_path / "empty", r"no config\.json"),
        (tmp_path / "gone", "no such model folder"),
    ):
        with pytest.raises(ModelError, match=message):
            load_model(where)
    with pytest.raises(ModelError, match="no such model folder"):
        load_model(tmp_path / "file")


def test_the_base_model_inside_an_adapter(tiny) -> None:
    model = copy.deepcopy(tiny("qwen2_5_vl")[0])
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules=QV))
    assert base_model_of(adapted) is model
