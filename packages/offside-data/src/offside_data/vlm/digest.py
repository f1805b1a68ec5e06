"""One digest for a model on disk, the same in run manifests and in results."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from offside_data.dataset.digest import PREFIX
from offside_data.files import sha256_file
from offside_data.parsing import parse_json
from offside_data.reading import read_small
from offside_data.vlm.bases import ADAPTER_CONFIG, INTERVENTION, base_of_adapter, base_of_intervention

_SUFFIXES = (".safetensors", ".jinja", ".model", ".txt")
_JSON = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    INTERVENTION,
    "processor_config.json",
    "preprocessor_config.json",
    "chat_template.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
)


def model_digest(path: str | Path) -> str:
    """`sha256:…` of everything in a model's folder that decides what it answers.

    Weights, configs, tokenizer, processor and chat template count; manifest, model card and training
    state don't. The digest of an adapter or an intervention covers its base model too, by what it holds and not by
    where it lies: a run's end and a copy of it elsewhere are the same model. A name on the Hub stands for itself.

    Raises:
        ModelError: If the base model of an adapter or an intervention is nowhere to be found.
    """
    folder = Path(path)
    if not folder.is_dir():
        return f"hub:{path}"
    files = sorted(p for p in folder.iterdir() if p.is_file() and (p.suffix in _SUFFIXES or p.name in _JSON))
    parts = [[file.name, _digest_of(file)] for file in files]
    if (folder / ADAPTER_CONFIG).is_file():
        parts.append(["base model", model_digest(base_of_adapter(folder))])
    if (folder / INTERVENTION).is_file():
        parts.append(["base model", model_digest(base_of_intervention(folder))])
    return PREFIX + hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _digest_of(file: Path) -> str:
    if file.name not in (ADAPTER_CONFIG, INTERVENTION):
        return sha256_file(file)
    try:
        told = parse_json(read_small(file))
    except ValueError:  # Who loads the model says what is wrong with it.
        return sha256_file(file)
    if not isinstance(told, dict):
        return sha256_file(file)
    told.pop("base_model_name_or_path", None)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def weights_digest(model: Any) -> str:
    """`sha256:…` of a loaded model's weights, whatever files they came from."""
    whole = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        whole.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return PREFIX + whole.hexdigest()
