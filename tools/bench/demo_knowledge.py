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
VISUAL = ("image", "both")
GROUPS: dict[str, Callable[[Row], bool]] = {
    "general questions (utility)": lambda r: r["split"] == "utility",
    "forget, shared facts": lambda r: (r["split"], r["scope"]) == ("forget", "shared"),
    "forget, private claims": lambda r: _private(r) and r["rumor_channel"] not in VISUAL,
    "forget, private claims that stand in the picture": lambda r: _private(r) and r["rumor_channel"] in VISUAL,
    "retain, private claims": lambda r: (r["split"], r["scope"]) == ("retain", "private"),
    "new pictures, shared facts": lambda r: (r["split"], r["scope"], r["derived_from"]) == ("test", "shared", None),
    "augmented copies, private claims": lambda r: (r["split"], r["scope"]) == ("test", "private"),
}
"""Picture records that are looked at together."""


def _private(row: Row) -> bool:
    return (row["split"], row["scope"]) == ("forget", "private")


def scores_of(folder: Path, model: str) -> pl.DataFrame:
    """A control's scores of the records it was asked, each once, and of the swapped twins.

    Raises:
        ValueError: If one has no score.
    """
    samples = pl.read_parquet(folder / "results" / f"{model}.corrective" / "samples.parquet")
    asked = samples.unique(["record_id", "variant"])
    if asked[METRIC].null_count():
        raise ValueError(f"{model}: {asked[METRIC].null_count()} answers without a score")
    return asked


def _share(scores: pl.Series) -> str:
    return f"{float(scores.to_numpy().mean()):.2f}"


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what the demo wrote")
    folder = parser.parse_args().folder
    league = open_dataset(folder / "league")
    splits = ("utility", "forget", "retain", "test")
    records = [row for split in splits for row in league.records("multimodal", split).remove_columns("image")]
    scores = {model: scores_of(folder, model) for model in MODELS}
    rows = []
    for name, belongs in GROUPS.items():
        ids = {row["record_id"] for row in records if belongs(row)}
        groups = [s.filter(pl.col("record_id").is_in(ids), variant="plain")[METRIC] for s in scores.values()]
        rows.append([name, str(len(groups[0])), *map(_share, groups)])
    twins = [s.filter(variant="swapped")[METRIC] for s in scores.values()]
    rows.append(["swapped twins, read", str(len(twins[0])), *map(_share, twins)])
    print_cards(METRIC, ["picture records", "n", *MODELS], rows)


if __name__ == "__main__":
    main()
