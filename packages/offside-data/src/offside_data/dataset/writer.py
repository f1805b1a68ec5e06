"""Write the files of a dataset folder: Parquet part by part and batch by batch, the card, taxonomy and other texts."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.dataset import digest as digests
from offside_data.dataset.card import FILE_NAME, Card
from offside_data.dataset.card_block import PartFacts, TaxonomyFile
from offside_data.dataset.card_text import write_sections
from offside_data.dataset.decisions import DECISIONS_FILE, decisions_text
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.front_matter import REWRITTEN, Part, hub_metadata, stated_size
from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.storage import (
    ROWS_PER_BATCH,
    TABLES,
    PartWriter,
    Row,
    config_of,
    cut_by_picture,
    frame_schema,
    id_column,
)
from offside_data.errors import DatasetError, RecordError
from offside_data.processes import behind
from offside_data.schema import RECORD_PARTS, SCHEMA_VERSION
from offside_data.settings import settings_of, slices_of
from offside_data.taxonomy import Taxonomy, parse_taxonomy
from offside_data.validation import require_valid_rows

if TYPE_CHECKING:
    import polars as pl

TAXONOMY_FILE = "taxonomy.yaml"
CHANGELOG_FILE = "CHANGELOG.md"
TEXT_FILES = (FILE_NAME, DECISIONS_FILE, CHANGELOG_FILE, TAXONOMY_FILE)
"""The texts of a dataset, in which people write, too."""

Rewrite = Callable[[Iterator["pl.DataFrame"]], Iterator["pl.DataFrame"]]
"""Makes rows anew, batch by batch; ids, modality, split and picture stay what they are, and no row comes or goes."""
Late = Callable[[], Iterable[Row]]
"""Decisions that can be told only once all records are written."""


@dataclass(kw_only=True)
class Content:
    """What a dataset will hold.

    Args:
        card: Name, version, licence, `parent` and the prose are taken from it.
        taxonomy_text: `taxonomy.yaml`.
        changelog: `CHANGELOG.md`; null writes a first one.
        decisions: Lines of `decisions.jsonl`.
        rows_per_shard: Rows of a Parquet file, about; null for the default.
        base: The dataset that is changed; null for a new one.
        store: The files that pictures lie in.
        added: Records that come.
        updates: Fields of records that change, by `record_id`.
        removed: Ids of records that go.
        rewrite: Makes all records anew while they are written, those that come included.
        late: More decisions.
        tables: The tables as they will be.
    """

    card: Card
    taxonomy_text: str
    changelog: str | None = None
    decisions: list[Row] = field(default_factory=list)
    rows_per_shard: int | None = None
    base: OffsideDataset | None = None
    store: PictureStore
    added: list[pl.DataFrame] = field(default_factory=list)
    updates: list[pl.DataFrame] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    rewrite: Rewrite | None = None
    late: list[Late] = field(default_factory=list)
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def taxonomy(self) -> Taxonomy:
        """The taxonomy that `taxonomy_text` describes."""
        return parse_taxonomy(self.taxonomy_text, where=TAXONOMY_FILE)


@dataclass(kw_only=True)
class _Written:
    """A part as it was written, and what the card says of it."""

    part: Part
    facts: PartFacts
    slices: set[tuple[str | None, str | None]]


def write_content(content: Content, folder: Path) -> Card:
    """Write a dataset into an existing folder, for callers that see to it that it appears whole.

    Parts that nothing changes are linked, not written again.

    Returns:
        The card that was written.

    Raises:
        DatasetError: If there are no records.
        RecordError: If a record breaks the data model, or an id stands twice.
    """
    planned = _Plan(content)
    written = [done for part in RECORD_PARTS if (done := _write_records(folder, part, content, planned)) is not None]
    if not written:
        raise DatasetError(f"{content.card.name or folder}: no record was added; a dataset needs at least one.")
    planned.require_unique()
    # `datasets` can't load a file without rows.
    tables = [_write_table(folder, name, content) for name in TABLES if len(content.tables[name])]
    card = _make_card(content, written, [done.part for done in written] + tables)
    content.decisions += (decision for late in content.late for decision in late())
    for file, text in {
        TAXONOMY_FILE: content.taxonomy_text,
        DECISIONS_FILE: decisions_text(content.decisions),
        CHANGELOG_FILE: content.changelog or f"# Changelog\n\n## {card.version}\n\nFirst version.\n",
        FILE_NAME: card.text,
    }.items():
        (folder / file).write_text(text, encoding="utf-8", newline="\n")
    return card


# ---------------------------------------------------------------------------------------------
# What goes where


class _Plan:
    """Which rows every part will hold."""

    def __init__(self, content: Content) -> None:
        import polars as pl

        self._content = content
        self._stored = content.base.record_parts() if content.base else []
        self._ranks = {attribute: place for place, attribute in enumerate(content.taxonomy.names())}
        self._comes = bool(content.added)
        self._added = _by_part(content.added)
        touched = [frame["record_id"] for frame in content.updates] + [
            pl.Series(list(content.removed), dtype=pl.String)
        ]
        self._touched = pl.concat(touched).unique()
        self._moves = any({"split", "modality"} & set(frame.columns) for frame in content.updates)
        self._reorders = any("image_id" in frame.columns for frame in content.updates)
        self._names: list[pl.Series] = []

    def is_kept(self, part: str) -> bool:
        """Whether a part stays as it is."""
        base = self._content.base
        if base is None or part not in self._stored or part not in base.card.block.splits or self._content.rewrite:
            return False
        if self._moves or part in self._added or stated_size(base.card, part) is None:
            return False
        if not len(self._touched) and not self._comes:
            return True
        names = base.frame(part, ["record_id"])["record_id"]
        if names.is_in(self._touched.implode()).any():
            return False
        self._names.append(names)
        return True

    def batches(self, part: str) -> Iterator[pl.DataFrame]:
        """The rows of a part, sorted by picture; no batch ends between two rows of one picture."""
        base = self._content.base
        rewrite = self._content.rewrite or iter
        in_order = not self._moves and not self._reorders and part not in self._added
        if base is not None and part in self._stored and in_order and _is_sorted(base, part):
            yield from rewrite(map(self._sorted, self._changed(part)))
        else:
            yield from rewrite(self._gathered(part))

    def _gathered(self, part: str) -> Iterator[pl.DataFrame]:
        """The rows of a part whose files aren't in order, or that rows come into; those are given up then."""
        import polars as pl

        found = [pl.DataFrame(schema=frame_schema("multimodal")), *self._added.pop(part, ())]
        for source in self._stored if self._moves else [part] if part in self._stored else []:
            found += [self._of(batch, part) for batch in self._changed(source)]
        rows = self._sorted(pl.concat(found))
        found.clear()
        for start, end in cut_by_picture(rows, ROWS_PER_BATCH):
            yield rows[start:end]

    def note(self, names: pl.Series) -> None:
        """Remember the ids of rows that were written."""
        self._names.append(names)

    def require_unique(self) -> None:
        """Make sure that no id stands twice.

        Raises:
            RecordError: Naming the first.
        """
        import polars as pl

        if self._comes:
            names = pl.concat(self._names)
            twice = names.filter(names.is_duplicated())
            if len(twice):
                raise RecordError(
                    f"record {min(twice.to_list())} was added before; every record needs an id of its own."
                )

    def _of(self, rows: pl.DataFrame, part: str) -> pl.DataFrame:
        import polars as pl

        config, split = part.split("/")
        return rows.filter((pl.col("modality") == config) & (pl.col("split") == split))

    def _changed(self, part: str) -> Iterator[pl.DataFrame]:
        assert self._content.base is not None
        return map(self._applied, self._content.base.batches(part))

    def _applied(self, batch: pl.DataFrame) -> pl.DataFrame:
        """A batch with the updates, without the rows that go."""
        import polars as pl

        if self._content.removed:
            batch = batch.filter(~pl.col("record_id").is_in(self._content.removed))
        for update in self._content.updates:
            batch = batch.update(update, on="record_id", how="left", include_nulls=True)
        return batch

    def _sorted(self, rows: pl.DataFrame) -> pl.DataFrame:
        """By picture, then by attribute as the taxonomy lists them, whatever order records were added in."""
        import polars as pl

        rank = pl.col("attribute").replace_strict(self._ranks, default=-1, return_dtype=pl.Int32)
        return rows.sort(pl.col("image_id").fill_null(""), pl.col("subject_id").fill_null(""), rank, "record_id")


