"""What was evaluated with what: everything that can move a score."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from offside_data.errors import ModelError

MANIFEST = "offside_run.json"
ROLES = ("base", "vanilla", "retain_only", "unlearned", "relearned", "unknown")
_PACKAGES = (
    "offside-data",
    "offside-eval",
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "pillow",
    "rouge-score",
    "sacrebleu",
    "nltk",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that scores depend on, where they are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def run_manifest(path: str | Path) -> dict[str, Any] | None:
    """The `offside_run.json` in a model's folder; null for a plain checkpoint.

    Raises:
        ModelError: If it is there but isn't a JSON object.
    """
    file = Path(path) / MANIFEST
    if not file.is_file():
        return None
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{file}: not valid JSON: {error}. Run the command that made the model again.") from error
    if not isinstance(manifest, dict):
        raise ModelError(f"{file}: must hold a JSON object, got {type(manifest).__name__}.")
    return manifest


def peak_memory_mb() -> int | None:
    """The most memory this process has held so far; null where the system doesn't tell."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """In what two identities differ, as `key: before -> now`."""
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return [f"{key}: {_short(before.get(key))} -> {_short(now.get(key))}" for key in keys]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
