"""Semantic versions, and the ranges of them that a reference may ask for: npm's `^` and `~`."""

from __future__ import annotations

import re
from typing import TypeAlias

from semantic_version import NpmSpec, SimpleSpec, Version
from semantic_version.base import BaseSpec

__all__ = ["Version", "VersionRange", "parse_range", "parse_version"]

VersionRange: TypeAlias = BaseSpec
"""`range.match(version)`: whether it holds a version; a pre-release only if the range names one of its release."""

_SHORT = re.compile(r"[~^]\d+((\.[xX*]){0,2}|\.\d+(\.[xX*])?)")


def parse_version(text: str) -> Version:
    """Parse `MAJOR.MINOR.PATCH[-PRERELEASE]`; build metadata is dropped.

    Raises:
        ValueError: If it is anything else.
    """
    try:
        version = Version(text)
    except ValueError:
        version = None
    if str(version) != text:  # The library takes a line end, and digits of other scripts.
        raise ValueError(f"{text!r} isn't a version: write MAJOR.MINOR.PATCH, e.g. 1.2.0 or 1.2.0-rc.1.")
    return version.truncate("prerelease")


def parse_range(text: str) -> VersionRange:
    """Parse `1.2.0`, `^1.0` or `~1.2` by npm's rules.

    Raises:
        ValueError: If it is anything else; other kinds of ranges are not taken.
    """
    if text[:1] not in ("^", "~"):
        return SimpleSpec(f"=={parse_version(text)}")  # `NpmSpec("1.2.0-rc.1")` holds 1.2.0, too.
    try:
        if not _SHORT.fullmatch(text):
            low = parse_version(text[1:])
            text = f"{text[0]}{low}"
            if text[0] == "~" and low.prerelease:  # `NpmSpec("~1.2.0-rc.1")` holds nothing but pre-releases.
                text = f">={low} <{low.major}.{low.minor + 1}.0"
        return NpmSpec(text)
    except ValueError as error:
        raise ValueError(f"{text!r} isn't a version range: write ^1.2.0, ^1.0 or ~1.2.") from error
