from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from offside_data.dataset import storage
from offside_data.dataset.storage import cut_by_picture, read_table, unpacked_size, write_file, write_shards
from offside_data.errors import DatasetError
from offside_data.schema import EncodedImage, Record, Source, record_features, subject_features


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


def test_runs_never_cut_a_picture_apart() -> None:
    rows = [{"image_id": picture} for picture in "aaabbc"]
    assert [len(run) for run in cut_by_picture(rows, 2)] == [3, 2, 1]
    assert [len(run) for run in cut_by_picture(rows, 4)] == [5, 1]
    assert [len(run) for run in cut_by_picture(rows, 100)] == [6]
    assert list(cut_by_picture([], 2)) == []


def test_rows_without_a_picture_stay_one_run_of_theirs() -> None:
    assert [len(run) for run in cut_by_picture([{"image_id": None}] * 5, 2)] == [5]


def test_a_shared_picture_is_stored_once(
    tmp_path: Path, make_record: Callable[..., Record], make_png: Callable[..., bytes], monkeypatch: Any
) -> None:
    monkeypatch.setattr(storage, "ROWS_PER_GROUP", 100)
    pictures = [make_png(seed, 96) for seed in range(60)]  # 28 KB each: 1.6 MB, above the default limit.
    rows = picture_rows(make_record, pictures, 14)
    size = write_file(tmp_path / "a.parquet", rows, record_features())
    unique = sum(map(len, pictures))
    assert (tmp_path / "a.parquet").stat().st_size <= 1.2 * unique
    assert size > 14 * unique
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 8
    table = read_table([tmp_path / "a.parquet"], record_features())
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


def test_shards_are_named_as_the_hub_names_them(tmp_path: Path) -> None:
    rows = [{"subject_id": f"s{i}", "image_id": str(i)} for i in range(5)]
    files, size = write_shards(tmp_path, "forget", rows, subject_features(), 2)
    assert [file.name for file in files] == [f"forget-0000{i}-of-00003.parquet" for i in range(3)]
    assert size > 0
    assert read_table(files, subject_features())["subject_id"].to_pylist() == ["s0", "s1", "s2", "s3", "s4"]


def test_the_same_rows_give_the_same_bytes(
    tmp_path: Path, make_record: Callable[..., Record], make_png: Callable[..., bytes]
) -> None:
    rows = picture_rows(make_record, [make_png(1), make_png(2)], 3)
    for name in ("a", "b"):
        write_file(tmp_path / name, rows, record_features())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_file_says_which_features_it_has(tmp_path: Path) -> None:
    write_file(tmp_path / "a.parquet", [{"subject_id": "s1"}], subject_features())
    assert b"huggingface" in pq.read_schema(tmp_path / "a.parquet").metadata


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DatasetError, match=r"broken\.parquet: not readable as Parquet"):
        read_table([path], subject_features())


def test_missing_and_unknown_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"subject_id": ["s"], "extra": [1]}), path)
    with pytest.raises(DatasetError, match=r"missing \['cohort'.*unknown \['extra'\]"):
        read_table([path], subject_features())


def test_a_column_of_another_type_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = {name: pa.nulls(1) for name in subject_features()}
    pq.write_table(pa.table({**columns, "facts": [[1, 2]]}), path)
    with pytest.raises(DatasetError, match="type isn't the schema's"):
        read_table([path], subject_features())
