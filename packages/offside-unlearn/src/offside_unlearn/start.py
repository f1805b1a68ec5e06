"""The model that a run starts from, and how its weights are made trainable."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from offside_data.errors import ModelError, UsageError
from offside_data.parsing import parse_json
from offside_data.reading import read_small
from offside_data.run_manifest import RunManifest, read
from offside_data.vlm import base_model_of, load_model, load_processor
from offside_data.vlm.bases import ADAPTER_CONFIG, INTERVENTION, base_of_adapter
from offside_data.vlm.digest import model_digest, weights_digest
from offside_data.vlm.models import DTYPES, load_config, require_quantization, without_weights
from offside_data.vlm.processors import CONFIG_ERRORS
from offside_unlearn import tune as tuning
from offside_unlearn.methods import InterveningMethod, UnlearningMethod
from offside_unlearn.options import RunOptions

Digest = Callable[[str], str]
"""What tells weights apart, given where they are."""


@dataclass(frozen=True)
class Start:
    """What a run starts from, before its weights are loaded.

    Args:
        path: As the caller gave it.
        digest: Of its weights.
        manifest: Of the run that made it; null for a plain checkpoint.
        base: Path and digest of the plain model: the model itself, or what its adapter sits on.
        adapter: Size of its adapter; null if it has none.
        given: The model and processor, if the caller loaded them.
    """

    path: str
    digest: str
    manifest: RunManifest | None
    base: dict[str, str]
    adapter: dict[str, Any] | None
    given: tuple[Any, Any] | None = None

    @property
    def trained_on(self) -> tuple[str, ...]:
        """`config/split` of all that it was ever taught, as far as its manifest says."""
        return self.manifest.trained_on if self.manifest else ()

    def load(self, options: RunOptions) -> tuple[Any, Any]:
        """The model and its processor."""
        if self.given is not None:
            return self.given
        processor = load_processor(self.path, max_pixels=options.max_pixels)
        model = load_model(
            self.path,
            device=options.device,
            dtype=options.dtype,
            adapter_trainable=not options.full,
            quantization=options.quantization,
        )
        return model, processor


def find_start(model: Any, processor: Any = None, *, digest: Digest = model_digest) -> Start:
    """Find out what a run starts from, without loading it.

    Args:
        model: A path, a Hub id, or a model that the caller loaded and hasn't changed since.
        processor: Needed with a loaded model.
        digest: How the weights at a path are told; reading them takes its time.

    Raises:
        ModelError: If there is no such model.
        UsageError: If a loaded model comes without its processor, or a run has no weights of its own.
    """
    if isinstance(model, str | Path):
        return _of_path(str(model), digest)
    if processor is None:
        raise UsageError("a model that is already loaded needs its processor: pass both, or the model's path.")
    place = str(getattr(model, "name_or_path", "") or model.config.name_or_path)
    if hasattr(model, "peft_config"):
        size = dataclasses.asdict(model.peft_config[model.active_adapter])
        base = {"path": place, "digest": model_digest(place)}
        return Start(place, weights_digest(model), None, base, _adapter_size(size), (model, processor))
    if Path(place).is_dir():
        return dataclasses.replace(_of_path(place, digest), given=(model, processor))
    own = weights_digest(model)
    return Start(place, own, None, {"path": place, "digest": own}, None, (model, processor))


def manifest_of(model: Any) -> RunManifest | None:
    """The receipt of the model that a run starts from, before it is looked at closer; null for a plain checkpoint.

    Raises:
        ModelError: If it is broken.
    """
    if isinstance(model, str | Path):
        return read(model)
    place = str(getattr(model, "name_or_path", "") or model.config.name_or_path)
    return None if hasattr(model, "peft_config") else read(place)


def _of_path(path: str, digest_of: Digest) -> Start:
    if (Path(path) / INTERVENTION).is_file():
        raise UsageError(without_weights(Path(path)))
    manifest, digest = read(path), digest_of(path)
    config = Path(path) / ADAPTER_CONFIG
    if not config.is_file():
        return Start(path, digest, manifest, {"path": path, "digest": digest}, None)
    named = manifest.base_model.path if manifest and manifest.base_model else None
    base = named if named and Path(named).is_dir() else base_of_adapter(Path(path))
    text = read_small(config, error=ModelError)
    try:
        adapter = _adapter_size(parse_json(text))
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{config}: can't be read: {error}. Run the command that made it again.") from error
    return Start(path, digest, manifest, {"path": base, "digest": digest_of(base)}, adapter)


def _adapter_size(config: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `LoraOptions` that an existing adapter was made with."""
    return {field.name: config.get(field.name) for field in dataclasses.fields(tuning.LoraOptions)}


NOTHING = "nothing"
"""What is trained where no weights are changed."""


@dataclass(frozen=True)
class Trainable:
    """A model ready to be trained.

    Args:
        model: With exactly the weights that are to be trained requiring gradients.
        fresh_adapter: Whether they are a new adapter, so that switching it off gives the start.
        parts: What is trained in each tower.
        tune: What was asked to be trained: a preset's name, a regex, or `NOTHING`.
    """

    model: Any
    fresh_adapter: bool
    parts: dict[str, dict[str, int]]
    tune: str


