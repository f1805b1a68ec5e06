"""Load and save processors; never a bare tokenizer, and without torchvision where we can.

The stock processors of the Qwen-VL and SmolVLM families insist on a video processor, which needs
torchvision. Here they are rebuilt without one: same class name on disk, same inputs, PIL pixels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import transformers
from huggingface_hub.errors import StrictDataclassError
from jinja2 import TemplateSyntaxError
from transformers import AutoConfig, AutoProcessor
from transformers.processing_utils import ProcessorMixin

from offside_data.errors import ModelError
from offside_data.parsing import parse_json
from offside_data.progress import log
from offside_data.reading import read_small
from offside_data.vlm.bases import ADAPTER_CONFIG, base_of_adapter
from offside_data.vlm.templates import require_bounded

_PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
CONFIG_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    StrictDataclassError,
)
"""What transformers raises where a model's configuration is damaged, according to the key that is."""

_ONLY_CACHED: ContextVar[frozenset[str]] = ContextVar("only_cached", default=frozenset())
Processor = Any
"""A `transformers.ProcessorMixin` with a tokenizer, an image processor and a chat template."""


def _image_only(stock: type, init: Callable[..., None]) -> type:
    """Subclass `stock` without its video processor.

    The subclass carries the stock class's name: `save_pretrained` writes the class's own name into
    the checkpoint, and a checkpoint must name a class that everybody has.
    """
    body = {
        "__doc__": f"`{stock.__name__}` for pictures only; needs no torchvision.",
        "__module__": __name__,
        "__init__": init,
        "model_input_names": property(_model_input_names),
        # SmolVLM's own one reads self.video_processor.
        "apply_chat_template": ProcessorMixin.apply_chat_template,
    }
    return type(stock.__name__, (stock,), body)


def _model_input_names(self: Processor) -> list[str]:
    names: list[str] = ProcessorMixin.model_input_names.fget(self)
    return [*names, "mm_token_type_ids"] if self.return_mm_token_type_ids else names


def _init_qwen(
    self: Processor,
    image_processor: Any = None,
    tokenizer: Any = None,
    chat_template: Any = None,
    **kwargs: Any,
) -> None:
    self.image_token = getattr(tokenizer, "image_token", None) or "<|image_pad|>"
    self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
    ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def _init_smolvlm(
    self: Processor,
    image_processor: Any = None,
    tokenizer: Any = None,
    image_seq_len: int = 169,
    chat_template: Any = None,
    **kwargs: Any,
) -> None:
    self.fake_image_token = getattr(tokenizer, "fake_image_token", None) or "<fake_token_around_image>"
    self.image_token = getattr(tokenizer, "image_token", None) or "<image>"
    self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
    self.end_of_utterance_token = getattr(tokenizer, "end_of_utterance_token", None) or "<end_of_utterance>"
    self.global_image_token = getattr(tokenizer, "global_image_token", None) or "<global-img>"
    self.image_seq_len = image_seq_len
    ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


IMAGE_ONLY: dict[str, type] = {
    "qwen2_vl": _image_only(transformers.Qwen2VLProcessor, _init_qwen),
    "qwen2_5_vl": _image_only(transformers.Qwen2_5_VLProcessor, _init_qwen),
    "qwen3_vl": _image_only(transformers.Qwen3VLProcessor, _init_qwen),
    "smolvlm": _image_only(transformers.SmolVLMProcessor, _init_smolvlm),
}
"""Processors that work without torchvision, by `model_type`; others come from `AutoProcessor`."""


def load_processor(path: str | Path, *, max_pixels: int | None = None) -> Processor:
    """Load the processor that belongs to a model.

    Args:
        path: A model folder, an adapter's folder, or a Hub id. Of an adapter without a processor, as peft alone saves
            one, it is that of the base model.
        max_pixels: Pictures with more pixels are made smaller before the model sees them. Fewer
            pixels mean fewer picture tokens.

    Raises:
        ModelError: If the folder has no usable processor; the message names the ways out.
    """
    where = _home_of_processor(str(path))
    if where != str(path):  # Named by a folder: one on the Hub is taken as it was downloaded.
        with only_cached(where):
            return load_processor(where, max_pixels=max_pixels)
    _require_processor_files(where)
    model_type = _model_type(where)
    options = {"trust_remote_code": False, **local_options(where)}
    try:
        if model_type in IMAGE_ONLY:
            processor = IMAGE_ONLY[model_type].from_pretrained(where, backend="pil", **options)  # type: ignore[attr-defined]
        else:
            processor = AutoProcessor.from_pretrained(where, **options)
    except (*CONFIG_ERRORS, ImportError) as error:
        raise ModelError(_unusable(where, model_type, f"{type(error).__name__}: {error}")) from error
    missing = [part for part in ("image_processor", "tokenizer") if getattr(processor, part, None) is None]
    if missing:
        raise ModelError(_unusable(where, model_type, f"it loads as {type(processor).__name__} without {missing[0]}"))
    if not processor.chat_template:
        raise ModelError(
            f"{where}: the processor has no chat template, so questions can't be put the way the model was "
            "trained on. Add the model's chat_template.jinja to the folder, or use an instruction-tuned "
            "checkpoint."
        )
    require_bounded(processor.chat_template, where)
    try:
        processor.apply_chat_template([{"role": "user", "content": [{"type": "text", "text": "?"}]}])
    except TemplateSyntaxError as error:
        raise ModelError(
            f"{where}: its chat template is damaged (line {error.lineno}: {error}). Copy chat_template.jinja from the "
            "base model again."
        ) from error
    if max_pixels is not None:
        _limit_pixels(processor, max_pixels, where)
    return processor


