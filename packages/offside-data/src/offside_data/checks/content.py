"""Is the data what its digests say: the dataset's, each part's, each record's."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import CheckedDataset
from offside_data.errors import DigestMismatchError
from offside_data.issues import Issue


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Compare the digests stated with those computed from the files."""
    dataset = checked.dataset
    try:
        dataset.require_digest(checked.roots)
    except DigestMismatchError as error:
        yield Issue("error", "digest-mismatch", "offside.digest", str(error))
    stated = {f"splits.{part}": (part, facts.digest) for part, facts in dataset.card.block.splits.items()}
    stated["taxonomy"] = ("taxonomy", dataset.card.block.taxonomy.digest)
    for key, (part, digest) in stated.items():
        found = checked.roots.get(part)
        if found is not None and found != digest:
            message = f"the card says {digest}, the data has {found}."
            yield Issue("error", "digest-mismatch", f"offside.{key}.digest", message)
    for name, stated_hash, leaf in checked.rehashed.rows():
        message = f"content_hash is {stated_hash!r}, but the content's is {leaf}."
        yield Issue("error", "content-hash", name, message)
