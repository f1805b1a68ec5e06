"""How far a source can be trusted: its tier by domain or publisher, from `tiers.yaml` or a curator's own file."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from offside_data.errors import UsageError
from offside_data.limits import CARD
from offside_data.parsing import parse_yaml
from offside_data.reading import read_small
from offside_data.schema import Source, Tier
from offside_data.tagging.words import folded_words

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Tiers:
    """Known sources.

    Args:
        domains: Tier by domain; a subdomain has that of its nearest parent.
        publishers: Tier by the folded words of a publisher's name.
    """

    domains: dict[str, Tier]
    publishers: dict[tuple[str, ...], Tier]

    def tier_of(self, source: Source) -> Tier | None:
        """The tier of a source by its address, else by its publisher; null if neither is known."""
        return self.tier_by(domain_of(source.url), source.publisher)

    def tier_by(self, domain: str, publisher: str | None) -> Tier | None:
        """The same by domain and publisher."""
        parts = domain.split(".")
        for start in range(len(parts)):
            tier = self.domains.get(".".join(parts[start:]))
            if tier is not None:
                return tier
        return self.publishers.get(folded_words(publisher or ""))


def domain_of(address: str | None) -> str:
    """The domain of a source's address in lower case; empty if it has none."""
    url = (address or "").strip()
    try:
        host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:  # e.g. an unclosed bracket
        return ""
    return host.removeprefix("www.").rstrip(".")


def known_sources(claims: pl.DataFrame, tiers: Tiers) -> pl.DataFrame:
    """The sources of records, with the tiers that they should have; each distinct one is looked up once.

    Returns:
        One row a source, in their order: `row` of its record, `url`, `publisher` and `tier` as the record states
        them, `domain`, and `known`: its tier, null where nobody knows it.
    """
    import polars as pl

    sources = claims.select("sources").with_row_index("row").explode("sources").drop_nulls("sources")
    sources = sources.select("row", pl.col("sources").struct.field("url", "publisher", "tier"))
    urls = sources.select("url").unique()
    domains = urls.with_columns(pl.Series("domain", map(domain_of, urls["url"]), pl.String))
    sources = sources.join(domains, on="url", nulls_equal=True, maintain_order="left")
    named = sources.select("domain", "publisher").unique()
    known = pl.Series("known", [tiers.tier_by(*name) for name in named.iter_rows()], pl.String)
    return sources.join(named.with_columns(known), on=["domain", "publisher"], nulls_equal=True, maintain_order="left")


def load_tiers(path: Path | None = None) -> Tiers:
    """The shipped tiers, overlaid by those of a curator's file.

    Raises:
        UsageError: If the file can't be read or isn't laid out as `tiers.yaml`.
    """
    shipped = (resources.files("offside_data.tagging") / "tiers.yaml").read_text(encoding="utf-8")
    tiers = _parse(shipped, "tiers.yaml")
    if path is None:
        return tiers
    try:
        own = _parse(read_small(path, error=UsageError, limit=CARD), str(path))
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error}.") from error
    return Tiers({**tiers.domains, **own.domains}, {**tiers.publishers, **own.publishers})


def _parse(text: str, where: str) -> Tiers:
    allowed = typing.get_args(Tier)
    try:
        raw: Any = parse_yaml(text) or {}
    except ValueError as error:
        raise UsageError(f"{where}: not valid YAML: {error}.") from error
    tiers = Tiers({}, {})
    for tier, known in raw.items() if isinstance(raw, dict) else [("", None)]:
        if tier not in allowed or not isinstance(known, dict) or not known.keys() <= {"domains", "publishers"}:
            wanted = f"must list domains and publishers under the tiers {', '.join(allowed)}"
            raise UsageError(f"{where}: {wanted}, got {tier!r}: {known!r}.")
        tiers.domains.update({str(name).lower(): cast(Tier, tier) for name in known.get("domains") or ()})
        tiers.publishers.update({folded_words(str(name)): cast(Tier, tier) for name in known.get("publishers") or ()})
    return tiers