def save_processor(processor: Processor, path: str | Path) -> None:
    """Save a processor so that plain `AutoProcessor` finds the stock class by its name."""
    processor.save_pretrained(str(path))


def image_backend(processor: Processor) -> str:
    """`pil` or `torchvision`: they give slightly different pixels, so runs record it."""
    return "pil" if type(processor.image_processor).__name__.endswith("Pil") else "torchvision"


def local_options(where: str) -> dict[str, Any]:
    """Options that keep `from_pretrained` off the network when `where` is a folder.

    Raises:
        ModelError: If `where` looks like a path and there is no such folder.
    """
    if Path(where).is_dir() or where in _ONLY_CACHED.get():
        return {"local_files_only": True}
    if _looks_like_path(where):
        raise ModelError(
            f"{where}: no such model folder. Give a folder that holds config.json and *.safetensors, "
            "a folder written by offside-unlearn, or a Hub id like org/name."
        )
    return {}


@contextlib.contextmanager
def only_cached(name: str) -> Iterator[None]:
    """Load a Hub id that a folder names as it lies in the cache, without asking the Hub, for a block."""
    token = _ONLY_CACHED.set(_ONLY_CACHED.get() | {name})
    try:
        yield
    finally:
        _ONLY_CACHED.reset(token)


def _looks_like_path(where: str) -> bool:
    """Whether this can't be a Hub id `org/name`; `runs/vanilla` isn't one where a folder `runs` is."""
    return where.startswith((".", "/", "~")) or where.count("/") != 1 or Path(where).parent.exists()


def _home_of_processor(where: str) -> str:
    """The folder or Hub id whose processor is taken."""
    folder = Path(where)
    if _has_processor(folder) or not (folder / ADAPTER_CONFIG).is_file():
        return where
    base = base_of_adapter(folder)
    log(f"{where}: an adapter without a processor, so that of its base model is taken: {base}.")
    return _home_of_processor(base)


def _has_processor(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _PROCESSOR_FILES)


def _require_processor_files(where: str) -> None:
    folder = Path(where)
    local_options(where)
    if folder.is_dir() and not _has_processor(folder):
        raise ModelError(
            f"{where}: no processor in this folder (neither {' nor '.join(_PROCESSOR_FILES)}). Save it beside the "
            "weights with offside_data.vlm.save_processor, or copy it from the base model."
        )


def _model_type(where: str) -> str | None:
    """The architecture of a model, from its config or, in an adapter folder, from its processor."""
    folder = Path(where)
    if folder.is_dir() and not (folder / "config.json").is_file():
        return _model_type_from_processor(folder)
    try:
        config = AutoConfig.from_pretrained(where, trust_remote_code=False, **local_options(where))
    except CONFIG_ERRORS as error:
        raise ModelError(f"{where}: its config.json can't be read: {error}") from error
    return str(config.model_type)


def _model_type_from_processor(folder: Path) -> str | None:
    for name in _PROCESSOR_FILES:
        if (folder / name).is_file():
            text = read_small(folder / name, error=ModelError)
            try:
                processor_class = parse_json(text).get("processor_class")
            except (ValueError, AttributeError) as error:
                raise ModelError(f"{folder / name}: can't be read: {error}. Copy it from the base model.") from error
            for model_type, known in IMAGE_ONLY.items():
                if known.__name__ == processor_class:
                    return model_type
    return None


def _unusable(where: str, model_type: str | None, why: str) -> str:
    return (
        f"{where}: its processor ({model_type or 'unknown model type'}) can't be used here: {why}. Either "
        "install torchvision in the version that fits your torch (pip install torchvision), or use a model "
        f"whose processor works with pictures only: {', '.join(IMAGE_ONLY)}, or e.g. llava, llava_next, "
        "gemma3, idefics3."
    )


def _limit_pixels(processor: Processor, max_pixels: int, where: str) -> None:
    images = processor.image_processor
    size: Any = getattr(images, "size", None)
    if not hasattr(images, "merge_size") or getattr(size, "longest_edge", None) is None:
        raise ModelError(
            f"{where}: max_pixels means nothing to {type(images).__name__}, which makes all pictures one "
            "size. Leave max_pixels out for this model."
        )
    # These processors keep their pixel limits as "edges".
    smallest = min(size.shortest_edge or max_pixels, max_pixels)
    images.size = type(size)(shortest_edge=smallest, longest_edge=max_pixels)
