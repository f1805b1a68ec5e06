from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.dataset.versions import Version, parse_range, parse_version


def test_precedence_follows_semantic_versioning() -> None:
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
    ]
    ordered += ["1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "2.0.0"]
    versions = [parse_version(v) for v in ordered]
    assert sorted(reversed(versions)) == versions
    assert [str(v) for v in versions] == ordered


@pytest.mark.parametrize(
    "text", ["1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3\n", "1.2.٣", ""]
)
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match=r"MAJOR\.MINOR\.PATCH"):
        parse_version(text)


def test_build_metadata_does_not_count() -> None:
    assert parse_version("1.2.3+build.5") == parse_version("1.2.3")


numbers = st.integers(0, 30)


@given(numbers, numbers, numbers)
def test_a_range_holds_its_own_lowest_version(major: int, minor: int, patch: int) -> None:
    version = Version(major=major, minor=minor, patch=patch)
    for operator in ("", "^", "~"):
        assert parse_range(f"{operator}{version}").match(version)


@given(numbers, numbers, numbers, numbers, numbers)
def test_tilde_is_never_wider_than_caret_above_one(a: int, b: int, c: int, d: int, e: int) -> None:
    low, candidate = parse_version(f"{a + 1}.{b}.{c}"), parse_version(f"{a + 1}.{d}.{e}")
    if parse_range(f"~{low}").match(candidate):
        assert parse_range(f"^{low}").match(candidate)
