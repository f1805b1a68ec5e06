"""References to datasets: what a user writes after `--data`, and what it stands for.

    ./folder  /folder  ../folder  ~/folder     a dataset folder
    org/name                                   on the Hub: the newest released version
    org/name@1.2.0                             exactly this version (a pre-release only by its full name)
    org/name@^1.0   org/name@~1.2              the newest version in a range, by npm's rules
    org/name@main                              what isn't released yet

`org/name` is a folder where one of that name exists, as in `datasets.load_dataset`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from offside_data.dataset.foreign import what_it_is
from offside_data.dataset.versions import Version, VersionRange, parse_range, parse_version
from offside_data.errors import DatasetReferenceError

_REPO = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
_FORMS = "a folder (./NAME), ORG/NAME, ORG/NAME@1.2.0, ORG/NAME@^1.0, ORG/NAME@~1.2 or ORG/NAME@main"


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
        parsed = parse_version(version) if isinstance(version, str) else version
        return not parsed.prerelease if self.versions is None else bool(self.versions.match(parsed))


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
        return Reference(text, "hub", repo=repo, versions=parse_range(wanted))
    except ValueError as error:
        raise DatasetReferenceError(f"{text!r}: {error} Allowed: {_FORMS}.") from error


def local_folder(reference: Reference) -> Path:
    """The existing folder of a reference, to be changed or gone on from; see `folder.folder_of` for reading.

    Raises:
        DatasetReferenceError: If it is missing, or the reference is one to the Hub.
    """
    if reference.folder is None:
        raise DatasetReferenceError(
            f"{reference.text!r} names a dataset on the Hub (no folder of that name exists here), and what is "
            f"published never changes. Run `offside-data fetch {reference.text} FOLDER`, and give that folder."
        )
    if reference.folder.is_file():
        what = what_it_is(reference.folder) or "a file."
        raise DatasetReferenceError(f"{reference.folder}: no dataset folder, but {what}")
    if not reference.folder.is_dir():
        raise DatasetReferenceError(
            f"{reference.folder}: no such dataset folder. Make one with `offside-data fictional` or "
            f"`offside-data ingest`, or give {_FORMS}."
        )
    return reference.folder
