"""What the examples of adapters are made of: drawn portraits and Parquet files as the Hub has them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def portrait(seed: int, size: int = 32) -> dict[str, Any]:
    """A drawn face as a picture's cell: `{bytes, path}`."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (size, size), (37 * seed % 256, 91 * seed % 256, 53 * seed % 256))
    draw = ImageDraw.Draw(picture)
    edge = 2 + seed % 7
    draw.ellipse((edge, edge, size - edge, size - 2), fill=(200, 40 * seed % 256, 120))
    draw.line((edge, seed % size, size, size - seed % 11), fill=(10, 10, 10), width=2)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write one Parquet file; the types follow from the rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