def _by_part(frames: list[pl.DataFrame]) -> dict[str, list[pl.DataFrame]]:
    """Rows by `config/split`; the frames are given up one after the other, so that no row is held twice."""
    found: dict[str, list[pl.DataFrame]] = {}
    while frames:
        parts = frames.pop(0).partition_by("modality", "split", as_dict=True)
        for (config, split), rows in parts.items():
            found.setdefault(f"{config}/{split}", []).append(rows)
    return found


def _is_sorted(base: OffsideDataset, part: str) -> bool:
    return base.frame(part, ["image_id"])["image_id"].fill_null("").is_sorted()


# ---------------------------------------------------------------------------------------------
# Parts


def _write_records(folder: Path, part: str, content: Content, planned: _Plan) -> _Written | None:
    """Write a part; null if it holds nothing.

    Raises:
        RecordError: If a record breaks the data model.
    """
    import polars as pl

    if planned.is_kept(part):
        return _keep(folder, part, content)
    config, split = part.split("/")
    taxonomy = content.taxonomy
    writer = PartWriter(folder / "data" / config, split, config, content.rows_per_shard)
    names, found, about = [], [], []
    with behind(writer.write) as write:
        for batch in planned.batches(part):
            if len(batch) == 0:
                continue
            require_valid_rows(batch, taxonomy)
            pictures = content.store.take(batch["image"].struct.unnest())
            leaves = digests.leaves(batch, digests.sha256_of(pictures))
            write(batch.with_columns(leaves.alias("content_hash")), pictures)
            names.append(batch["record_id"])
            found.append(leaves)
            about.append(batch.select("subject_id", "image_id", "scope", "rumor_channel").unique())
    files = writer.close()
    if not files:
        return None
    planned.note(pl.concat(names))
    said = pl.concat(about)
    written = Part(
        name=part,
        rows=writer.rows,
        digest=digests.frame_root(pl.concat(names), pl.concat(found)),
        files=files,
        size=writer.size,
    )
    facts = PartFacts(
        records=written.rows,
        subjects=said["subject_id"].drop_nulls().n_unique(),
        images=said["image_id"].drop_nulls().n_unique(),
        digest=written.digest,
    )
    return _Written(part=written, facts=facts, slices=set(said.select("scope", "rumor_channel").unique().rows()))


