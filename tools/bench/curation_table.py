"""The table that `curation.py` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_COLUMNS = {
    "command": 12,
    "records": 11,
    "seconds": 10,
    "CPU s": 10,
    "others": 8,
    "records/s": 11,
    "growth": 8,
    "CPU growth": 12,
    "peak MB": 9,
    "processes": 11,
}
"""With their widths."""
_LEGEND = """
records     that the dataset holds when the command ends
others      share of the machine's CPU time that other processes took meanwhile: above a few %, trust CPU s alone
growth      time per record over that of the size before, wall and CPU; 1.00 is linear
peak MB     that all processes of the command held together, each page once, looked at some 20 times a second (MiB)
processes   at once, at most"""


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
    print(_LEGEND)


def _print_size(size: dict[str, Any], before: dict[str, Any]) -> None:
    pictures = f"{size['pictures']:,} pictures of {size['picture_kb']} KB"
    print(f"\n{size['records']:,} records, {pictures}, table of {size['table_mb']} MB")
    print(_line(tuple(_COLUMNS)))
    for name, step in size["steps"].items():
        cells = (
            f"{step['records']:,}",
            f"{step['seconds']:,.1f}",
            f"{step['cpu_seconds']:,.1f}",
            f"{step['others']:.0%}",
            f"{step['records_per_second']:,.0f}",
            _growth(step, before.get(name), "seconds"),
            _growth(step, before.get(name), "cpu_seconds"),
            f"{step['peak_mb']:,.0f}",
            str(step["processes"]),
        )
        print(_line((name, *cells)))
    if "ingest" in size["steps"]:
        print(_hashing(size))


def _growth(step: dict[str, Any], before: dict[str, Any] | None, of: str) -> str:
    if before is None:
        return "-"
    return f"{step[of] / step['records'] * before['records'] / before[of]:.2f}"


def _hashing(size: dict[str, Any]) -> str:
    """How much of `ingest` hashing the pictures would take if it did nothing else."""
    alone, ingest = size["hashing"], size["steps"]["ingest"]
    share = size["pictures"] / alone["pictures"]
    seconds, spent = alone["seconds"] * share, alone["cpu_seconds"] * share
    return (
        f"hashing alone, two processes: {alone['pictures_per_second']:,.0f} pictures/s, {seconds:,.1f} s for all "
        f"pictures ({spent:,.1f} CPU s);\n"
        f"  on top ingest takes {ingest['seconds'] - seconds:,.1f} s ({ingest['cpu_seconds'] - spent:,.1f} CPU s)"
    )


def _line(cells: Sequence[str]) -> str:
    first, *others = zip(cells, _COLUMNS.values(), strict=True)
    return f"{first[0]:<{first[1]}}" + "".join(f"{cell:>{width}}" for cell, width in others)
