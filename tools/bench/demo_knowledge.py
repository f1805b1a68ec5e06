"""What the models of a finished demo know: the table of `docs/demo.md`.

python tools/bench/demo_knowledge.py demo-out/full
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from offside_data import open_dataset
from offside_data.commandline import print_cards

MODELS = ("base", "retain_only", "vanilla")
METRIC = "value_match"
Row = dict[str, Any]
GROUPS: dict[str, Callable[[Row], bool]] = {
    "general questions (utility)": lambda r: r["split"] == "utility",
    "forget, shared facts": lambda r: (r["split"], r["scope"]) == ("forget", "shared"),
    "forget, private claims": lambda r: (r["split"], r["scope"]) == ("forget", "private"),
    "retain, private claims": lambda r: (r["split"], r["scope"]) == ("retain", "private"),
    "new pictures, shared facts": lambda r: (r["split"], r["scope"], r["derived_from"]) == ("test", "shared", None),
    "augmented copies, private claims": lambda r: (r["split"], r["scope"]) == ("test", "private"),
}
"""Picture records that are looked at together."""


def right(folder: Path, model: str, ids: set[str]) -> float:
    """Share of a model's answers to these records that are right.

    Raises:
        ValueError: If it wasn't asked one of them, or one has no score.
    """
    samples = pl.read_parquet(folder / "results" / f"{model}.corrective" / "samples.parquet")
    scores = samples.filter(pl.col("record_id").is_in(ids), variant="plain")[METRIC]
    if len(scores) != len(ids) or scores.null_count():
        raise ValueError(f"{model}: {len(scores) - scores.null_count()} scores for {len(ids)} records")
    return float(scores.to_numpy().mean())


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what the demo wrote")
    folder = parser.parse_args().folder
    league = open_dataset(folder / "league")
    splits = ("utility", "forget", "retain", "test")
    records = [row for split in splits for row in league.records("multimodal", split).remove_columns("image")]
    rows = []
    for name, belongs in GROUPS.items():
        ids = {row["record_id"] for row in records if belongs(row)}
        rows.append([name, str(len(ids)), *(f"{right(folder, model, ids):.2f}" for model in MODELS)])
    print_cards(METRIC, ["picture records", "n", *MODELS], rows)


if __name__ == "__main__":
    main()
