"""Results that are kept while they come, part by part, so that an interrupted command goes on where it was.

A folder of JSON lines: each part is a file that appears whole or not at all, named by its content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from offside_data.errors import DatasetError
from offside_data.files import write_text


def add_part(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep some more rows, all or none of them."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_text(folder / f"part-{hashlib.sha256(text.encode()).hexdigest()[:16]}.jsonl", text)


def read_parts(folder: Path) -> Iterator[dict[str, Any]]:
    """All rows that are kept, in no order; none if there is no such folder.

    Raises:
        DatasetError: If a part isn't readable.
    """
    for path in sorted(folder.glob("part-*.jsonl")):
        try:
            with path.open(encoding="utf-8") as lines:
                yield from map(json.loads, lines)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path}: not readable: {error}. Delete it, then run the command again.") from error
