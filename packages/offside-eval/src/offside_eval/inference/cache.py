"""Answers on disk that several evaluations share: what one has asked of a model, the next one needn't.

An answer's name is a digest of everything that decides it; a name that is there is that answer. Files appear whole, so
that several processes may write at once, and a file that isn't what was written is as good as none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from offside_data.files import write_text
from offside_data.vlm import base_model_of
from offside_eval.inference.saved import from_plain, to_plain

if TYPE_CHECKING:
    from offside_eval.inference.asking import Item

T = TypeVar("T")

_OF_A_PLACE = frozenset({"_name_or_path", "name_or_path", "transformers_version"})
"""Keys of a configuration that say where a model lies or what wrote it, not what it answers."""


class AnswerCache:
    """One small JSON file an answer.

    Args:
        folder: Shared by any number of evaluations and processes; made if need be.
        identity: What decides all answers of one model, beside the questions: see `identity_of`.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self._folder = folder
        self._identity = _digest(identity)

    def load(self, stage: str, settings: Mapping[str, Any], item: Item, kind: type[T]) -> T | None:
        """An answer as an instance of the dataclass `kind`; null if it isn't there, or damaged.

        Args:
            stage: What is done with the questions.
            settings: What decides how, e.g. where answers are cut.
            item: The question.
            kind: `Reply` or `Weights`.
        """
        try:
            told = json.loads(self._path(stage, settings, item).read_text(encoding="utf-8"))
            outcome = told["outcome"]
            return from_plain(kind, outcome) if told["digest"] == _digest(outcome) else None
        except (FileNotFoundError, ValueError, TypeError, KeyError):  # Cut short, or not what we wrote.
            return None

    def save(self, stage: str, settings: Mapping[str, Any], item: Item, outcome: Any) -> None:
        """Keep an answer, whole or not at all."""
        plain = to_plain(outcome)
        told = {"outcome": plain, "digest": _digest(plain)}
        write_text(self._path(stage, settings, item), json.dumps(told, ensure_ascii=False, allow_nan=False))

    def _path(self, stage: str, settings: Mapping[str, Any], item: Item) -> Path:
        asked: dict[str, Any] = {
            "model": self._identity,
            "stage": stage,
            "settings": settings,
            "picture": item.prompt.image_key,
            "prompt": item.prompt.input_ids,
            "extra": item.prompt.extra,
        }
        if stage == "weighing":
            asked |= {
                "answers": item.answers,
                "places": [item.choices, item.alternatives, item.paraphrases],
                "n_content": item.n_content,
            }
        name = _digest(asked)
        return self._folder / name[:2] / f"{name}.json"


def identity_of(
    model: Any, processor: Any, *, digest: str, versions: Mapping[str, str], backend: str
) -> dict[str, Any]:
    """Everything but a question and its settings that decides what a model answers.

    Args:
        model: Loaded.
        processor: Its processor; its tokenizer and its treatment of pictures count, `max_pixels` with it.
        digest: Of the weights and of the intervention, if there is one.
        versions: Of the libraries.
        backend: What decodes and resizes pictures.
    """
    base = base_model_of(model)
    tokenizer = getattr(processor.tokenizer, "backend_tokenizer", None)
    return {
        "digest": digest,
        "config": _without_places(base.config.to_dict()),
        "generation": _without_places(base.generation_config.to_dict()),
        "attention": str(getattr(base.config, "_attn_implementation", None)),
        "dtype": str(model.dtype),
        "device": str(model.device).partition(":")[0],
        "pictures": _without_places(processor.image_processor.to_dict()),
        "tokenizer": tokenizer.to_str() if tokenizer is not None else str(sorted(processor.tokenizer.get_vocab())),
        "versions": dict(versions),
        "image_backend": backend,
    }


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _without_places(part) for key, part in value.items() if key not in _OF_A_PLACE}
    return [_without_places(part) for part in value] if isinstance(value, (list, tuple)) else value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()
