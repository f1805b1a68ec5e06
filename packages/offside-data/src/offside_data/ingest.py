"""Import a published dataset: find its format, read it, parse values, load pictures, write a folder."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.adapters._base import (
    ADAPTERS,
    Imported,
    Picture,
    ReadOptions,
    Remark,
    adapter_options,
    recognise,
)
from offside_data.dataset.decisions import make_decision
from offside_data.dataset.foreign import what_it_is
from offside_data.dataset.journal import scratch_folder
from offside_data.dataset.pictures import PictureSpool, PictureStore, StoredImage
from offside_data.dataset.replacing import ensure_place, tombstones_in
from offside_data.dataset.storage import frame_schema
from offside_data.dataset.transaction import new_dataset
from offside_data.errors import SourceError, TaxonomyError, listed
from offside_data.images.ahead import PictureWork
from offside_data.images.intake import (
    BadPicture,
    Intake,
    LoadedPicture,
    load_pictures,
    reject_records,
    write_quarantine,
)
from offside_data.invisible import ALWAYS, invisible_in
from offside_data.limits import CARD
from offside_data.outputs import require_apart, taken_folder
from offside_data.processes import rare_collections
from offside_data.reading import read_small
from offside_data.tagging.facts import with_facts
from offside_data.tagging.readings import with_values
from offside_data.tagging.suspects import flag_contradictions
from offside_data.tagging.untagged import fit_taxonomy
from offside_data.tagging.values import why_unparsed
from offside_data.takedown.readmission import reject_taken_down
from offside_data.takedown.tombstones import traces_of
from offside_data.taxonomy import (
    Taxonomy,
    load_taxonomy,
    shipped_taxonomies,
    shipped_taxonomy_text,
)

if TYPE_CHECKING:
    from types import ModuleType

    import polars as pl

LICENSE_NOTICE = (
    "**Licence.** The texts come from a published benchmark under its own licence, and the rights in its "
    "pictures are unclear. Find out before you pass this dataset on; `license: other` says no more than that."
)
SHOWN = 5
"""How many examples an error message names."""


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """How to import.

    Args:
        name: Name of the dataset; the format's name if empty.
        license: A Hub licence identifier for the card.
        image_dirs: Folders to look for pictures in, besides the usual places.
        repair_text: Mend artefacts of the published text; `source_record` keeps the original.
        skip_bad: Leave unusable rows, and rows whose picture is unusable, out (each is listed) instead of stopping.
        taxonomy: Name of a shipped taxonomy or path of one, instead of the adapter's.
        settings: Options of the adapter by name, as text.
    """

    name: str = ""
    license: str = "other"
    image_dirs: tuple[Path, ...] = ()
    repair_text: bool = True
    skip_bad: bool = False
    taxonomy: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What an import did.

    Args:
        out: The dataset folder.
        format: The adapter's name.
        rows: Source rows.
        records: Records written.
        splits: Records by `config/split`.
        subjects: How many subjects.
        pictures: How many pictures the records refer to.
        with_images: Whether their pixels are in the dataset.
        quarantined: Pictures that can't be used, kept in `.offside/quarantine/`; their records are rejected.
        remarks: Every row or record that isn't plainly imported, with the reason.
    """

    out: Path
    format: str
    rows: int
    records: int
    splits: dict[str, int]
    subjects: int
    pictures: int
    with_images: bool
    quarantined: tuple[BadPicture, ...]
    remarks: tuple[Remark, ...]

    def count(self, kind: str) -> int:
        """How many remarks of a kind there are."""
        return sum(remark.kind == kind for remark in self.remarks)

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain["out"] = str(self.out)
        plain["quarantined"] = [picture.to_json() for picture in self.quarantined]
        plain["remarks"] = [dataclasses.asdict(remark) for remark in self.remarks]
        return plain


def ingest(
    source: str | Path,
    out: str | Path,
    format: str = "auto",
    *,
    with_images: bool = True,
    force: bool = False,
    config: IngestConfig | None = None,
) -> IngestReport:
    """Import a published dataset into a new dataset folder.

    Args:
        source: A file or folder in the format.
        out: The dataset folder to write.
        format: Name of an adapter, or `auto`.
        with_images: Load the pictures; without, records keep `image_id` and have no image.
        force: Replace a dataset that `out` holds, and nothing else in it. Who was taken down from it stays out, what
            was released of it stays kept.
        config: Everything else.

    Returns:
        The report; `decisions.jsonl` of the dataset lists the same remarks.

    Raises:
        SourceError: If the source, one of its rows or pictures can't be used; nothing is written then.
        MissingImagesError: If pictures aren't there.
        PluginError: If the format is unknown.
        UsageError: If `out` overlaps the source or a folder of pictures.
        OutputExistsError: If `out` holds something that may not be replaced.
        FolderInUseError: If another process fills or changes it.
    """
    source, out, config = Path(source), Path(out), config or IngestConfig()
    if source.exists() and (what := what_it_is(source)):
        raise SourceError(f"{source}: is {what}")
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder.{_download_hint(str(source))}")
    name = recognise(source) if format == "auto" else format
    require_apart(out, source, "source")
    for folder in config.image_dirs:
        require_apart(out, folder, "folder of pictures")
    with taken_folder(out, lambda: ensure_place(out, name=config.name or name, force=force)), rare_collections():
        return _ingest(source, out, name, config, with_images=with_images, force=force)


