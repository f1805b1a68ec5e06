"""Where a picture that a source names may lie: never outside the folders that it may come from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def confined(candidates: Iterable[Path], folders: Iterable[Path]) -> tuple[Path, ...]:
    """Those of some paths that lie in one of `folders` as they are written, each once, in order.

    Links are followed only when a picture is read, and confined there again (`images.decode.read_bytes`).
    """
    allowed = [os.path.abspath(folder) for folder in folders]
    inside = [
        path
        for path in candidates
        if any(os.path.commonpath([os.path.abspath(path), folder]) == folder for folder in allowed)
    ]
    return tuple(dict.fromkeys(inside))