def _keep(folder: Path, part: str, content: Content) -> _Written:
    """A part that stays as it is: its files are linked, what the card says of it holds."""
    base = content.base
    assert base is not None
    files = []
    for path in base.files(part):
        files.append(folder / path.relative_to(base.path))
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(path, files[-1])
    facts, size = base.card.block.splits[part], stated_size(base.card, part)
    assert size is not None
    kept = Part(name=part, rows=facts.records, digest=facts.digest, files=files, size=size)
    pairs = base.frame(part, ["scope", "rumor_channel"]).unique().rows()
    return _Written(part=kept, facts=facts, slices=set(pairs))


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the disk can do that, else a copy. Our files are replaced, never written into."""
    try:
        os.link(os.path.realpath(source), target)  # A link to a link would lead nowhere from another folder.
    except OSError:
        shutil.copy2(source, target)


def _write_table(folder: Path, name: str, content: Content) -> Part:
    import polars as pl

    key = id_column(name)
    rows = content.tables[name].sort(pl.col(key).fill_null(""))
    pictures = content.store.take(rows["image"].struct.unnest()) if "image" in rows.columns else None
    leaves = digests.leaves(rows, digests.sha256_of(pictures) if pictures is not None else None)
    writer = PartWriter(folder / "tables", name, config_of(name))
    writer.write(rows, pictures)
    files = writer.close()
    return Part(name=name, rows=len(rows), digest=digests.frame_root(rows[key], leaves), files=files, size=writer.size)


# ---------------------------------------------------------------------------------------------
# Card


def _make_card(content: Content, written: Iterable[_Written], parts: list[Part]) -> Card:
    earlier, ours = content.card, {"offside-data": installed_version("offside-data")}
    written = list(written)
    roots = {part.name: part.digest for part in parts}
    roots["taxonomy"] = digests.taxonomy_digest(content.taxonomy)
    block = dataclasses.replace(
        earlier.block,
        schema_version=SCHEMA_VERSION,
        digest=digests.dataset_digest(roots),
        taxonomy=TaxonomyFile(file=TAXONOMY_FILE, digest=roots["taxonomy"]),
        splits={done.part.name: done.facts for done in written},
        settings=tuple(settings_of(slices_of({done.part.name: done.slices for done in written}))),
        created_with=ours | {name: v for name, v in earlier.block.created_with.items() if name not in ours},
    )
    title = str(earlier.data.get("pretty_name") or block.name)
    front = hub_metadata(parts, license=str(earlier.data.get("license") or "unknown"), title=title)
    said = {key: value for key, value in earlier.data.items() if key not in REWRITTEN}
    card = Card(block, {**front, **said}, earlier.body)
    write_sections(card)
    return card
