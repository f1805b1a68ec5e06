"""Requests that were made of a model before the present one: what they were about, in a dataset as it is now.

Requests follow one another: a run starts from the model of the run before, and its receipt lists that as one of its
`parents`. What an earlier request was about is still to be forgotten: it must not count among what stays, and is asked
again (`offside-eval run`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from offside_data.figures import counted
from offside_data.run_manifest import ForgetRequest, Parent
from offside_data.schema import CONFIGS

if TYPE_CHECKING:
    import datasets

    from offside_data.dataset.folder import OffsideDataset

_SPLIT = "forget"
_COLUMNS = ("subject_id", "attribute", "scope", "image_id")
Claim = tuple[str | None, ...]


def claim_of(row: Mapping[str, Any]) -> Claim:
    """What a record is about, the same for its picture and its text form."""
    occasion = row["image_id"] if row["scope"] == "private" else None
    return row["subject_id"], row["attribute"], occasion


def claims_of(rows: datasets.Dataset) -> list[Claim]:
    """What each record is about; no picture is read."""
    columns: Iterable[Mapping[str, Any]] = rows.select_columns(list(_COLUMNS))
    return [claim_of(row) for row in columns]


@dataclass(frozen=True)
class EarlierRecords:
    """What a dataset holds of what an earlier request was about.

    Args:
        made: The model that it made, with the request.
        request: The records that it was about.
        rows: Those that are there, in the order of the dataset; null if none is.
        remark: What doesn't fit, in words: another version, records that are gone. Empty if all does.
    """

    made: Parent
    request: ForgetRequest
    rows: datasets.Dataset | None
    remark: str = ""

    def in_words(self) -> str:
        """`npo, selective, subject=A`."""
        return ", ".join(part for part in (self.made.method, self.made.setting, *(self.made.only or ())) if part)

    @property
    def n_found(self) -> int:
        """How many records are there."""
        return 0 if self.rows is None else len(self.rows)


def find_earlier(data: OffsideDataset, made: Sequence[Parent]) -> tuple[EarlierRecords, ...]:
    """Find the records of the earlier requests in a dataset, the oldest request first.

    By their ids, which stay the same from one version of a dataset to the next; what their questions and answers are
    now counts.

    Args:
        data: The dataset.
        made: The models that these requests made: `RunManifest.earlier`, or all its `requests`.
    """
    requests = [(parent, parent.forget) for parent in made if parent.forget is not None]
    if not requests:
        return ()
    parts = [data.records(form, _SPLIT) for form in CONFIGS if data.has(form, _SPLIT)]
    ids = [list(part["record_id"]) for part in parts]
    return tuple(_found(data, parent, request, parts, ids) for parent, request in requests)


def _found(
    data: OffsideDataset,
    made: Parent,
    request: ForgetRequest,
    parts: Sequence[datasets.Dataset],
    ids: Sequence[Sequence[str]],
) -> EarlierRecords:
    from datasets import concatenate_datasets

    wanted = set(request.record_ids)
    chosen = [part.select(at) for part, names in zip(parts, ids, strict=True) if (at := _places(names, wanted))]
    rows = concatenate_datasets(chosen) if chosen else None
    missing = len(wanted) - (0 if rows is None else len(rows))
    remarks = []
    then = made.dataset
    if then is not None and (then.name, then.digest) != (data.name, data.digest):
        was = f"{then.name} {then.version}"
        same = (then.name, then.version) == (data.name, data.version)
        remarks.append(f"made of {'another state of ' if same else ''}{was}")
    if missing:
        remarks.append(f"{missing} of {counted(len(wanted), 'record')} aren't in {data.name} {data.version}")
    return EarlierRecords(made, request, rows, "; ".join(remarks))


def _places(names: Sequence[str], wanted: set[str]) -> list[int]:
    return [number for number, name in enumerate(names) if name in wanted]


def without_earlier(rows: datasets.Dataset, earlier: Sequence[EarlierRecords]) -> datasets.Dataset:
    """The records without those that an earlier request was about, in either form (picture or text).

    What is known of the same subjects from pictures that no request was about stays.
    """
    claims = {claim for found in earlier if found.rows is not None for claim in claims_of(found.rows)}
    if not claims or _SPLIT not in rows.unique("split"):
        return rows
    splits = rows["split"]
    left = [i for i, claim in enumerate(claims_of(rows)) if splits[i] != _SPLIT or claim not in claims]
    return rows if len(left) == len(rows) else rows.select(left)
