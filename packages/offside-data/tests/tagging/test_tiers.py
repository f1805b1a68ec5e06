from __future__ import annotations

from pathlib import Path

import pytest

from offside_data.errors import UsageError
from offside_data.schema import Source
from offside_data.tagging.tiers import domain_of, load_tiers


@pytest.mark.parametrize(
    ("url", "publisher", "tier"),
    [
        ("https://www.uefa.com/news/1", None, "official"),
        ("https://archive.uefa.com/news/1", None, "official"),
        ("https://notuefa.com/", None, None),
        ("http://somewhere.gov.uk:8080/a?b=c", None, "official"),
        ("x.com/somebody/status/1", None, "social"),
        ("https://max.com", None, None),
        (None, "the guardian", "media"),
        ("https://norvale.example/news", "BBC", "media"),
        ("https://[broken", "Nobody", None),
        (None, None, None),
    ],
)
def test_domain_or_publisher_gives_the_tier(url: str | None, publisher: str | None, tier: str | None) -> None:
    assert load_tiers().tier_of(Source(url=url, publisher=publisher, tier="media")) == tier


def test_a_curators_own_file_wins(tmp_path: Path) -> None:
    path = tmp_path / "tiers.yaml"
    path.write_text("official:\n  domains: [x.com, norvale.example]\nsocial:\n  publishers: [BBC]\n")
    tiers = load_tiers(path)
    assert tiers.tier_of(Source(url="https://news.norvale.example", tier="media")) == "official"
    assert tiers.tier_of(Source(url="https://x.com/1", tier="media")) == "official"
    assert tiers.tier_of(Source(publisher="BBC", tier="media")) == "social"
    assert tiers.tier_of(Source(url="https://t.co/1", tier="media")) == "social"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trusted: {domains: [a.example]}", "under the tiers official, media, social, fictional, got 'trusted'"),
        ("official: [a.example]", "must list domains and publishers"),
        ("official: {sites: [a.example]}", "must list domains and publishers"),
        ("- official", "must list domains and publishers"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_malformed_file_says_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tiers.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_tiers(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.yaml: can't be read"):
        load_tiers(tmp_path / "gone.yaml")


def test_domains_are_read_from_any_address() -> None:
    assert domain_of("HTTPS://WWW.Norvale.Example./a") == "norvale.example"
    assert domain_of(None) == ""
