"""Export a dataset into a format that other people's trainers and evaluators read."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from offside_data.dataset.access import reads
from offside_data.dataset.card_text import FALSE_CLAIMS
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.storage import TABLES
from offside_data.errors import DatasetError
from offside_data.exporters._base import EXPORTERS, NEUTRAL, Exported, Loss, Selection
from offside_data.files import write_json, write_text
from offside_data.outputs import ensure_free, require_apart, whole_folder
from offside_data.plugins import require_known
from offside_data.schema import CONFIGS, SPLITS, Record

REPORT_FILE = "export.json"
"""What was exported, record by record; beside the format's own files."""

_NO_PLACE = "the format has no place for it"


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export did.

    Args:
        out: The folder.
        format: The exporter's name.
        dataset: Name, version and digest of what was exported, and its licence.
        records: How many records were to be exported.
        written: How many of them are in the export.
        files: The ids of the records in each file, in its order.
        rumors: The ids of the records in the export that are false on purpose.
        fields: By field that no record keeps in this format, how many records lost something with it.
        losses: What single records lost: themselves, or a field that others keep.
        tables: How many rows of each table stay behind; no format has a place for licences of pictures or for twins.
    """

    out: Path
    format: str
    dataset: dict[str, str]
    records: int
    written: int
    files: dict[str, list[str]]
    rumors: tuple[str, ...]
    fields: dict[str, int]
    losses: tuple[Loss, ...]
    tables: dict[str, int]

    def lost(self) -> list[tuple[str, int, str]]:
        """What is lost, how often, and why; whole records first."""
        single = Counter((loss.field or "", loss.why) for loss in self.losses)
        rows = [(name or "the whole record", number, why) for (name, why), number in sorted(single.items())]
        rows += [(name, number, _NO_PLACE) for name, number in self.fields.items()]
        return rows + [(f"rows of tables/{name}", number, _NO_PLACE) for name, number in self.tables.items() if number]

    def to_json(self) -> dict[str, Any]:
        """The report as plain values, but for the folder's place."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "out"}
        return {**plain, "losses": [dataclasses.asdict(loss) for loss in self.losses]}


@reads
def export_dataset(
    ref: str | Path,
    out: str | Path,
    format: str,
    *,
    configs: Sequence[str] = (),
    splits: Sequence[str] = (),
    force: bool = False,
) -> ExportReport:
    """Write the records of a dataset in another format, whole or not at all.

    Args:
        ref: A dataset reference.
        out: The folder to write.
        format: Name of an exporter.
        configs: Only records of these configs; all if empty.
        splits: Only records of these splits; all if empty.
        force: Replace an export that `out` holds; what else lies there stays.

    Returns:
        The report, which also lies in the export as `export.json` and, for people, in its `README.md`.

    Raises:
        PluginError: If the format is unknown; lists what is known.
        UsageError: If a config or split is unknown, or `out` and the dataset lie inside each other.
        DatasetError: If the dataset can't be read, or there is nothing to write.
        OutputExistsError: If `out` holds something and `force` is off.
    """
    out = Path(out)
    exporter = EXPORTERS.load(format)
    dataset = open_dataset(ref)
    require_apart(out, dataset.path, "dataset")
    ensure_free(out, force=force)
    selection = Selection(
        card=dataset.card, records=_chosen(dataset, configs, splits), subjects=dataset.table_rows("subjects")
    )
    with whole_folder(out, force=force) as folder:
        exported: Exported = exporter.write(selection, folder)
        exported.check_accounts(selection.records)
        if not exported.files:
            raise DatasetError(f"{dataset.path}: {format} holds none of these records:\n{_listed(exported.losses)}")
        written = exported.written
        report = ExportReport(
            out=out,
            format=format,
            dataset={
                "name": dataset.name,
                "version": dataset.version,
                "digest": dataset.digest,
                "license": str(dataset.card.data.get("license") or "unknown"),
            },
            records=len(selection.records),
            written=len(written),
            files=exported.files,
            rumors=tuple(r.record_id for r in selection.records if r.veracity == "rumor" and r.record_id in written),
            fields=_fields_without_place((r for r in selection.records if r.record_id in written), exporter.HOLDS),
            losses=tuple(exported.losses),
            tables={name: len(dataset.frame(name, [key])) for name, key in TABLES.items()},
        )
        dataset.require_unchanged()
        write_json(folder / REPORT_FILE, report.to_json())
        write_text(folder / "README.md", _readme(report, exported.front_matter))
    return report


def formats() -> list[str]:
    """Names of all formats that `export_dataset` knows."""
    return EXPORTERS.names()


def _chosen(dataset: OffsideDataset, configs: Sequence[str], splits: Sequence[str]) -> list[Record]:
    require_known("config", configs, CONFIGS)
    require_known("split", splits, SPLITS)
    there = dataset.record_parts()
    parts = [part.split("/") for part in there]
    chosen = [f"{c}/{s}" for c, s in parts if (not configs or c in configs) and (not splits or s in splits)]
    if not chosen:
        raise DatasetError(f"there are no such records to export; the dataset has {', '.join(there) or 'none'}.")
    return [record for part in chosen for record in dataset.iter_records(part=part)]


def _fields_without_place(records: Iterable[Record], holds: Sequence[str]) -> dict[str, int]:
    kept = {*holds, "record_id"}  # Which is in `export.json`.
    names = [f.name for f in dataclasses.fields(Record) if f.name not in kept]
    numbers = Counter(name for record in records for name in names if getattr(record, name) not in NEUTRAL)
    return {name: numbers[name] for name in names if numbers[name]}


def _listed(losses: Iterable[Loss]) -> str:
    return "\n".join(f"  {number} because {why}" for why, number in Counter(loss.why for loss in losses).items())


def _readme(report: ExportReport, front_matter: dict[str, Any]) -> str:
    """The README of an export: notice, origin, files, losses."""
    notice = f"{FALSE_CLAIMS[0]}** {len(report.rumors):,} of these records are rumours, not facts"
    front = f"---\n{yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True)}---\n\n" if front_matter else ""
    source = report.dataset
    files = [f"| `{name}` | {len(ids):,} |" for name, ids in report.files.items()]
    losses = [f"| {what} | {number:,} | {why} |" for what, number, why in report.lost()]
    return front + "\n".join(
        [
            f"# {source['name']} {source['version']} as {report.format}",
            "",
            f"> **{notice}: `{REPORT_FILE}` lists them under `rumors`. Don't quote them as facts.",
            "",
            f"Written by `offside-data export --format {report.format}`: {report.written:,} of {report.records:,} "
            f"records of `{source['name']}` {source['version']} (`{source['digest']}`), licence `{source['license']}`.",
            f"`{REPORT_FILE}` names the record behind each row, and each loss.",
            "",
            "| file | records |",
            "| --- | ---: |",
            *files,
            "",
            "| what is lost | number | why |",
            "| --- | ---: | --- |",
            *losses,
            "",
        ]
    )
