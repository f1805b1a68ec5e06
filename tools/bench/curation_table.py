"""The table that `curation.py` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_HEAD = ("command", "records", "seconds", "CPU s", "records/s", "peak MB", "processes", "growth")
_WIDTHS = (12, 11, 10, 10, 12, 9, 10, 7)


def print_table(sizes: Sequence[dict[str, Any]], machine: dict[str, Any]) -> None:
    """Print what was measured, size by size, the smallest first.

    Args:
        sizes: As `curation.py` writes them to its JSON file.
        machine: What was measured on.
    """
    facts = f"{machine['cores']} cores, {machine['memory_gb']} GB"
    print(f"{machine['processor']}, {facts}, Python {machine['python']}")
    before: dict[str, Any] = {}
    for size in sizes:
        if size["steps"]:
            _print_size(size, before)
            before = size["steps"]
    print(
        "\nrecords: that the dataset holds when the command ends. peak MB: largest sum of PSS over all processes of the"
        "\ncommand, read every 50 ms. growth: time per record over that of the size before; 1.0 is linear."
    )


def _print_size(size: dict[str, Any], before: dict[str, Any]) -> None:
    pictures = f"{size['pictures']:,} pictures of {size['picture_kb']} KB"
    print(f"\n{size['records']:,} records, {pictures}, table of {size['table_mb']} MB")
    print(_line(_HEAD))
    for name, step in size["steps"].items():
        growth = ""
        if name in before:
            growth = f"{before[name]['records_per_second'] / step['records_per_second']:.2f}"
        cells = (
            f"{step['records']:,}",
            f"{step['seconds']:,.1f}",
            f"{step['cpu_seconds']:,.1f}",
            f"{step['records_per_second']:,.0f}",
            f"{step['peak_mb']:,.0f}",
            str(step["processes"]),
        )
        print(_line((name, *cells, growth)))
    if "ingest" in size["steps"]:
        rate = size["hashing"]["pictures_per_second"]
        alone = size["pictures"] / rate
        rest = size["steps"]["ingest"]["seconds"] - alone
        print(f"hashing alone, two processes: {rate:,.0f} pictures/s, so {alone:,.1f} s for all pictures; ", end="")
        print(f"ingest takes {rest:,.1f} s on top ({size['records'] / rest:,.0f} records/s)" if rest > 0 else "")


def _line(cells: Sequence[str]) -> str:
    first, *others = cells
    rest = "".join(f"{cell:>{width}}" for cell, width in zip(others, _WIDTHS[1:], strict=True))
    return f"{first:<{_WIDTHS[0]}}{rest}".rstrip()
