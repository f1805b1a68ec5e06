"""Load models safely: safetensors only, no code from a checkpoint, no silent misfits."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForImageTextToText

from offside_data.errors import ModelError, UsageError
from offside_data.vlm.bases import ADAPTER_CONFIG, INTERVENTION, base_of_adapter, base_of_intervention
from offside_data.vlm.processors import CONFIG_ERRORS, local_options, only_cached

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""Number formats that `load_model` takes."""

QUANTIZATIONS = ("nf4",)
"""Formats of fewer bits that `load_model` can keep a plain model's weights in."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"


def load_model(
    path: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: str = "float32",
    adapter_trainable: bool = False,
    quantization: str | None = None,
) -> Any:
    """Load an image-text-to-text model, in eval mode.

    Args:
        path: A model folder (plain or merged), an adapter run folder, or a Hub id. A folder is
            never looked up on the network.
        device: Null picks the GPU if there is one.
        dtype: `float32`, `bfloat16` or `float16`.
        adapter_trainable: Whether the adapter's weights are to be trained further.
        quantization: `nf4` keeps the plain model's linear layers in 4 bits (QLoRA's NormalFloat, doubly quantized,
            2305.14314), computed in `dtype`; an adapter on top stays as it is. Null leaves them as they are.

    Returns:
        The model; a `PeftModel` if `path` is an adapter folder.

    Raises:
        ModelError: If something is missing or doesn't fit; the message says what to do.
        UsageError: If an option is unknown, or its package isn't installed.
    """
    if dtype not in DTYPES:
        raise UsageError(f"dtype {dtype!r} is unknown; choose from {', '.join(DTYPES)}.")
    require_quantization(quantization)
    device = usable_device(device)
    where = Path(path)
    if (where / INTERVENTION).is_file():
        raise ModelError(without_weights(where))
    if (where / ADAPTER_CONFIG).is_file():
        model = _load_adapter(where, dtype=dtype, trainable=adapter_trainable, quantized=(quantization, device))
    elif quantization is not None:
        model = _load_plain(str(path), dtype=dtype, **_quantized(quantization, dtype, device))
        for module in model.modules():
            # bitsandbytes packs a layer anew for some CPUs when it is first asked in eval mode, and no gradient passes
            # it any more when it is trained afterwards.
            if hasattr(module, "support_avx512bf16_for_cpu"):
                module.support_avx512bf16_for_cpu = False
        return model.eval()
    else:
        model = _load_plain(str(path), dtype=dtype)
    return model.to(device).eval()


def require_quantization(name: str | None) -> None:
    """Refuse a quantization that can't be had here, before anything is loaded.

    Raises:
        UsageError: If it is unknown, or `bitsandbytes` isn't installed.
    """
    if name is None:
        return
    if name not in QUANTIZATIONS:
        raise UsageError(f"quantization {name!r} is unknown; choose from {', '.join(QUANTIZATIONS)}.")
    if find_spec("bitsandbytes") is None:
        raise UsageError(
            f"--quantization {name}: bitsandbytes isn't installed. pip install 'offside-unlearn[quantization]', or "
            "leave it out."
        )


def _quantized(name: str, dtype: str, device: torch.device) -> dict[str, Any]:
    from transformers import BitsAndBytesConfig

    how = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=name,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=DTYPES[dtype],
    )
    return {"quantization_config": how, "device_map": {"": device}}


def load_config(path: str | Path) -> Any:
    """The configuration of a plain model, without its weights.

    Args:
        path: A model folder, or a Hub id. A folder is never looked up on the network.

    Raises:
        ModelError: If it can't be read, or isn't that of an image-text-to-text model.
    """
    options = local_options(str(path))
    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=False, **options)
    except CONFIG_ERRORS as error:
        raise ModelError(f"{path}: its configuration can't be read: {type(error).__name__}: {error}") from error
    if type(config) not in AutoModelForImageTextToText._model_mapping:
        raise ModelError(f"{path}: a {config.model_type} model, which answers no questions about pictures.")
    return config


def swap_adapter(model: Any, run: str | Path) -> None:
    """Put another adapter of the same size in the place of a loaded model's, which stays where it is.

    Args:
        model: A `PeftModel` from `load_model`; what its adapter was is lost.
        run: The other adapter's folder, on the same base model.

    Raises:
        ModelError: If it isn't as large, sits elsewhere, or is incomplete.
    """
    from peft import PeftConfig, load_peft_weights, set_peft_model_state_dict

    run = Path(run)
    if not (run / ADAPTER_WEIGHTS).is_file():
        raise ModelError(f"{run}: {ADAPTER_WEIGHTS} isn't there, so the run is incomplete: run the command again.")
    own, other = model.peft_config[model.active_adapter], PeftConfig.from_pretrained(str(run))
    for name in ("peft_type", "r", "lora_alpha", "target_modules", "target_parameters", "use_rslora", "use_dora"):
        if getattr(own, name, None) != getattr(other, name, None):
            raise ModelError(f"{run}: its adapter has another {name} than the one that is loaded; load it by itself.")
    _check_adapter(run, model)
    set_peft_model_state_dict(model, load_peft_weights(str(run), device="cpu"), adapter_name=model.active_adapter)


def usable_device(device: str | torch.device | None) -> torch.device:
    """The device that is meant, before anything is loaded onto it.

    Args:
        device: Null picks `default_device`.

    Raises:
        UsageError: If this machine or this torch hasn't got it.
    """
    try:
        return torch.empty(0, device=device if device is not None else default_device()).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"device {str(device)!r} can't be used here: {reason}. Use cpu, or leave it out.") from error


def default_device() -> str:
    """`cuda` if there is a GPU that torch can use, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def base_model_of(model: Any) -> Any:
    """The transformers model inside a `PeftModel` (adapters stay in place); a plain one as it is."""
    return model.get_base_model() if hasattr(model, "peft_config") and hasattr(model, "get_base_model") else model