def _ingest(
    source: Path, out: Path, name: str, config: IngestConfig, *, with_images: bool, force: bool
) -> IngestReport:
    """As `ingest`, in a folder that nobody else changes meanwhile."""
    adapter = ADAPTERS.load(name)
    roots = [source if source.is_dir() else source.parent, *config.image_dirs]
    with scratch_folder(out) as scratch, PictureWork(roots) as work:
        imported = _read(source, name, config, work if with_images else None)
        store = PictureStore()
        intake = _take_in_pictures(imported, work, config, store, scratch) if with_images else Intake()
        reject_taken_down(imported, intake, traces_of(tombstones_in(out)))
        imported.check_accounts()
        taxonomy_text = _fitted(config.taxonomy or adapter.TAXONOMY, imported)
        with new_dataset(
            out,
            name=config.name or name,
            taxonomy=taxonomy_text,
            license=config.license,
            pretty_name=config.name or f"{name} (imported)",
            description=_description(adapter, config.license),
            force=force,
        ) as new:
            new.store = store
            records = _finished(imported, new.taxonomy)
            imported.remarks += _remarks_on(records, new.taxonomy)
            new.add_frame(_with_images(records, intake.loaded))
            new.add_subjects({"cohort": "member", **row} for row in imported.subjects)
            new.set_table("subjects", with_facts(new.tables["subjects"], records, new.taxonomy))
            new.add_images(_image_rows(imported.pictures, intake.loaded, name))
            new.decide(_decisions(imported.remarks, intake.bad, f"ingest --format {name}"))
            new.also_write(lambda folder: write_quarantine(folder, intake.bad))
            splits, pictures = _counted(records), len(imported.pictures)
            # Everything is written now, and needs the memory.
            del records
            imported.pictures.clear()
            intake.loaded.clear()
    return IngestReport(
        out=out,
        format=name,
        rows=imported.rows,
        records=sum(splits.values()),
        splits=splits,
        subjects=len(imported.subjects),
        pictures=pictures,
        with_images=with_images,
        quarantined=tuple(intake.bad),
        remarks=tuple(imported.remarks),
    )


def _fitted(source: str, imported: Imported) -> str:
    return fit_taxonomy(_taxonomy_text(source), {attribute for (attribute,) in imported.records.columns("attribute")})


def _counted(records: pl.DataFrame) -> dict[str, int]:
    """How many records there are, by `config/split`."""
    counts = sorted(records.group_by("modality", "split").len().iter_rows())
    return {f"{modality}/{split}": count for modality, split, count in counts}


def _read(source: Path, name: str, config: IngestConfig, work: PictureWork | None) -> Imported:
    """What the adapter reads, with every row accounted for; `work` begins with the pictures."""
    adapter = ADAPTERS.load(name)
    options = ReadOptions(
        taxonomy=load_taxonomy(config.taxonomy or adapter.TAXONOMY),
        image_dirs=config.image_dirs,
        repair_text=config.repair_text,
        adapter=adapter_options(name, config.settings),
        expect=work.expect if work else None,
    )
    imported: Imported = adapter.read(source, options)
    imported.check_accounts()
    _stop_at_bad_rows(imported, source, skip_bad=config.skip_bad)
    imported.remarks += _left_out_unseen(imported)
    return imported


def _left_out_unseen(imported: Imported) -> list[Remark]:
    """A note on each row whose question or answer held invisible characters; tables told it of any cell."""
    import polars as pl

    said = {(remark.file, remark.index) for remark in imported.remarks if remark.kind == "note"}
    remarks = []
    texts = pl.concat_str(pl.col("question"), pl.col("answer"), separator=" ")
    for frame in imported.records.frames("source_record"):
        rows = frame.drop_nulls().unnest("source_record").filter(texts.str.contains(f"[{ALWAYS}]"))
        for file, index, text in rows.select("file", "index", texts).iter_rows():
            if (file, index) not in said:
                why = f"left out of its texts, for nobody sees it: {', '.join(invisible_in(text))}"
                remarks.append(Remark(kind="note", file=file, index=index, why=why))
    return remarks


