"""What a run starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import ModelError, UsageError
from offside_data.vlm import load_model, save_processor
from offside_data.vlm.digest import model_digest, weights_digest
from offside_unlearn import RunOptions, finetune
from offside_unlearn.start import check_tune, find_start, make_trainable
from offside_unlearn.tune import LoraOptions, add_adapter

Fresh = Callable[[], tuple[Any, Any]]


@pytest.fixture
def foreign(fresh: Fresh, tiny: Path, tmp_path: Path) -> Path:
    """An adapter that plain peft made."""
    model, processor = fresh()
    model = add_adapter(model, "language", LoraOptions(r=4, lora_alpha=8))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.peft_config["default"].base_model_name_or_path = str(tiny)
    model.save_pretrained(tmp_path / "foreign", save_embedding_layers=False)
    save_processor(processor, tmp_path / "foreign")
    return tmp_path / "foreign"


def test_a_plain_folder_is_its_own_base(tiny: Path) -> None:
    start = find_start(str(tiny))
    assert (
        start.base == {"path": str(tiny), "digest": start.digest} == {"path": str(tiny), "digest": model_digest(tiny)}
    )
    assert start.adapter is None
    assert start.manifest is not None


def test_an_adapter_of_others_can_be_continued(
    foreign: Path, tiny: Path, league: OffsideDataset, tmp_path: Path
) -> None:
    start = find_start(foreign)
    assert start.manifest is None
    assert start.base == {"path": str(tiny), "digest": model_digest(tiny)}
    assert start.adapter == {"r": 4, "lora_alpha": 8, "lora_dropout": 0.05}
    config = {"max_steps": 1, "batch_size": 2}
    options = RunOptions(device="cpu")
    run = finetune(foreign, None, league, config, tmp_path / "run", splits=["retain"], options=options)
    assert run.manifest.adapter == start.adapter
    PeftModel.from_pretrained(load_model(tiny, device="cpu"), run.path)


def test_a_loaded_adapter_is_known_by_its_weights(foreign: Path, fresh: Fresh, tiny: Path) -> None:
    model = load_model(foreign, device="cpu", adapter_trainable=True)
    start = find_start(model, fresh()[1])
    assert start.adapter is not None
    assert start.digest == weights_digest(model)
    assert Path(start.base["path"]) == tiny
    trainable = make_trainable(model, start, RunOptions(), LoraOptions())
    assert not trainable.fresh_adapter
    assert trainable.parts["language"]["trained"] > 0


def test_choices_that_make_no_sense_are_refused(foreign: Path) -> None:
    start = find_start(foreign)
    with pytest.raises(UsageError, match="is an adapter"):
        check_tune(start, RunOptions(tune="vision"))
    with pytest.raises(UsageError, match="small updates vanish"):
        check_tune(start, RunOptions(full=True, dtype="float16"))
    with pytest.raises(ModelError, match="no such model folder"):
        find_start("./nowhere").load(RunOptions())


def test_weights_digest_sees_every_weight(fresh: Fresh) -> None:
    model, _ = fresh()
    before = weights_digest(model)
    with torch.no_grad():
        next(model.parameters()).view(-1)[-1] += 1
    assert weights_digest(model) != before
