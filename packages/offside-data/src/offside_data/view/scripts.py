"""Data as scripts: a page that is opened from disk may not fetch files, but it may load scripts.

Each file holds one call, `offsideView.put("NAME", VALUE)`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def script_json(value: Any) -> str:
    """JSON that can stand in any script, whatever its texts say: ASCII only, without `<`.

    Numbers that JSON doesn't have (NaN, infinity) become texts.
    """
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def write_script(path: Path, name: str, value: Any) -> None:
    """Write one value under a name."""
    write_parts(path, name, [script_json(value)])


def write_parts(path: Path, name: str, parts: Iterable[str]) -> None:
    """Write a value whose JSON (from `script_json`) comes in parts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(f"offsideView.put({script_json(name)},")
        file.writelines(parts)
        file.write(");\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