def skeleton(start: Start, options: RunOptions) -> Any:
    """The model that a run starts from, of the right shapes but without weights: it takes no memory and no time.

    Raises:
        ModelError: If its configuration, or its adapter's, can't be read or makes no image-text-to-text model.
    """
    config = load_config(start.base["path"])
    with torch.device("meta"):
        try:
            model = AutoModelForImageTextToText.from_config(config, dtype=DTYPES[options.dtype])
        except CONFIG_ERRORS as error:
            raise ModelError(
                f"{start.base['path']}: its configuration makes no model: {type(error).__name__}: {error}"
            ) from error
        if start.adapter:
            from peft import PeftConfig, get_peft_model

            try:
                adapter = PeftConfig.from_pretrained(start.path)
                adapter.base_model_name_or_path, adapter.inference_mode = None, False
                model = get_peft_model(model, adapter)
            except CONFIG_ERRORS as error:
                raise ModelError(
                    f"{start.path}: its adapter doesn't fit its base model: {type(error).__name__}: {error}"
                ) from error
    return model


def check_tune(start: Start, options: RunOptions, method: UnlearningMethod[Any] | None = None) -> None:
    """Refuse a choice of weights that can't be trained, or changed in the method's way.

    Raises:
        UsageError: If an adapter is to be continued elsewhere than where it sits, half-precision weights are to be
            trained themselves, an adapter is to hold what a method does to the weights themselves, no weights are
            changed, or quantized ones would have to be.
    """
    _check_quantization(start, options, method)
    if isinstance(method, InterveningMethod):
        if options.tune is not None:
            raise UsageError(f"--tune {options.tune}: this method changes no weights. Leave it out.")
        _require_place(start)
        return
    if method is not None and method.needs_full and not options.full:
        raise UsageError("this method changes the model's own weights, and no adapter can hold that: use --full.")
    if options.full and options.dtype == "float16":
        raise UsageError(
            "--full --dtype float16: small updates vanish in this format. Use bfloat16 or float32, or --lora."
        )
    if start.adapter and not options.full and options.tune is not None:
        raise UsageError(
            f"{start.path} is an adapter, and training continues it where it sits; --tune {options.tune} "
            f"needs a new one. Merge it first (offside-unlearn merge {start.path} MERGED) and start there."
        )


def _check_quantization(start: Start, options: RunOptions, method: UnlearningMethod[Any] | None) -> None:
    """Refuse to quantize what is changed itself, or is there already."""
    require_quantization(options.quantization)
    asked = f"--quantization {options.quantization}"
    if options.quantization is None:
        return
    if options.full:
        raise UsageError(f"{asked}: weights in 4 bits can't be trained. Use --lora.")
    if method is not None and (method.whole or isinstance(method, InterveningMethod)):
        what = "puts what was learnt into the base model's weights" if method.whole else "trains no adapter"
        raise UsageError(f"{asked}: this method {what}. Leave it out.")
    if start.given is not None:
        raise UsageError(f"{asked}: the model is loaded already. Give its folder, or leave it out.")


def _require_place(start: Start) -> None:
    """Refuse a model that a run without weights can't name."""
    if start.given is not None and (start.adapter or not Path(start.path).is_dir()):
        raise UsageError(
            "this method's run holds no weights, only the place of its model, and this one is in memory: save it, and "
            "give its folder."
        )


def check_lora(
    start: Start, options: RunOptions, config: Mapping[str, Any], method: UnlearningMethod[Any] | None = None
) -> None:
    """Refuse options of a new adapter where there is none.

    Raises:
        UsageError: If there are any, naming them.
    """
    names = sorted({field.name for field in dataclasses.fields(tuning.LoraOptions)} & config.keys())
    intervenes = isinstance(method, InterveningMethod)
    if names and (options.full or start.adapter or intervenes):
        reason = "--full trains no adapter" if options.full else f"{start.path} is one, and is continued"
        reason = "this method changes no weights" if intervenes else reason
        raise UsageError(f"{', '.join(names)}: the size of a new adapter, but {reason}. Leave it out.")


def make_trainable(
    model: Any,
    start: Start,
    options: RunOptions,
    lora: tuning.LoraOptions,
    method: UnlearningMethod[Any] | None = None,
) -> Trainable:
    """Add a fresh adapter, continue the one that is there, or unfreeze the model's own weights.

    Raises:
        UsageError: If `--tune` or the adapter that is there doesn't fit the model or the method.
    """
    if isinstance(method, InterveningMethod):
        model.requires_grad_(False)
        return Trainable(model, False, tuning.trained_parts(model), NOTHING)
    if options.full and start.adapter:
        model = model.merge_and_unload()
    own = method.trains(base_model_of(model)) if method is not None else None
    if own is not None and options.tune is not None:
        raise UsageError(f"--tune {options.tune}: this method itself says what is trained ({own}). Leave it out.")
    tune = own or options.tune or options.default_tune
    if options.full:
        tuning.unfreeze(model, tune)
    elif not start.adapter:
        model = tuning.add_adapter(model, tune, lora)
    elif own is not None:
        tuning.narrow_adapter(model, own)
    fresh = not options.full and not start.adapter
    return Trainable(model, fresh, tuning.trained_parts(model), tune)