def _load_plain(where: str, *, dtype: str, **quantized: Any) -> Any:
    options = {**local_options(where), **quantized}
    folder = Path(where)
    if folder.is_dir():
        _require_model_files(folder)
    try:
        model, loading = AutoModelForImageTextToText.from_pretrained(
            where,
            dtype=DTYPES[dtype],
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except (*CONFIG_ERRORS, SafetensorError) as error:
        raise ModelError(
            f"{where}: can't be loaded as an image-text-to-text model: {type(error).__name__}: {error}. "
            "It must be an architecture that AutoModelForImageTextToText knows, with weights in safetensors."
        ) from error
    missing = sorted(loading["missing_keys"])
    if missing:
        raise ModelError(
            f"{where}: {len(missing)} weights of {type(model).__name__} aren't in the checkpoint "
            f"({missing[0]}, ...): they would be random. The files are incomplete or belong to another "
            "architecture; copy them again."
        )
    return model


def _require_model_files(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder}: no config.json, so this is no model folder. Give a folder written by save_pretrained "
            "or by offside-unlearn."
        )
    if not any(folder.glob("*.safetensors")):
        held = ", ".join(sorted(p.name for p in folder.glob("*.bin"))) or "no weights"
        raise ModelError(
            f"{folder}: no *.safetensors (it holds {held}). Pickled weights are never read, because loading "
            "them runs code. Convert them with save_pretrained(safe_serialization=True) where you trust them."
        )


def _load_adapter(run: Path, *, dtype: str, trainable: bool, quantized: tuple[str | None, torch.device]) -> Any:
    from peft import PeftModel

    if not (run / ADAPTER_WEIGHTS).is_file():
        raise ModelError(
            f"{run}: {ADAPTER_CONFIG} is there but {ADAPTER_WEIGHTS} isn't. The run is incomplete (or its "
            "weights are pickled, which is never read): run the command again."
        )
    quantization, device = quantized
    base = base_of_adapter(run)
    if quantization is not None and (Path(base) / ADAPTER_CONFIG).is_file():
        raise UsageError(
            f"--quantization {quantization}: {run} sits on {base}, which is an adapter itself, and what is merged into "
            "4 bits loses more than it should. Merge that one first (offside-unlearn merge)."
        )
    with only_cached(base):
        place = "cpu" if quantization is None else device
        model = load_model(base, device=place, dtype=dtype, quantization=quantization)
    if isinstance(model, PeftModel):
        model = model.merge_and_unload()  # An adapter on an adapter: the lower one becomes the base.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Misfits are errors below.
            warnings.simplefilter("ignore", FutureWarning)  # Of transformers, about peft.
            model = PeftModel.from_pretrained(model, str(run), is_trainable=trainable)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{run}: its adapter can't be put on the base model: {error}") from error
    _check_adapter(run, model)
    return model


def without_weights(run: Path) -> str:
    """Why a run folder that holds an intervention can't be taken for a model, and what to do instead."""
    base = base_of_intervention(run)
    return (
        f"{run}: its method changes no weights; it does something ({INTERVENTION}) while the model {base} answers. "
        f"offside-eval applies it, and offside_data.vlm.load_intervened; for anything that is done to weights give "
        f"{base} itself."
    )


def _check_adapter(run: Path, model: Any) -> None:
    """An adapter with other names loads with only a warning and then does nothing: refuse it."""
    from peft import get_peft_model_state_dict

    with safe_open(str(run / ADAPTER_WEIGHTS), framework="pt") as weights:
        stored = set(weights.keys())
        ups = [name for name in stored if "lora_B" in name or "lora_embedding_B" in name]
        dead = bool(ups) and not any(bool(weights.get_tensor(name).any()) for name in ups)
    # Without embedding layers: finding out whether they changed would ask the network. A file may hold them.
    expected = set(get_peft_model_state_dict(model, save_embedding_layers=False))
    missing = expected - stored
    unexpected = {name for name in stored - expected if "lora_" in name or "base_layer" not in name}
    if missing or unexpected:
        raise ModelError(
            f"{run}: the adapter doesn't fit its base model: {len(missing)} weights missing, "
            f"{len(unexpected)} unexpected (e.g. {min(missing | unexpected)}). It belongs to another model "
            "or another version of it."
        )
    if dead:
        raise ModelError(
            f"{run}: all lora_B of the adapter are zero, so it changes nothing: it was never trained. Run "
            "the command that made it again."
        )
