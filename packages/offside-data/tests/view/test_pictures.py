from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import DatasetError
from offside_data.view import pictures as module
from offside_data.view import reading
from offside_data.view.pictures import Rendered, picture_file, render_all, thumbnail_file

Scene = Callable[..., Image.Image]


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def rendered(monkeypatch: pytest.MonkeyPatch, folder: Path, data: bytes) -> Rendered:
    monkeypatch.setattr("offside_data.view.pictures.read_pictures", lambda group: iter([("a", data)]))
    (folder / picture_file(0, "x")).parent.mkdir(parents=True)
    group = reading.PictureGroup(path=folder, row_group=0, rows={"a": 0})
    (only,) = module._render_group(folder, (group, {"a": 0}))
    return only


def test_a_large_photo_gets_two_files_without_metadata(
    make_scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    exif[0x0112] = 6
    data = encoded(make_scene(0, 1500).crop((0, 0, 1500, 750)), "JPEG", exif=exif)
    assert rendered(monkeypatch, tmp_path, data) == Rendered(number=0, ending="jpg", thumbnail=True)
    for file, size in ((picture_file(0, "jpg"), (512, 1024)), (thumbnail_file(0), (128, 256))):
        with Image.open(tmp_path / file) as picture:
            assert (picture.size, dict(picture.getexif())) == (size, {})


def test_a_middling_picture_keeps_its_bytes_but_its_metadata(
    make_scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = encoded(make_scene(0, 600), "JPEG")
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    assert rendered(monkeypatch, tmp_path, encoded(make_scene(0, 600), "JPEG", exif=exif)).thumbnail
    assert (tmp_path / picture_file(0, "jpg")).read_bytes() == plain


def test_a_small_picture_is_its_own_thumbnail(
    make_png: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rendered(monkeypatch, tmp_path, make_png(1)) == Rendered(number=0, ending="png")
    assert [file.name for file in tmp_path.rglob("*.*")] == ["0.png"]


def test_what_browsers_do_not_show_is_encoded_anew(
    make_scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rendered(monkeypatch, tmp_path, encoded(make_scene(0), "TIFF")) == Rendered(number=0, ending="jpg")


def test_a_broken_picture_leaves_its_reason_and_no_file(
    make_png: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = rendered(monkeypatch, tmp_path, make_png(1)[:200])
    assert (only.ending, "damaged" in only.problem) == ("", True)
    assert list(tmp_path.rglob("*.*")) == []


@pytest.mark.parametrize("few", [0, 500])
def test_every_picture_is_written_once_by_two_processes_or_by_this_one(
    small: OffsideDataset, tmp_path: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offside_data.view.pictures._FEW", few)
    groups = reading.picture_groups(small)
    assert len(groups) > 1
    numbers = {key: 995 + place for place, key in enumerate(key for group in groups for key in group.rows)}
    done = list(render_all(groups, numbers, tmp_path))
    assert sorted(r.number for r in done) == list(range(995, 1011))
    assert {file.parent.name for file in tmp_path.rglob("*.png")} == {"0", "1"}
    assert len(list(tmp_path.rglob("*.png"))) == 16


def test_a_file_that_is_no_parquet_is_named(fresh: OffsideDataset) -> None:
    (path,) = fresh.files("multimodal/forget")
    path.write_bytes(b"nothing of the sort")
    for read in (reading.record_index, reading.picture_groups, lambda d: list(reading.record_rows(d))):
        with pytest.raises(DatasetError, match=f"{path.name}: not readable"):
            read(fresh)


def test_shards_and_groups_give_each_picture_once(
    small: OffsideDataset, tmp_path: Path, write_dataset: Callable[..., OffsideDataset], records: list[Any]
) -> None:
    sharded = write_dataset(tmp_path / "d", records, rows_per_shard=2)
    groups = reading.picture_groups(sharded)
    pictures = [pair for group in groups for pair in reading.read_pictures(group)]
    assert len(pictures) == len(dict(pictures)) == 16
    assert dict(pictures) == {r.image_id: r.image.bytes for r in records if r.image}
