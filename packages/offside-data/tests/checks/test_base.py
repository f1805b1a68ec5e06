"""What checks look at: read once, the same from one process or two, pictures decoded once."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from run_check import run_check

from offside_data.check import CHECKS, check_dataset
from offside_data.checks import _base
from offside_data.checks._base import NO_ID, CheckedDataset, look_at
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.pictures import PictureStore
from offside_data.errors import PictureError
from offside_data.images.decode import open_image, verify_image
from offside_data.images.quality import Quality


def columns_of(checked: CheckedDataset) -> tuple[Any, ...]:
    tables = {name: frame.to_dicts() for name, frame in checked.tables.items()}
    return checked.records.to_dicts(), tables, checked.sizes, checked.roots, checked.rehashed.rows(), checked.problems


def test_it_holds_what_the_files_do(small: OffsideDataset) -> None:
    with look_at(small) as checked:
        records = list(small.iter_records())
        assert checked.records["record_id"].to_list() == [record.record_id for record in records]
        assert [row["value"]["text"] for row in checked.records.to_dicts()] == [
            r.value.text for r in records if r.value
        ]
        assert checked.roots == small.roots()
        assert checked.sizes == {part: len(small.frame(part)) for part in small.parts()}
        assert len(checked.pictures) == 16
        some = checked.records[[3, 20, 21]]
        whole = list(checked.whole(some, "choices", "image"))
        assert [tuple(row["choices"]) for row in whole] == [records[place].choices for place in (3, 20, 21)]
        wanted = checked.pictures["picture_sha256"].to_list()[5:7]
        assert {sha256 for sha256, _ in checked.encoded(wanted)} == set(wanted)


def test_two_processes_find_what_one_does(
    fresh: OffsideDataset, edit_rows: Callable[..., OffsideDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[0].update(answer=None, record_id=None, cloze="none", perturbed_answers=[rows[0]["answer"]], suspect="odd")
        rows[1].update(image={"bytes": b"none", "path": "a.png"}, question_paraphrases=[rows[2]["question"]])

    dataset = edit_rows(fresh, "multimodal/retain", spoil)
    with look_at(dataset) as checked:
        alone, issues = columns_of(checked), check_dataset(dataset)
    monkeypatch.setattr(_base, "worth_sharing", lambda rows: 2)
    with look_at(dataset) as checked:
        assert columns_of(checked) == alone
    assert check_dataset(dataset) == issues
    assert {"record-invalid", "content-hash", "image-unreadable", "cloze-blank"} <= {issue.code for issue in issues}
    assert NO_ID in {issue.where for issue in issues}


def test_small_files_together_give_what_each_gives_alone(
    fresh: OffsideDataset, edit_rows: Callable[..., OffsideDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[0].update(cloze="none")
        rows[1].update(question_paraphrases=[rows[2]["question"]])

    dataset = fresh
    for part in ("multimodal/retain", "multimodal/test", "text/retain"):
        dataset = edit_rows(dataset, part, spoil)
    issues = check_dataset(dataset)
    for few, groups in ((0, 6), (10, 5)):
        monkeypatch.setattr(_base, "_FEW", few)
        with look_at(dataset) as checked:
            assert len(list(checked.together(_rows_of))) == groups
        assert check_dataset(dataset) == issues
    assert {"cloze-blank", "paraphrase-conflict"} <= {issue.code for issue in issues}


def _rows_of(dataset: OffsideDataset, files: _base.Files) -> int:
    return sum(size for *_, size in files)


def test_a_row_that_cannot_be_hashed_is_one_issue(fresh: OffsideDataset, edit_rows: Any) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[1]["value"]["number"] = float("nan")

    dataset = edit_rows(fresh, "text/retain", spoil)
    with look_at(dataset) as checked:
        (problem,) = checked.problems
        assert (problem.code, "every number must be finite" in problem.message) == ("record-invalid", True)
        assert checked.sizes["text/retain"] == len(fresh.frame("text/retain")) - 1
        kept = checked.records.filter(checked.records["part"] == "text/retain")
        assert kept["row"].to_list() == [0, 2, 3]
        assert [row["choices"] for row in checked.whole(kept, "choices")] == [
            choices for n, choices in enumerate(dataset.frame("text/retain")["choices"].to_list()) if n != 1
        ]
    assert "record-invalid" not in {issue.code for issue in run_check("records", dataset.path)}


def test_checking_stays_fast(small: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """All checks together read every picture once, and no file as a whole."""
    reads: Counter[tuple[int, int]] = Counter()
    real = PictureStore._read

    def read(self: PictureStore, file: int, group: int) -> Any:
        reads[file, group] += 1
        return real(self, file, group)

    monkeypatch.setattr(PictureStore, "_read", read)
    monkeypatch.setattr(OffsideDataset, "read", None)
    with look_at(open_dataset(small.path)) as checked:
        for name in CHECKS.names():
            list(CHECKS.load(name).run(checked))
    assert set(reads.values()) == {1}


def test_pictures_that_were_decoded_once_are_not_decoded_again(
    fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []

    def measure(data: bytes, where: str) -> Quality:
        decoded.append(len(data))
        return real(data, where)

    real = _base.measure
    monkeypatch.setattr(_base, "measure", measure)
    check_dataset(fresh)
    assert not (fresh.path / ".offside").exists()  # Of a few it isn't worth it.
    monkeypatch.setattr(_base, "_PICTURES_WORTH_KEEPING", 10)
    check_dataset(fresh)
    assert len(decoded) == 32
    check_dataset(fresh)
    assert len(decoded) == 32
    moved = shutil.move(fresh.path / ".offside/measured", fresh.path / ".offside/other")
    assert Path(moved).is_dir()
    check_dataset(fresh)
    assert len(decoded) == 48


def test_a_picture_that_cannot_be_decoded_is_told_each_time(
    fresh: OffsideDataset, edit_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_base, "_PICTURES_WORTH_KEEPING", 1)

    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[0]["image"] = {"bytes": b"not a picture", "path": "a.png"}

    dataset = edit_rows(fresh, "multimodal/retain", spoil)
    first = run_check("pictures", dataset.path)
    assert "image-unreadable" in {issue.code for issue in first}
    assert run_check("pictures", dataset.path) == first


def test_a_dataset_that_may_only_be_read_is_checked(fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, rows: Any) -> None:
        raise PermissionError(folder)

    monkeypatch.setattr(_base, "_PICTURES_WORTH_KEEPING", 1)
    monkeypatch.setattr(_base, "add_part", refuse)
    assert check_dataset(fresh) == []


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_law_a_small_jpeg_shows_the_faults_of_the_whole(make_scene: Any, mode: str, progressive: bool) -> None:
    import random

    stream, source = io.BytesIO(), random.Random(3)
    picture: Image.Image = make_scene(1).convert(mode)
    picture.save(stream, "JPEG", progressive=progressive)
    for number in range(200):
        data = bytearray(stream.getvalue())
        start = source.randrange(len(data))
        if number % 3 == 0:
            del data[start:]
        elif number % 3 == 1:
            del data[start : start + source.randrange(1, 500)]
        else:
            data[start] = source.randrange(256)
        whole = problem_of(decode_whole, bytes(data))
        assert problem_of(verify_image, bytes(data)) == whole
        assert problem_of(_base.measure, bytes(data)) == whole


def problem_of(look: Callable[[bytes, str], object], data: bytes) -> str | None:
    try:
        look(data, "it")
    except PictureError as error:
        return str(error)
    return None


def decode_whole(data: bytes, where: str) -> None:
    with open_image(data, where) as picture:
        picture.load()
