"""References to datasets: what a user writes after `--data`, and what it stands for.

    ./folder  /folder  ../folder  ~/folder     a dataset folder
    org/name                                   on the Hub: the newest released version
    org/name@1.2.0                             exactly this version (a pre-release only by its full name)
    org/name@^1.0   org/name@~1.2              the newest version in a range, by npm's rules
    org/name@main                              what isn't released yet

`org/name` is a folder where one of that name exists, as in `datasets.load_dataset`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from offside_data.errors import DatasetReferenceError

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_NUMBER = r"0|[1-9]\d*"
_VERSION = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?")
_RANGE = re.compile(
    rf"([~^])({_NUMBER})(?:\.({_NUMBER}|[xX*]))?(?:\.({_NUMBER}|[xX*]))?(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
)
_REPO = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
_FORMS = "a folder (./NAME), ORG/NAME, ORG/NAME@1.2.0, ORG/NAME@^1.0, ORG/NAME@~1.2 or ORG/NAME@main"


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version; build metadata is dropped.

    Args:
        release: Major, minor and patch number.
        prerelease: E.g. `("rc", "1")`; empty for a release.
    """

    release: tuple[int, int, int]
    prerelease: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse `MAJOR.MINOR.PATCH[-PRERELEASE]`.

        Raises:
            ValueError: If it is anything else.
        """
        match = _VERSION.fullmatch(text)
        prerelease = tuple((match[4] or "").split(".")) if match and match[4] else ()
        if match is None or any(re.fullmatch(r"0\d+", part) for part in prerelease):
            raise ValueError(f"{text!r} isn't a version: write MAJOR.MINOR.PATCH, e.g. 1.2.0 or 1.2.0-rc.1.")
        return cls((int(match[1]), int(match[2]), int(match[3])), prerelease)

    def __str__(self) -> str:
        release = ".".join(map(str, self.release))
        return f"{release}-{'.'.join(self.prerelease)}" if self.prerelease else release

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[tuple[int, int, int], bool, list[tuple[bool, int, str]]]:
        # A pre-release comes before its release; numbers before words, fewer parts before more.
        parts = [(not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in self.prerelease]
        return self.release, not self.prerelease, parts


@dataclass(frozen=True, slots=True)
class VersionRange:
    """The versions from `low` up to, not including, the release `below`; `low` alone if `below` is null."""

    low: Version
    below: tuple[int, int, int] | None

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Parse `1.2.0`, `^1.0` or `~1.2` by npm's rules.

        Raises:
            ValueError: If it is anything else; other kinds of ranges are not taken.
        """
        match = _RANGE.fullmatch(text)
        if match is None:
            return cls(Version.parse(text), None)
        operator, *numbers, prerelease = match.groups()
        given = [int(n) for n in numbers if n and n not in "xX*"]
        if (numbers[1] in ("x", "X", "*") and numbers[2] not in (None, "x", "X", "*")) or (
            prerelease and len(given) < 3
        ):
            raise ValueError(f"{text!r} isn't a version range: write ^1.2.0, ^1.0 or ~1.2.")
        major, minor, patch = given + [0] * (3 - len(given))
        low = Version.parse(f"{major}.{minor}.{patch}" + (f"-{prerelease}" if prerelease else ""))
        if len(given) == 1 or (operator == "^" and major > 0):
            below = (major + 1, 0, 0)
        elif operator == "~" or minor > 0 or len(given) == 2:
            below = (major, minor + 1, 0)
        else:
            below = (major, minor, patch + 1)
        return cls(low, below)

    def matches(self, version: Version) -> bool:
        """Whether `version` is in the range; a pre-release only if the range names one of its release."""
        if self.below is None:
            return version == self.low
        if version.prerelease and not (self.low.prerelease and self.low.release == version.release):
            return False
        return self.low <= version and version.release < self.below


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference.

    Args:
        text: As the user wrote it.
        kind: `folder` or `hub`.
        folder: The folder of a `folder` reference.
        repo: `org/name` of a `hub` reference.
        versions: The range asked for; null takes the newest.
        revision: `main`, or null for a released version.
    """

    text: str
    kind: Literal["folder", "hub"]
    folder: Path | None = None
    repo: str | None = None
    versions: VersionRange | None = None
    revision: str | None = None

    def matches(self, version: str | Version) -> bool:
        """Whether a released version is one that this reference may stand for."""
        if self.kind == "folder" or self.revision is not None:
            return False
        parsed = Version.parse(version) if isinstance(version, str) else version
        return not parsed.prerelease if self.versions is None else self.versions.matches(parsed)


@dataclass(frozen=True, slots=True)
class ResolvedReference:
    """What a reference stood for: the folder to read, and what gets recorded in manifests."""

    path: Path
    name: str
    version: str
    commit: str | None
    digest: str


def parse_reference(text: str | Path) -> Reference:
    """Parse a reference.

    Raises:
        DatasetReferenceError: If it has none of the forms above.
    """
    if isinstance(text, Path):
        return Reference(str(text), "folder", folder=text.expanduser())
    repo, at, wanted = text.partition("@")
    is_repo = _REPO.fullmatch(repo) is not None and not repo.startswith(".")
    if not text.strip():
        raise DatasetReferenceError(f"an empty dataset reference; give {_FORMS}.")
    if not is_repo or Path(text).is_dir():
        return Reference(text, "folder", folder=Path(text).expanduser())
    if not at:
        return Reference(text, "hub", repo=repo)
    if wanted == "main":
        return Reference(text, "hub", repo=repo, revision="main")
    try:
        return Reference(text, "hub", repo=repo, versions=VersionRange.parse(wanted))
    except ValueError as error:
        raise DatasetReferenceError(f"{text!r}: {error} Allowed: {_FORMS}.") from error


def resolve(reference: Reference) -> ResolvedReference:
    """Find the dataset folder that `reference` stands for, and read its name, version and digest.

    Raises:
        DatasetReferenceError: If the folder is missing, or the reference is one to the Hub.
        CardError: If the folder has no card or a malformed one.
    """
    from offside_data.dataset.card import Card

    path = local_folder(reference)
    card = Card.load(path)
    card.require_valid()
    return ResolvedReference(path, card.name, card.version, None, card.digest)


def local_folder(reference: Reference) -> Path:
    """The existing folder of a reference.

    Raises:
        DatasetReferenceError: If it is missing, or the reference is one to the Hub.
    """
    if reference.folder is None:
        raise DatasetReferenceError(
            f"{reference.text!r} names a dataset on the Hub (no folder of that name exists here): fetching "
            "comes with a later release. Give a folder that holds the dataset, e.g. ./league."
        )
    if not reference.folder.is_dir():
        raise DatasetReferenceError(
            f"{reference.folder}: no such dataset folder. Make one with `offside-data fictional` or "
            f"`offside-data ingest`, or give {_FORMS}."
        )
    return reference.folder
