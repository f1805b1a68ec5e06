from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from whole_dataset import WholeDataset

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dedup.pictures import list_pictures
from offside_data.errors import PluginError
from offside_data.images import hashing
from offside_data.images.hashing import hash_image
from offside_data.schema import make_image_id


def test_every_picture_that_records_are_about(small: OffsideDataset, tmp_path: Path) -> None:
    pictures = list_pictures(small, "phash", tmp_path)
    assert len(pictures) == 16
    copy = next(p for p in pictures if p.key == make_image_id("test", "s2/p2"))
    assert (copy.splits, copy.subjects, copy.license) == (("test",), ("s2",), "cc0-1.0")
    assert copy.origin == make_image_id("test", "s2/p1")
    data = dict(small.encoded_pictures([copy.key]))[copy.key]
    assert copy.hashes == (hash_image(data).phash,)
    assert copy.content == hash_image(data).pixels_sha256


def test_what_the_table_states_is_not_made_again(fresh: OffsideDataset, tmp_path: Path, monkeypatch: Any) -> None:
    contents = WholeDataset.read(fresh.path)
    for row in contents.images:
        row.update(pixels_sha256=row["image_id"], phash="0" * 16, license="cc-by-4.0")
    contents.save(fresh.path)
    monkeypatch.setattr(hashing, "perceptual_hash", None)
    pictures = list_pictures(open_dataset(fresh.path), "phash", tmp_path / "store")
    assert {(p.content == p.key, p.hashes, p.license) for p in pictures} == {(True, ("0" * 16,), "cc-by-4.0")}
    assert not (tmp_path / "store").exists()


def test_what_was_made_is_kept(fresh: OffsideDataset, tmp_path: Path, monkeypatch: Any) -> None:
    first = list_pictures(fresh, "whash", tmp_path / "store")
    assert list((tmp_path / "store").iterdir())
    monkeypatch.setattr(hashing, "perceptual_hash", None)
    assert list_pictures(fresh, "whash", tmp_path / "store") == first


def test_a_hash_of_parts(fresh: OffsideDataset, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(hashing, "perceptual_hash", lambda name, picture: "00ff,ff00")
    pictures = list_pictures(fresh, "crop_resistant", tmp_path)
    assert {picture.hashes for picture in pictures} == {("00ff", "ff00")}


def test_twins_are_not_among_them(fresh: OffsideDataset, tmp_path: Path) -> None:
    contents = WholeDataset.read(fresh.path)
    contents.images.append({"image_id": "twin", "twin": "blank", "twin_of": make_image_id("test", "s1/p3")})
    contents.save(fresh.path)
    assert "twin" not in {p.key for p in list_pictures(open_dataset(fresh.path), "phash", tmp_path)}


def test_pictures_that_are_not_stored(records: Any, write_dataset: Any, tmp_path: Path) -> None:
    texts = [dataclasses.replace(record, image=None) for record in records]
    dataset = write_dataset(tmp_path / "texts", texts)
    assert list_pictures(dataset, "phash", tmp_path) == []


def test_bytes_come_once_each_whatever_the_row_groups(small: OffsideDataset, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    copy = open_dataset(shutil.copytree(small.path, tmp_path / "copy"))
    for path in copy.path.glob("data/multimodal/*.parquet"):
        pq.write_table(pq.read_table(path, partitioning=None), path, row_group_size=3, use_dictionary=False)
    keys = [make_image_id("test", f"s{subject}/p1") for subject in (1, 2, 3, 4)]
    assert sorted(copy.encoded_pictures(keys)) == sorted(small.encoded_pictures(keys))
    assert len(list(copy.encoded_pictures(keys))) == 4


def test_an_unknown_hash(small: OffsideDataset, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"unknown hash 'phsh'. Did you mean 'phash'\?"):
        list_pictures(small, "phsh", tmp_path)
