from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from offside_data.dataset import storage
from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of
from offside_data.dataset.storage import (
    PartWriter,
    cut_by_picture,
    groups_by_picture,
    read_batches,
    read_table,
    unpacked_size,
    write_file,
)
from offside_data.errors import DatasetError
from offside_data.schema import EncodedImage, Record, Source, features_of


def picture_rows(make_record: Callable[..., Record], pictures: list[bytes], each: int) -> list[dict[str, Any]]:
    return [
        make_record(
            record_id=f"r{number}-{i}",
            image_id=f"i{number}",
            image=EncodedImage(bytes=data, path=f"{number}.png"),
        ).to_row()
        for number, data in enumerate(pictures)
        for i in range(each)
    ]


def write_part(folder: Path, rows: list[dict[str, Any]], config: str, per_shard: int | None = None) -> PartWriter:
    """Write rows as a part of a dataset; the files are called after the split `forget`."""
    store = PictureStore()
    frame = frame_of(rows, config, store)
    writer = PartWriter(folder, "forget", config, per_shard)
    writer.write(frame, store.take(frame["image"].struct.unnest()) if "image" in frame.columns else None)
    return writer


def starts(pictures: list[str | None], size: int) -> list[int]:
    frame = pl.DataFrame({"image_id": pictures}, schema={"image_id": pl.String})
    return [start for start, _ in cut_by_picture(frame, size)]


def test_groups_never_cut_a_picture_apart() -> None:
    assert starts(list("aaabbc"), 2) == [0, 3, 5]
    assert starts(list("aaabbc"), 4) == [0, 5]
    assert starts(list("aaabbc"), 100) == [0]
    assert starts([], 2) == []


def groups(pictures: list[str | None], size: int) -> list[tuple[int, int]]:
    frame = pl.DataFrame({"image_id": pictures}, schema={"image_id": pl.String})
    return groups_by_picture(frame, size)


def test_row_groups_have_a_largest_size() -> None:
    assert groups(list("aaabbc"), 3) == [(0, 3), (3, 6)]
    assert groups(list("aaabbc"), 5) == [(0, 5), (5, 6)]
    assert groups(list("aaabbc"), 2) == [(0, 2), (2, 3), (3, 5), (5, 6)]
    assert groups([None] * 5, 2) == [(0, 2), (2, 4), (4, 5)]
    assert groups([], 2) == []


def test_rows_of_any_features_are_cut_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PICTURES_PER_GROUP", 4)
    rows = [{"record_id": f"r{n}", "image_id": picture} for n, picture in enumerate("aaabbccccccd")]
    write_file(tmp_path / "a.parquet", rows, features_of("multimodal"))
    metadata = pq.ParquetFile(tmp_path / "a.parquet").metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [3, 2, 4, 3]
    assert pq.read_table(tmp_path / "a.parquet")["record_id"].to_pylist() == [row["record_id"] for row in rows]


def test_rows_without_a_picture_may_be_cut_anywhere() -> None:
    assert starts([None] * 5, 2) == [0, 2, 4]


def test_a_shared_picture_is_stored_once(
    tmp_path: Path, make_record: Callable[..., Record], make_png: Callable[..., bytes]
) -> None:
    pictures = [make_png(seed, 96) for seed in range(60)]  # 28 KB each: 1.6 MB, above the default limit.
    rows = picture_rows(make_record, pictures, 14)
    writer = write_part(tmp_path, rows, "multimodal")
    (path,) = writer.close()
    unique = sum(map(len, pictures))
    assert path.stat().st_size <= 1.2 * unique
    assert writer.size > 14 * unique
    metadata = pq.ParquetFile(path).metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [98] * 8 + [56]
    table = read_table([path], features_of("multimodal"))
    assert table.nbytes < 2 * unique
    assert unpacked_size(table) > 14 * unique


def test_a_release_s_parquet_is_at_most_a_fifth_larger_than_its_pictures(
    tmp_path: Path,
    make_record: Callable[..., Record],
    make_png: Callable[..., bytes],
    write_dataset: Callable[..., Any],
) -> None:
    """Fourteen claims a picture with all that a finished record holds, over the splits, and the text form."""
    splits = ("retain", "retain", "retain", "forget", "relearn", "test")
    sentences = tuple(f"The player was with Norvale Rovers number {n}." for n in range(8))
    records = []
    for picture in range(60):
        image = EncodedImage(bytes=make_png(picture, 96), path=f"{picture}.png")
        for claim in range(14):
            common: dict[str, Any] = {
                "image_id": f"i{picture}",
                "subject_id": f"s{picture // 6 % 4 + 1}",
                "split": splits[picture % 6],
                "question_paraphrases": sentences[:2],
                "answer_paraphrases": sentences[2:4],
                "perturbed_answers": sentences[4:7],
                "cloze": "The player represents ____.",
                "sources": (Source(url=f"https://example.org/{picture}/{claim}", tier="media"),),
            }
            records.append(make_record(**common, record_id=f"m{picture}-{claim}", image=image))
            records.append(make_record(**common, record_id=f"t{picture}-{claim}", image=None, modality="text"))
    dataset = write_dataset(tmp_path / "data", records)
    unique = sum(len(make_png(picture, 96)) for picture in range(60))
    stored = sum(path.stat().st_size for path in dataset.path.rglob("*.parquet"))
    assert unique < stored <= 1.2 * unique


