"""Pictures that are looked at while the rows that name them are still being read."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from offside_data.adapters import claims
from offside_data.adapters._base import Imported, Picture
from offside_data.dataset.folder import open_dataset
from offside_data.errors import DatasetError
from offside_data.images import ahead
from offside_data.images.ahead import PictureWork
from offside_data.images.hashing import hash_image
from offside_data.images.intake import load_pictures
from offside_data.ingest import ingest
from offside_data.schema import make_image_id


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes, which begin with the third picture."""
    monkeypatch.setattr(ahead, "process_count", lambda: 2)
    monkeypatch.setattr(ahead, "_WORTH_SHARING", 3)
    monkeypatch.setattr(ahead, "BATCH", 1)


class Waiting(PictureWork):
    """Waits for everything that has begun, so that none is given up."""

    def expect(self, places: Sequence[Path]) -> None:
        super().expect(places)
        concurrent.futures.wait(self._begun)


@pytest.fixture
def work(early: None, tmp_path: Path) -> Iterator[PictureWork]:
    with Waiting([tmp_path]) as work:
        yield work


def test_what_can_be_stored_as_it_is_has_been_seen(
    work: PictureWork, tmp_path: Path, whole_kinds: dict[str, bytes]
) -> None:
    """What must be stored anew, is damaged or isn't there is left to whoever loads it."""
    kinds = {"a.jpg": "jpeg", "b.png": "png", "turned.jpg": "jpeg-cmyk"}
    for name, kind in kinds.items():
        (tmp_path / name).write_bytes(whole_kinds[kind])
    (tmp_path / "damaged.jpg").write_bytes(whole_kinds["jpeg"][:100])
    for name in ("a.jpg", "turned.jpg", "damaged.jpg", "missing.jpg"):
        work.expect([tmp_path / name])
    work.expect([tmp_path / "elsewhere" / "b.png", tmp_path / "b.png"])
    seen = work.seen()
    assert {path.name: one.hashes for path, one in seen.items()} == {
        name: hash_image(whole_kinds[kinds[name]]) for name in ("a.jpg", "b.png")
    }


def test_a_file_that_was_changed_meanwhile_is_looked_at_again(
    work: PictureWork, tmp_path: Path, make_record: Any, whole_kinds: dict[str, bytes]
) -> None:
    pictures, records = [], []
    for number in range(3):
        path, key = tmp_path / f"{number}.jpg", f"{number}.jpg"
        path.write_bytes(whole_kinds["jpeg"])
        work.expect([path])
        image_id = make_image_id("test", key)
        pictures.append(Picture(image_id=image_id, key=key, subject_id="s1", split="retain", paths=(path,)))
        records.append(make_record(image_id=image_id, image=None, record_id=f"r{number}"))
    Image.new("RGB", (9, 7), "red").save(tmp_path / "1.jpg")
    imported = Imported(rows=3, records=records, pictures=pictures)
    loaded = load_pictures(imported, work, skip_bad=False).loaded
    sizes = [loaded[picture.image_id].columns["width"] for picture in pictures]
    assert sizes[0] == sizes[2] != sizes[1] == 9


def test_an_import_is_the_same_whether_pictures_were_seen_before(
    early: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = claims.example(tmp_path / "source")
    told = []
    expect = PictureWork.expect

    def watched(work: PictureWork, places: Sequence[Path]) -> None:
        expect(work, places)
        told.append(len(concurrent.futures.wait(work._begun).done))

    monkeypatch.setattr(PictureWork, "expect", watched)
    with_two = ingest(source, tmp_path / "two")
    assert told == [0, 0, 3, 4]
    monkeypatch.setattr(ahead, "process_count", lambda: 1)
    with_one = ingest(source, tmp_path / "one")
    assert told[4:] == [0, 0, 0, 0]
    assert with_two.remarks == with_one.remarks
    two, one = (open_dataset(tmp_path / name) for name in ("two", "one"))
    assert two.verify() == one.verify()
    files = [path.relative_to(two.path) for path in two.path.rglob("*.parquet")]
    assert files
    assert all((two.path / file).read_bytes() == (one.path / file).read_bytes() for file in files)


def test_texts_alone_have_no_picture_looked_at(early: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = claims.example(tmp_path / "source")
    told: list[Sequence[Path]] = []
    monkeypatch.setattr(PictureWork, "expect", lambda work, places: told.append(places))
    assert ingest(source, tmp_path / "out", with_images=False).records == 8
    assert told == []


def test_a_process_that_is_killed_ends_the_import_and_leaves_nothing(
    early: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = claims.example(tmp_path / "source")
    expect = PictureWork.expect

    def killing(work: PictureWork, places: Sequence[Path]) -> None:
        expect(work, places)
        for process in work.workers(3)._pool._processes.values():  # type: ignore[union-attr]
            process.kill()
            process.join()

    monkeypatch.setattr(PictureWork, "expect", killing)
    with pytest.raises(DatasetError, match="a process that shared the work was killed"):
        ingest(source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [source.parent]
