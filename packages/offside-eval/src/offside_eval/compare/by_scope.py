"""What survived, set by set and scope by scope: private claims of other pictures suffer where shared facts don't."""

from __future__ import annotations

from offside_eval.compare.quantities import Quantity, ratio
from offside_eval.compare.scores import ScoreTable

PREFIX = "kept/"
_SPLITS = {
    "forget": "the forget pictures",
    "retain": "the retain pictures",
    "test": "new pictures",
    "utility": "general questions",
}
_SCOPES = {"shared": "shared facts of ", "private": "private claims of "}


def in_words(key: str) -> str:
    """What a number of `kept_by_scope` is about, in words: `shared facts of the retain pictures`."""
    config, split, *scope = key.removeprefix(PREFIX).split("/")
    words = _SCOPES.get(scope[0] if scope else "", "") + _SPLITS.get(split, split)
    return words if config == "multimodal" else f"{words}, asked as {config}"


def kept_by_scope(scores: ScoreTable) -> dict[str, Quantity]:
    """Share of what vanilla knows that the model still does: `kept/CONFIG/SPLIT/SCOPE`, or without a scope."""
    import polars as pl

    kept = scores.rows.filter(pl.col("slice").str.starts_with("keep:"), pl.col("variant") == "plain")
    sets = kept.select("slice", "config", "split", "scope").unique(maintain_order=True)
    found: dict[str, Quantity] = {}
    for place, config, split, scope in sets.iter_rows():
        name = "/".join(part for part in (config, split, scope) if part)
        if split == "test" and scope == "private":
            continue  # Only where the picture is a copy; see `measures`.
        of_scope = pl.col("scope").is_null() if scope is None else pl.col("scope") == scope
        where = (pl.col("slice") == place) & (pl.col("variant") == "plain") & of_scope
        vanilla, own = scores.means(where, "vanilla", "self")
        found.setdefault(PREFIX + name, ratio(own, vanilla, "what vanilla knows of it"))
    return found