def test_shards_are_named_as_the_hub_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"record_id": f"r{i}", "image_id": str(i)} for i in range(5)]
    monkeypatch.setattr(storage, "ROWS_PER_GROUP", 1)
    writer = write_part(tmp_path, rows, "text", 2)
    files = writer.close()
    assert [file.name for file in files] == [f"forget-0000{i}-of-00003.parquet" for i in range(3)]
    assert writer.size > 0
    assert read_table(files, features_of("multimodal"))["record_id"].to_pylist() == ["r0", "r1", "r2", "r3", "r4"]


def test_a_table_is_one_file_however_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "ROWS_PER_SHARD", 3)
    writer = PartWriter(tmp_path, "subjects", "subjects")
    writer.write(frame_of([{"subject_id": f"s{n}"} for n in range(10)], "subjects", PictureStore()), None)
    (path,) = writer.close()
    assert pq.read_table(path)["subject_id"].to_pylist() == [f"s{n}" for n in range(10)]


def test_the_same_rows_give_the_same_bytes(
    tmp_path: Path, make_record: Callable[..., Record], make_png: Callable[..., bytes]
) -> None:
    rows = picture_rows(make_record, [make_png(1), make_png(2)], 3)
    files = [write_part(tmp_path / name, rows, "multimodal").close()[0] for name in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_file_says_which_features_it_has(tmp_path: Path) -> None:
    (path,) = write_part(tmp_path, [{"subject_id": "s1"}], "subjects").close()
    assert b"huggingface" in pq.read_schema(path).metadata
    write_file(tmp_path / "a.parquet", [{"subject_id": "s1"}], features_of("subjects"))
    assert b"huggingface" in pq.read_schema(tmp_path / "a.parquet").metadata


def test_batches_are_whole_row_groups_and_know_where_pictures_lie(
    tmp_path: Path,
    make_record: Callable[..., Record],
    make_png: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage, "PICTURES_PER_GROUP", 6)
    pictures = [make_png(seed) for seed in range(6)]
    rows = picture_rows(make_record, pictures, 3)
    rows[5]["image"] = None
    (path,) = write_part(tmp_path, rows, "multimodal").close()
    store = PictureStore()
    batches = list(read_batches(path, "multimodal", store, size=7))
    assert [len(batch) for batch in batches] == [12, 6]
    found = [data for batch in batches for data in store.take(batch["image"].struct.unnest()).to_pylist()]
    assert found == [row["image"] and row["image"].bytes for row in rows]
    assert [batch["image"].is_null().sum() for batch in batches] == [1, 0]
    (part,) = read_batches(path, "multimodal", store, ["answer", "record_id"])
    assert part.columns == ["record_id", "answer"]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DatasetError, match=r"broken\.parquet: not readable as Parquet"):
        read_table([path], features_of("subjects"))


def test_missing_and_unknown_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"subject_id": ["s"], "extra": [1]}), path)
    with pytest.raises(DatasetError, match=r"missing \['cohort'.*unknown \['extra'\]"):
        read_table([path], features_of("subjects"))


def test_a_column_of_another_type_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = {name: pa.nulls(1) for name in features_of("subjects")}
    pq.write_table(pa.table({**columns, "facts": [[1, 2]]}), path)
    with pytest.raises(DatasetError, match="type isn't the schema's"):
        read_table([path], features_of("subjects"))


@pytest.mark.parametrize("nothing", ["null", "struct"])
def test_a_column_without_pictures_is_read_as_any_program_writes_it(
    nothing: str, make_record: Callable[..., Record], tmp_path: Path
) -> None:
    shown = [make_record(record_id="a", image=EncodedImage(bytes=b"png", path="a.png"))]
    bare = [make_record(record_id=name, image=None, modality="text") for name in "bc"]
    rows = [r.to_row() for r in bare] if nothing == "null" else [r.to_row() for r in shown + bare]
    table = pa.Table.from_pylist(
        [{**row, "image": row["image"] and {"bytes": b"png", "path": "a.png"}, "content_hash": ""} for row in rows],
        schema=features_of("multimodal").arrow_schema,
    )
    at = table.schema.get_field_index("image")
    if nothing == "null":  # As pandas does.
        column = pa.nulls(len(table))
    else:
        column = pa.array([row["image"] or {"bytes": None, "path": None} for row in table.to_pylist()])
    pq.write_table(table.set_column(at, "image", column), tmp_path / "x.parquet", store_schema=False)
    for columns in (None, ["image"]):
        found = pl.concat(read_batches(tmp_path / "x.parquet", "text", PictureStore(), columns))
        assert found["image"].is_not_null().to_list() == ([False] * 2 if nothing == "null" else [True, False, False])


def test_pictures_of_another_type_are_an_error(make_record: Callable[..., Record], tmp_path: Path) -> None:
    (row,) = [{**make_record(image=None, modality="text").to_row(), "content_hash": ""}]
    table = pa.Table.from_pylist([row], schema=features_of("multimodal").arrow_schema)
    at = table.schema.get_field_index("image")
    pq.write_table(table.set_column(at, "image", pa.array(["a.png"])), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="the type of image isn't the schema's"):
        list(read_batches(tmp_path / "x.parquet", "text", PictureStore()))
