"""Requests: what exactly is to be forgotten, what must survive; and which settings a dataset offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from offside_data.dataset import digest as digests
from offside_data.errors import UsageError
from offside_data.limits import LIST
from offside_data.plugins import did_you_mean
from offside_data.reading import read_small
from offside_data.settings import Setting, Slice, get_setting, why_not

if TYPE_CHECKING:
    import datasets


ONLY_FORMS = "subject=ID, attribute=NAME or file=PATH (one record id a line)"
_LISTED = 20  # Longer lists would hide the message.


class Requestable(Protocol):
    """What a request is made of: an opened dataset."""

    path: Path

    @property
    def name(self) -> str:
        """Name of the dataset."""

    @property
    def version(self) -> str:
        """Its version."""

    def settings(self) -> list[str]:
        """The settings that it offers."""

    def has(self, config: str, split: str) -> bool:
        """Whether there are records of this config and split."""

    def slice(self, part: Slice) -> datasets.Dataset:
        """The records of a slice."""

    def slices(self) -> set[str]:
        """Names of the slices that aren't empty."""


@dataclass(frozen=True)
class Request:
    """One request to forget.

    Args:
        setting: The setting it is made in.
        forget: The records to be unlearned.
        keep: The records that must survive, by the name of their slice.
        rest: Records of the setting's forget set that `only` left out: they must survive too; null
            without `only`.
        record_ids: Ids of `forget`, sorted.
        digest: `sha256:…` over those ids.
    """

    setting: Setting
    forget: datasets.Dataset
    keep: dict[str, datasets.Dataset]
    rest: datasets.Dataset | None
    record_ids: list[str]
    digest: str


def make_request(dataset: Requestable, name: str, only: Sequence[str] = ()) -> Request:
    """The request that `setting` makes of a dataset, narrowed by `only`.

    Items of one kind add up, kinds narrow each other: `subject=A`, `subject=B`, `attribute=fee` are
    the fees of A and B.

    Raises:
        UsageError: If the dataset doesn't offer the setting, or an item of `only` fits no record.
    """
    from datasets import concatenate_datasets

    setting = get_setting(name)
    _require_offered(dataset, setting)
    whole = concatenate_datasets([dataset.slice(part) for part in setting.forget])
    chosen = _choose(whole, only, f"the forget set of setting {name!r} of {dataset.name}")
    forget = whole.select(chosen) if only else whole
    picked = set(chosen)
    rest = whole.select([i for i in range(len(whole)) if i not in picked]) if only else None
    ids = sorted(forget["record_id"])
    return Request(
        setting=setting,
        forget=forget,
        keep={part.name: dataset.slice(part) for part in setting.keep if dataset.has(part.config, part.split)},
        rest=rest,
        record_ids=ids,
        digest=digests.ids_digest(ids),
    )


def _require_offered(dataset: Requestable, setting: Setting) -> None:
    if setting.name in dataset.settings():
        return
    reason = why_not(setting, dataset.slices()) or "its card doesn't list it"
    offered = ", ".join(dataset.settings()) or "none"
    raise UsageError(
        f"{dataset.name} {dataset.version} ({dataset.path}) doesn't offer the setting {setting.name!r}: "
        f"{reason}. It offers: {offered}."
    )


def _choose(rows: datasets.Dataset, only: Sequence[str], where: str) -> list[int]:
    """Indices of the rows that all kinds of `only` choose."""
    columns = {"subject": "subject_id", "attribute": "attribute", "file": "record_id"}
    wanted: dict[str, set[str]] = {}
    for item in only:
        kind, equals, value = item.partition("=")
        if kind not in columns or not equals or not value.strip():
            raise UsageError(f"--only takes {ONLY_FORMS}; got {item!r}.")
        named = _read_ids(Path(value.strip())) if kind == "file" else [value.strip()]
        wanted.setdefault(kind, set()).update(named)
    chosen = set(range(len(rows)))
    for kind, values in wanted.items():
        column = list(rows[columns[kind]])
        for value in sorted(values - set(column)):
            raise UsageError(_not_there(columns[kind], value, sorted(set(column)), where))
        chosen &= {i for i, value in enumerate(column) if value in values}
    if not chosen:
        raise UsageError(f"no record of {where} fits --only {' '.join(only)}." if only else f"{where} is empty.")
    return sorted(chosen)


def _not_there(column: str, value: str, known: list[str], where: str) -> str:
    listed = f" There are: {', '.join(known)}." if len(known) <= _LISTED else f" There are {len(known)} others."
    return f"--only: no record of {where} has {column} {value!r}.{did_you_mean(value, known)}{listed}"


def _read_ids(path: Path) -> list[str]:
    try:
        lines = read_small(path, error=UsageError, limit=LIST).splitlines()
    except OSError as error:
        raise UsageError(f"--only file={path}: can't be read: {error}.") from error
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise UsageError(f"--only file={path}: holds no record id; write one a line.")
    return ids
