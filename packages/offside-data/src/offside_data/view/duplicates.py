"""Which pictures of a dataset show the same, found as `dedup` finds them."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.dedup.dataset import DedupConfig, radius_of
from offside_data.dedup.declared import declared_apart
from offside_data.dedup.find import Told, find_duplicates
from offside_data.dedup.pictures import claims_about, list_pictures, read_by_position
from offside_data.errors import PictureError, UsageError

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Clusters of image ids, the one that `dedup` would keep first.

    Args:
        clusters: Larger ones first.
        note: Why they weren't looked for; empty if they were.
    """

    clusters: list[list[str]] = field(default_factory=list)
    note: str = ""


def find_clusters(dataset: OffsideDataset) -> Duplicates:
    """Look for duplicates with the defaults of `dedup`; what can't be compared is a note, not an error."""
    config = DedupConfig()
    try:
        with tempfile.TemporaryDirectory() as store:  # Looking at a dataset doesn't change its working area.
            pictures = list_pictures(dataset, config.hash, Path(store))

        found = find_duplicates(
            pictures,
            read_by_position(dataset, pictures),
            radius=radius_of(config),
            look=config.look,
            told=Told(apart=declared_apart(dataset.path), claims=functools.partial(claims_about, dataset)),
        )
    except (PictureError, UsageError, OSError) as error:
        return Duplicates(note=f"Duplicates were not looked for: {error}")
    return Duplicates(clusters=[[picture.key for picture in cluster.pictures] for cluster in found.clusters])