def _download_hint(source: str) -> str:
    """What to do if a source that isn't there is called like a dataset of the Hub."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        return ""
    return (
        " A dataset of the Hub must be downloaded first: "
        f"hf download {source} --repo-type dataset --local-dir FOLDER (or huggingface-cli download …)."
    )


def formats() -> list[str]:
    """Names of all formats that `ingest` knows."""
    return ADAPTERS.names()


# ---------------------------------------------------------------------------------------------
# Rows and values


def _stop_at_bad_rows(imported: Imported, source: Path, *, skip_bad: bool) -> None:
    bad = [remark for remark in imported.remarks if remark.kind == "rejected"]
    if bad and (not skip_bad or not imported.records):
        shown = listed(bad, shown=SHOWN)
        way_out = "Correct the source" + (", or leave these rows out with --skip-bad." if imported.records else ".")
        raise SourceError(f"{source}: {len(bad)} of {imported.rows} rows can't be used:\n{shown}\n{way_out}")
    if not imported.records:
        raise SourceError(f"{source}: holds no records.")


def _finished(imported: Imported, taxonomy: Taxonomy) -> pl.DataFrame:
    """The records with their values, those flagged that contradict others; they are no longer in `imported`."""
    import polars as pl

    schema = frame_schema("multimodal")
    frames = [pl.DataFrame(schema=schema)]
    for frame in imported.records.frames():
        missing = [pl.lit(None, schema[name]).alias(name) for name in schema if name not in frame.columns]
        frames.append(frame.with_columns(missing).select(list(schema)).cast(schema))
    imported.records = []
    records = with_values(pl.concat(frames), taxonomy)
    frames.clear()
    return flag_contradictions(records, taxonomy)


def _remarks_on(records: pl.DataFrame, taxonomy: Taxonomy) -> list[Remark]:
    """A remark on each record that is suspect, and on each whose value isn't readable."""
    import polars as pl

    unparsed = pl.col("value").is_null() & pl.col("attribute").is_not_null()
    columns = ("record_id", "source_record", "suspect", "attribute", "answer", "value")
    remarks = []
    for row in records.select(columns).filter(unparsed | pl.col("suspect").is_not_null()).iter_rows(named=True):
        place = row["source_record"]
        file, index = (place["file"], place["index"]) if place else ("", None)
        if row["suspect"] is not None:
            remarks.append(
                Remark(kind="suspect", file=file, index=index, why=row["suspect"], record_id=row["record_id"])
            )
        if row["value"] is None and row["attribute"] is not None:
            why = why_unparsed(row["answer"], taxonomy[row["attribute"]])
            remarks.append(Remark(kind="unparsed", file=file, index=index, why=why, record_id=row["record_id"]))
    return remarks


def _decisions(remarks: Iterable[Remark], bad: Iterable[BadPicture], command: str) -> list[dict[str, Any]]:
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    said: list[tuple[str, dict[str, Any], str]] = [
        (remark.kind, {"file": remark.file, "index": remark.index, "record_id": remark.record_id}, remark.why)
        for remark in remarks
    ]
    for picture in bad:
        what = picture.to_json()
        said.append(("quarantined", what, what.pop("reason")))
    return [make_decision(kind, what, why, command=command, when=when) for kind, what, why in said]


# ---------------------------------------------------------------------------------------------
# Pictures


def _take_in_pictures(
    imported: Imported, work: PictureWork, config: IngestConfig, store: PictureStore, scratch: Path
) -> Intake:
    """Load the pictures into a file of `scratch`, and reject the records of those that can't be used."""
    spool = PictureSpool(store, scratch / "pictures.parquet")
    try:
        intake = load_pictures(imported, work, skip_bad=config.skip_bad, spool=spool)
    finally:
        spool.close()
    reject_records(imported, intake.bad)
    imported.check_accounts()
    imported.remarks += intake.remarks
    return intake


def _with_images(records: pl.DataFrame, images: Mapping[str, LoadedPicture]) -> pl.DataFrame:
    """The records, those that ask about a picture with its place."""
    import polars as pl

    place = frame_schema("multimodal")["image"]
    places = [loaded.image.place() for loaded in images.values() if isinstance(loaded.image, StoredImage)]
    known = pl.DataFrame({"image_id": list(images), "place": places}, schema={"image_id": pl.String, "place": place})
    # Joined by one column alone: a join of whole records would copy them all.
    found = records.select("image_id").join(known, on="image_id", how="left", maintain_order="left")["place"]
    return records.with_columns(pl.when(pl.col("modality") == "multimodal").then(found).alias("image"))


def _image_rows(pictures: Iterable[Picture], images: Mapping[str, LoadedPicture], adapter: str) -> list[dict[str, Any]]:
    return [
        {
            "image_id": picture.image_id,
            "subject_id": picture.subject_id,
            "split": picture.split,
            "derived_from": picture.derived_from,
            "occasion": picture.occasion,
            "license": picture.license,
            "source": f"{adapter}:{picture.key}",
            **(images[picture.image_id].columns if picture.image_id in images else {}),
        }
        for picture in pictures
    ]


# ---------------------------------------------------------------------------------------------
# Tables and card


def _taxonomy_text(source: str) -> str:
    if source in shipped_taxonomies():
        return shipped_taxonomy_text(source)
    return read_small(source, error=TaxonomyError, limit=CARD)


def _description(adapter: ModuleType, license: str) -> str:
    first = (adapter.__doc__ or "").strip().split("\n", 1)[0]
    return f"Imported by `offside-data ingest`. {first}" + (f"\n\n{LICENSE_NOTICE}" if license == "other" else "")
