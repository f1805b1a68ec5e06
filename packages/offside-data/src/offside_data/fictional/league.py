"""Write a fictional league as a dataset."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from offside_data.dataset.card import Card
from offside_data.dataset.transaction import new_dataset
from offside_data.errors import UsageError
from offside_data.fictional import tables
from offside_data.fictional.distinct import DistinctPictures, Drawing
from offside_data.fictional.general import draw_general
from offside_data.fictional.looks import UsedLooks, looks
from offside_data.fictional.pictures import check_subjects
from offside_data.fictional.portraits import draw_portraits
from offside_data.fictional.records import LICENSE, RecordBuilder
from offside_data.fictional.world import load_world
from offside_data.progress import track
from offside_data.schema import EncodedImage, Split
from offside_data.takedown.names import Traces
from offside_data.takedown.tombstones import is_taken_down, traces_of

GENERAL_PICTURES = 320
"""Pictures of the split `general`, whatever the size of the league: enough for a tiny model to learn from."""
UTILITY_PICTURES = 60
"""Pictures of the split `utility`."""
_READ_BY_UTILITY = 10
_KNOWN_LOOKS = 125


@dataclass(frozen=True, slots=True)
class LeagueSummary:
    """What was written.

    Args:
        path: The dataset's folder.
        digest: Its digest.
        subjects: Members and holdouts.
        pictures: Pictures that records are about.
        visual_rumors: How many of them show their rumour.
        redrawn: How many pictures were drawn again because they looked like another.
        records: Records by `config/split`.
    """

    path: Path
    digest: str
    subjects: int
    pictures: int
    visual_rumors: int
    redrawn: int
    records: dict[str, int]


def make_league(
    out: str | Path,
    *,
    subjects: int = 80,
    seed: int = 0,
    taxonomy: str = "football",
    force: bool = False,
    rows_per_shard: int | None = None,
    general: int = GENERAL_PICTURES,
    utility: int = UTILITY_PICTURES,
    captions: int = 0,
) -> LeagueSummary:
    """Write a fictional league to the folder `out`.

    The same seed gives the same dataset. A subject's name, face, facts, claims and pictures are the
    same in a smaller and a larger league of one seed; wrong answers are taken from the others, so they
    differ, and so do the people in general pictures beyond 100 subjects.

    Args:
        out: A new or empty folder, or one that holds a dataset and, with `force`, gets this one instead.
        subjects: Members of the league; a quarter as many holdouts come on top.
        seed: Seed of everything random.
        taxonomy: Name of a file in `offside_data.fictional.worlds`, which says who the subjects are.
        force: Replace a dataset that `out` holds. What was released of it, and its tombstones, stay.
        rows_per_shard: Rows a Parquet file; null leaves it to the writer.
        general: Pictures of the split `general`.
        utility: Pictures of the split `utility`.
        captions: Pictures of the split `general`, on top, of strangers beside a caption that answers what is asked
            about a visual rumour: who learns them learns to read. A tenth as many come into `utility`.

    Raises:
        UsageError: If there are too few subjects, no such world, or one of them was taken down from what `out` holds.
        OutputExistsError: If `out` already holds something that may not be replaced.
    """
    check_subjects(subjects)
    if captions < 0:
        raise UsageError(f"captions is {captions}; allowed: 0 or more.")
    world = load_world(taxonomy)
    builder = RecordBuilder(seed=seed, members=subjects, world=world)
    writing = new_dataset(
        Path(out),
        name=world.name,
        taxonomy=world.taxonomy_text,
        license=LICENSE,
        pretty_name=world.title,
        description=world.description,
        force=force,
        rows_per_shard=rows_per_shard,
        created_with=_created_with(subjects, seed),
    )
    with writing as writer:
        _require_nobody_back(builder, traces_of(writer.decisions), Path(out))
        distinct = DistinctPictures()
        drawing = draw_portraits(builder.pictures, builder.seed, world.scenery, distinct)
        portraits = list(track(drawing, "drawing", total=len(builder.pictures)))
        known = UsedLooks(looks(builder.seed, max(_KNOWN_LOOKS, len(builder.subjects))))
        counts: dict[Split, int] = {"general": general, "utility": utility}
        read: dict[Split, int] = {"general": captions, "utility": captions // _READ_BY_UTILITY}
        others = list(draw_general(counts, read, builder.seed, known, world, distinct))
        records = list(builder.subject_records({p.picture.key: _encoded(p.picture.key, p.drawing) for p in portraits}))
        for picture in others:
            records += builder.general_records(picture, _encoded(picture.key, picture.drawing))
        writer.add_records(records)
        writer.add_subjects(tables.subject_rows(builder.subjects))
        writer.add_images([*tables.portrait_rows(builder, portraits), *tables.general_rows(builder, others)])
    return LeagueSummary(
        path=Path(out),
        digest=Card.load(Path(out)).digest,
        subjects=len(builder.subjects),
        pictures=len({record.image_id for record in records if record.image}),
        visual_rumors=sum(picture.panel is not None for picture in builder.pictures),
        redrawn=sum(d.attempt > 0 for d in [p.drawing for p in portraits] + [p.drawing for p in others]),
        records=dict(Counter(f"{record.modality}/{record.split}" for record in records)),
    )


def _require_nobody_back(builder: RecordBuilder, gone: Traces, out: Path) -> None:
    """Refuse to make somebody anew who was taken down.

    Raises:
        UsageError: If somebody was.
    """
    back = sum(is_taken_down(gone, subject.subject_id, subject.name) for subject in builder.subjects)
    if back:
        raise UsageError(
            f"{out}: {back} of the league's subjects {'was' if back == 1 else 'were'} taken down from this dataset, "
            "and would be back. Give another output folder."
        )


def _created_with(subjects: int, seed: int) -> dict[str, str]:
    import PIL
    from PIL import features

    # Which Pillow and FreeType drew the pictures decides their bytes.
    versions = {"pillow": PIL.__version__, "freetype": features.version("freetype2") or "none"}
    return {**versions, "subjects": str(subjects), "seed": str(seed)}


def _encoded(key: str, drawing: Drawing) -> EncodedImage:
    return EncodedImage(bytes=drawing.data, path=tables.file_name(key))
