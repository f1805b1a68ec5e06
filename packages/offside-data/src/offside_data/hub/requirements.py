"""What a dataset must have before it goes out: a release, no errors, a licence for each picture, somebody to ask."""

from __future__ import annotations

import unicodedata

from offside_data.check import check_dataset
from offside_data.dataset.card_text import CONTACT
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.picture_names import PictureNames
from offside_data.errors import ReleaseError, UsageError, listed
from offside_data.release.responsible import is_invented
from offside_data.release.snapshots import find_snapshot

_NO_LICENCE = (
    *("unknown", "none", "na", "nan", "null", "nil", "tbd", "tba", "tbc", "todo", "pending", "missing"),
    *("unlicensed", "unlicenced", "nolicense", "nolicence", "notlicensed", "notlicenced", "unspecified"),
    *("notspecified", "notstated", "notknown", "notavailable", "notapplicable", "noneknown"),
)
"""What says of a picture only that nobody knows its licence, without blanks and signs. `Unlicense` is a licence."""


def require_released(dataset: OffsideDataset) -> OffsideDataset:
    """The release of a dataset folder that its version names, as it was kept; what was changed since isn't published.

    Raises:
        ReleaseError: If it isn't released, or was changed since, or was taken down from.
    """
    release = f"Release it first: `offside-data release {dataset.path} --bump … --note …`."
    snapshot = find_snapshot(dataset.path, dataset.version)
    if snapshot is None:
        raise ReleaseError(f"{dataset.path}: version {dataset.version} isn't released, or not kept here. {release}")
    if snapshot.digest != dataset.digest:
        raise ReleaseError(
            f"{dataset.path} was changed since {dataset.version} was released (now {dataset.digest[:19]}…, released "
            f"{snapshot.digest[:19]}…). {release}"
        )
    released = open_dataset(snapshot.folder)
    if released.digest != snapshot.digest:
        raise ReleaseError(f"{dataset.path}: something was taken down from {dataset.version} since. {release}")
    return released


def require_publishable(released: OffsideDataset, *, contact: object, real_persons: bool) -> None:
    """Refuse what must not go out.

    Args:
        released: A release.
        contact: Whom to ask for removal; nothing if nobody was named.
        real_persons: Whether it may be about people who exist.

    Raises:
        ReleaseError: If `check` finds errors, or a picture has no licence.
        UsageError: If there is nobody to ask, or it may be about people who exist and that wasn't said.
    """
    errors = [issue for issue in check_dataset(released) if issue.severity == "error"]
    if errors:
        shown = listed([f"{issue.code}: {issue.where}: {issue.message}" for issue in errors])
        raise ReleaseError(f"{released.path} can't be published, `offside-data check` finds errors:\n{shown}")
    unlicensed = _without_licence(released)
    if unlicensed:
        raise ReleaseError(
            f"{released.name} {released.version} can't be published: {len(unlicensed):,} pictures have no licence:\n"
            f"{listed(unlicensed)}\nFind out under which one each may be passed on, write it into the column `license` "
            "of the table of pictures, and release again."
        )
    if not str(contact or "").strip():
        raise UsageError(
            "nobody is named whom people could ask for removal. Give --contact with an address or a page, or write "
            f"`{CONTACT}: …` into the card's front matter."
        )
    if not real_persons and not is_invented(released):
        raise UsageError(
            f"{released.name} {released.version} may be about people who exist: not all of its claims have sources "
            "of the tier `fictional`. Where you may publish claims about them, false ones too, say so with "
            "--real-persons."
        )


def _without_licence(released: OffsideDataset) -> list[str]:
    """Names of the pictures that no licence is stated for, and what is stated instead."""
    stated = dict(released.frame("images", ["image_id", "license"]).select("image_id", "license").iter_rows())
    shown = {*released.picture_places(tables=True)["image_id"], *stated}
    names = PictureNames(released)
    lost = {image: (stated.get(image) or "").strip() for image in sorted(shown) if not is_licence(stated.get(image))}
    return [names.name(image) + (f": {said!r}" if said else "") for image, said in lost.items()]


def is_licence(text: str | None) -> bool:
    """Whether a text may name a licence, or only says that there is none, or that it isn't known: `n/a`, `?`, `TBD`."""
    said = "".join(letter for letter in unicodedata.normalize("NFKC", text or "").casefold() if letter.isalnum())
    return bool(said) and said not in _NO_LICENCE
