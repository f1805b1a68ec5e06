"""`CHANGELOG.md` as [Keep a Changelog](https://keepachangelog.com) has it: an entry a release, the newest first.

Entries say how many of what changed, never which: `offside-data diff` lists that, and nobody who asked for removal
must be found by reading what was removed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from offside_data.release.diff import Change

TITLE = "# Changelog"
_RELEASED = re.compile(r"^## \[(\d+\.\d+\.\d+[^\]]*)\] - \d{4}-\d\d-\d\d$", re.MULTILINE)
_ENTRY = re.compile(r"^## ", re.MULTILINE)
_UNRELEASED = re.compile(r"^## \[?Unreleased\]?\s*\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_PLAIN = re.compile(rf"{TITLE}\n\n## \S+\n\nFirst version\.\n")
_NOUNS = {
    "schema": "schema",
    "taxonomy": "taxonomy",
    "attribute": "attribute",
    "record": "record",
    "subject": "subject",
    "image": "picture",
    "card": "card",
}
"""What things are called, in the order in which they are told."""
_HEADINGS = {"added": "Added", "changed": "Changed", "removed": "Removed"}


def released_versions(text: str) -> list[str]:
    """The versions whose release a changelog tells, as they stand in it."""
    return _RELEASED.findall(text)


def with_entry(text: str | None, entry: str) -> str:
    """A changelog with one more entry on top, to which what stood under `Unreleased` is moved.

    The text that a dataset is born with, which tells of no release, goes.
    """
    if text is None or _PLAIN.fullmatch(text):
        text = f"{TITLE}\n"
    waiting = _UNRELEASED.search(text)
    if waiting is not None:
        text = text[: waiting.start()] + text[waiting.end() :]
        entry = f"{entry.rstrip()}\n\n{waiting[1].strip()}".rstrip() + "\n"
    first = _ENTRY.search(text)
    place = first.start() if first else len(text)
    before, after = text[:place].rstrip(), text[place:]
    return f"{before}\n\n{entry.rstrip()}\n" + (f"\n{after}" if after else "")


def make_entry(
    version: str, date: str, note: str, changes: Sequence[Change], *, digest: str, parent: str | None
) -> str:
    """The entry of a release.

    Args:
        version: What is released.
        date: ISO date.
        note: What the curator says of it.
        changes: What differs from the parent, one by one or counted; of a first release, everything that was added.
        digest: Digest of what is released.
        parent: The version that it was made from; null for a first release.
    """
    lines = [f"## [{version}] - {date}", "", note.strip()]
    for action, heading in _HEADINGS.items():
        items = list(_items(change for change in changes if change.action == action))
        if items:
            lines += ["", f"### {heading}", "", *(f"- {item}" for item in items)]
    origin = "First release" if parent is None else f"Made from {parent}"
    return "\n".join([*lines, "", f"{origin}; digest `{digest}`."]) + "\n"


def _items(changes: Iterable[Change]) -> Iterator[str]:
    """One line for each sort of change, with its number."""
    counts: Counter[tuple[str, str]] = Counter()
    for change in changes:
        if change.kind == "takedown":
            yield change.name
        elif change.kind == "attribute" and change.action != "changed":
            yield f"attribute `{change.name}`"
        elif change.action == "changed":
            for name in {field.field for field in change.fields}:
                counts[change.kind, name] += change.count
        else:
            counts[change.kind, ""] += change.count
    for (kind, field), number in sorted(counts.items(), key=lambda item: (list(_NOUNS).index(item[0][0]), item[0][1])):
        noun = _NOUNS[kind]
        if kind in ("card", "taxonomy", "schema"):
            yield f"`{field}` of the {noun}"
        else:
            things = f"{number:,} {noun}{'' if number == 1 else 's'}"
            yield f"`{field}` of {things}" if field else things
