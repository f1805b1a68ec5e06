"""`croissant.json`: the dataset described in Croissant 1.1 with its responsible-AI vocabulary, for other tools.

One `FileObject` a Parquet file with its SHA-256; one record set a `config/split` of records and a table; one field a
column, structs and lists of structs with their sub-fields. A part of several files is read through a `FileSet`.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import id_column
from offside_data.errors import DatasetError
from offside_data.files import sha256_file, write_text
from offside_data.release.origins import with_origins
from offside_data.release.responsible import describe, description
from offside_data.schema import features_of

if TYPE_CHECKING:
    import mlcroissant as mlc

CROISSANT_FILE = "croissant.json"
PARQUET = "application/x-parquet"
_SAMPLE_ROWS = 3


def write_croissant(folder: Path, card: Card) -> None:
    """Write `croissant.json` into a dataset folder whose Parquet files and taxonomy are written.

    It is read back with `mlcroissant` before it appears.

    Raises:
        CardError: If the card's `croissant` mapping is malformed.
        DatasetError: If a Parquet file can't be read, or what was written can't be read back.
    """
    described = croissant_json(folder, card)
    _read_back(folder, described)
    write_text(folder / CROISSANT_FILE, _text(described))


def croissant_json(folder: Path, card: Card) -> dict[str, Any]:
    """What `croissant.json` of a dataset folder says, as plain JSON values.

    Args:
        folder: The folder, with its Parquet files and taxonomy.
        card: Its card, which need not be written yet.

    Raises:
        CardError: If the card or its `croissant` mapping is malformed.
        DatasetError: If a Parquet file can't be read.
    """
    dataset = OffsideDataset(folder, card)
    said = describe(folder, card)
    with _quiet():
        import mlcroissant as mlc

        distribution: list[mlc.FileObject | mlc.FileSet] = []
        record_sets = []
        for part in dataset.parts():
            files = [_file_object(path, folder) for path in dataset.files(part)]
            distribution += files
            source = {"file_object": files[0].id}
            if len(files) > 1:
                pattern = f"data/{part}-*.parquet"
                distribution.append(
                    mlc.FileSet(id=pattern, name=pattern, includes=[pattern], encoding_formats=[PARQUET])
                )
                source = {"file_set": pattern}
            record_sets.append(
                mlc.RecordSet(
                    id=part,
                    name=part,
                    key=[f"{part}/{id_column(part)}"],
                    fields=_fields(part, features_of(part.partition("/")[0]), source),
                )
            )
        for key in ("creators", "publisher"):
            said[key] = [mlc.Person(name=name) for name in said.get(key, ())]
        metadata = mlc.Metadata(
            name=card.name,
            description=description(card),
            version=card.version,
            license=[str(card.data.get("license_link") or card.data.get("license") or "unknown")],
            keywords=_texts(card.data.get("tags")),
            in_language=_texts(card.data.get("language")),
            date_published=datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0),
            distribution=distribution,
            record_sets=record_sets,
            **said,
        )
        described: dict[str, Any] = json.loads(json.dumps(metadata.to_json(), default=str))
    return with_origins(described, card)


def _file_object(path: Path, folder: Path) -> mlc.FileObject:
    import mlcroissant as mlc

    place = path.relative_to(folder).as_posix()
    return mlc.FileObject(
        id=place,
        name=place,
        content_url=place,
        content_size=f"{path.stat().st_size} B",
        encoding_formats=[PARQUET],
        sha256=sha256_file(path),
    )


def _fields(prefix: str, features: Mapping[str, Any], source: Mapping[str, str]) -> list[mlc.Field]:
    """The fields of a part's columns."""
    import mlcroissant as mlc
    from datasets import Image, List

    fields = []
    for column, feature in features.items():
        name = f"{prefix}/{column}"
        repeated = isinstance(feature, List) or None
        inner = feature.feature if repeated else feature
        if isinstance(inner, Mapping):
            children = [_leaf(f"{name}/{key}", column, child, source, key) for key, child in inner.items()]
            fields.append(mlc.Field(id=name, name=name, repeated=repeated, sub_fields=children))
        elif isinstance(inner, Image):
            fields.append(_leaf(name, column, inner, source, "bytes"))
        else:
            fields.append(_leaf(name, column, inner, source, repeated=repeated))
    return fields


def _leaf(
    name: str,
    column: str,
    feature: Any,
    source: Mapping[str, str],
    path: str | None = None,
    repeated: bool | None = None,
) -> mlc.Field:
    """A field that holds values; `path` leads to them inside the column."""
    import mlcroissant as mlc
    from datasets import Image

    kinds = {"string": mlc.DataType.TEXT, "int64": mlc.DataType.INTEGER, "float64": mlc.DataType.FLOAT}
    return mlc.Field(
        id=name,
        name=name,
        data_types=[mlc.DataType.IMAGE_OBJECT if isinstance(feature, Image) else kinds[feature.dtype]],
        repeated=repeated,
        source=mlc.Source(
            extract=mlc.Extract(column=column), transforms=[mlc.Transform(json_path=path)] if path else [], **source
        ),
    )


def _texts(value: Any) -> list[str]:
    return [str(item) for item in (value if isinstance(value, list) else [value]) if item]


def _text(described: Mapping[str, Any]) -> str:
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


# ---------------------------------------------------------------------------------------------
# Reading back


def _read_back(folder: Path, described: Mapping[str, Any]) -> None:
    """Read records of each record set with `mlcroissant`, from a copy that holds the first rows of each file.

    `mlcroissant` gives each row its own copy of its picture, so reading the files themselves could take many
    times their size.

    Raises:
        DatasetError: If it can't be read, or records lack columns.
    """
    with tempfile.TemporaryDirectory() as temporary, _quiet():
        import mlcroissant as mlc

        copy = Path(temporary)
        sample = json.loads(json.dumps(described))
        for item in sample["distribution"]:
            if "contentUrl" in item:
                item["sha256"] = _copy_first_rows(folder / item["contentUrl"], copy / item["contentUrl"])
        (copy / CROISSANT_FILE).write_text(_text(sample), encoding="utf-8")
        try:
            dataset = mlc.Dataset(jsonld=str(copy / CROISSANT_FILE))
            for record_set in sample["recordSet"]:
                expected = {field["@id"] for field in record_set["field"]}
                found = [set(record) for record in dataset.records(record_set["@id"])]
                if not found or any(columns != expected for columns in found):
                    raise ValueError(f"record set {record_set['@id']} has no records, or not all of its columns")
        except (mlc.ValidationError, mlc.GenerationError, ValueError, KeyError) as error:
            why = f"{error}" + (f" ({error.__cause__})" if error.__cause__ else "")
            raise DatasetError(
                f"{folder / CROISSANT_FILE}: mlcroissant can't read back what was to be written: {why}. "
                "If `offside-data check` finds nothing, this is a fault of offside-data: please report it."
            ) from error


def _copy_first_rows(source: Path, target: Path) -> str:
    """Copy the first rows of a Parquet file, and return the copy's SHA-256."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    target.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetFile(source) as file:
        rows = next(file.iter_batches(batch_size=_SAMPLE_ROWS))
        pq.write_table(pa.Table.from_batches([rows]), target)
    return sha256_file(target)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep `mlcroissant` off the user's terminal: it warns through three channels, also when all is well."""
    root, handler = logging.getLogger(), logging.NullHandler()
    disabled = root.manager.disable
    # `logging.warning` installs a handler of its own where there is none.
    root.addHandler(handler)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.removeHandler(handler)
