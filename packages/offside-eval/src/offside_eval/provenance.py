"""What was evaluated with what: everything that can move a score."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

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
