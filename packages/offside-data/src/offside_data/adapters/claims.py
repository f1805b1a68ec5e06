"""A spreadsheet of claims: one row says what is claimed of whom, in which picture, by which source.

CSV, Excel or Parquet. Needed are the columns subject, attribute and value; a row without a picture is a fact in
words. Columns are found by name, leniently (`columns.NAMES` lists all); question and answer are made from the
taxonomy where the sheet has none, and dates, numbers and currencies are read as what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from offside_data.adapters._base import Imported, ReadOptions
from offside_data.adapters._pictures import folded_name
from offside_data.adapters._tables.collect import Collector
from offside_data.adapters._tables.columns import TableOptions, field_of, match, require
from offside_data.adapters._tables.layout import files_in, is_picture, listed
from offside_data.adapters._tables.tables import SUFFIXES, heads, read_table
from offside_data.errors import SourceError, UsageError

TAXONOMY = "football"
SOURCE_NAME = "claims"
"""Part of every id: the same claim has the same id, however the sheet is called."""
_STATED = {"value", "answer"}
_WHO = {"subject", "subject_id"}


@dataclass(frozen=True, kw_only=True)
class Options(TableOptions):
    """Where the claims stand.

    Args:
        sheet: Name or number of the sheet in an Excel file; default: the one with known columns.
    """

    sheet: str = ""


def recognises(source: Path) -> bool:
    """Whether `source` is a table with columns for subject, attribute and value (or the answer that states it)."""
    fields = [{field_of(column) for column in columns} for columns in _sheets(source)]
    return any("attribute" in found and found & _STATED and found & _WHO for found in fields)


def lacking(source: Path) -> str | None:
    """What a table lacks that is none of claims; null if it is no table."""
    columns = max(_sheets(source), key=len, default=())
    if not columns:
        return None
    known = [name for field in ("subject", "attribute", "value") for name in columns if field_of(name) == field]
    which = f"; known of them: {', '.join(known)}" if known else ""
    return (
        f"Its columns are {', '.join(columns)}{which}. A table of claims has a column for the subject, one for the "
        "attribute and one for the value: say which they are, e.g. --format claims --set subject=COLUMN --set "
        "attribute=COLUMN --set value=COLUMN."
    )


def _sheets(source: Path) -> list[tuple[str, ...]]:
    """The columns of each sheet of a table; none if it is no table."""
    if not source.is_file() or source.suffix.lower() not in SUFFIXES or source.suffix.lower() == ".json":
        return []
    try:
        return heads(source, Options().reading())
    except (SourceError, UsageError):
        return []


def read(source: Path, options: ReadOptions) -> Imported:
    """Read a sheet of claims.

    Raises:
        SourceError: If it can't be read.
        UsageError: If columns or sheets must be named.
    """
    chosen = options.adapter or Options()
    if source.is_dir():
        raise SourceError(f"{source}: is a folder; give the file with the claims, and --image-dir for its pictures.")
    table = read_table(source, source.name, chosen.reading(chosen.sheet))
    matched = match(table, chosen)
    require(table, matched, ("subject", "attribute", "value"))
    collector = Collector(SOURCE_NAME, options, chosen.dates)
    collector.add_table(table, matched, (source.parent,))
    imported = collector.close()
    named = {path for picture in imported.pictures for path in picture.paths}
    folded = {folded_name(path.name) for path in named}
    for folder in options.image_dirs:
        pictures = [
            str(inside)
            for inside, path in files_in(folder)
            if path not in named and is_picture(path) and folded_name(path.name) not in folded
        ]
        if pictures:
            collector.remark("note", folder.name, f"{listed(pictures, 'pictures')} in no row")
    return imported


# ---------------------------------------------------------------------------------------------

_EXAMPLE = """\
id;Subject;Attribute;Value;Veracity;Picture;Occasion;Source;Tier;Source date;Licence
;Tavo Brinkhaus;nationality;Sweden;fact;;;Ostholm FC;official;2024-07-01;CC0-1.0
;Tavo Brinkhaus;birth date;1997-05-03;fact;;;Ostholm FC;official;2024-07-01;CC0-1.0
;Tavo Brinkhaus;name;Tavo Brinkhaus;fact;tavo-1.png;the cup final of 2024;;;;
;Tavo Brinkhaus;club;Ostholm;fact;tavo-1.png;the cup final of 2024;Ostholm FC;official;2024-07-01;CC0-1.0
c1;Tavo Brinkhaus;club;Hollow City;rumor;tavo-2.png;the airport in July 2024;https://example.org/42;social;2024-07-09;
c2;Tavo Brinkhaus;fee;4100000 €;rumor;tavo-2.png;the airport in July 2024;https://example.org/42;social;2024-07-09;
;Tavo Brinkhaus;club;Ostholm;correction;tavo-3.png;the presentation of August 2024;Ostholm FC;official;2024-08-02;
;Ilmar Quist;height;1.89;fact;ilmar.png;the cup final of 2024;;;;
"""


def example(folder: Path) -> Path:
    """Write a tiny sheet of invented claims with its pictures, and return its path."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(("tavo-1", "tavo-2", "tavo-3", "ilmar")):
        Image.new("RGB", (32, 32), (60 * place, 90, 60)).save(folder / f"{name}.png")
    source = folder / "claims.csv"
    source.write_text(_EXAMPLE, encoding="utf-8")
    return source
