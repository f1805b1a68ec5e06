from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw, ImageFont

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import change_dataset
from offside_data.schema import EncodedImage, make_image_id, make_record_id

COPY = make_image_id("test", "copy")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False, env={"COLUMNS": "200"})


@pytest.fixture
def twice(records: Any, write_dataset: Any, tmp_path: Path) -> OffsideDataset:
    """The retain picture of `s1` stands there twice."""
    copies = [
        dataclasses.replace(
            r,
            record_id=make_record_id("test", "s1", "copy", r.attribute, r.modality),
            image_id=COPY,
            question=r.question if r.image else f"Again: {r.question}",
        )
        for r in records
        if r.image_id == make_image_id("test", "s1/p1")
    ]
    dataset: OffsideDataset = write_dataset(tmp_path / "twice", [*records, *copies])
    return dataset


def test_a_table_a_sheet_and_no_change(twice: OffsideDataset, tmp_path: Path) -> None:
    result = run("dedup", twice.path, "--sheet", tmp_path / "sheet.html")
    assert result.exit_code == 0
    assert "equal pixels" in result.stdout
    assert "3 records go, 0 move to the keeper." in result.stdout
    assert "17 pictures, 1 clusters" in result.stdout
    assert "Nothing was changed; --apply merges 1 clusters." in result.stdout
    assert run("dedup", twice.path, "--sheet", tmp_path / "sheet.html").exit_code == 0
    (tmp_path / "sheet.html").write_text("<!DOCTYPE html>\n<title>mine</title>")
    assert run("dedup", twice.path, "--sheet", tmp_path / "sheet.html").exit_code == 2
    assert "mine" in (tmp_path / "sheet.html").read_text()
    assert open_dataset(twice.path).verify() == twice.digest


def test_apply(twice: OffsideDataset) -> None:
    applied = json.loads(run("dedup", twice.path, "--apply", "--json").stdout)
    (decision,) = applied["decisions"]
    assert decision["who"].endswith("dedup --hash phash --radius 8 --apply")
    assert open_dataset(twice.path).verify() != twice.digest
    assert run("dedup", twice.path, "--apply").stdout.startswith("16 pictures, 0 clusters")


def test_as_json(twice: OffsideDataset) -> None:
    found = json.loads(run("dedup", twice.path, "--json").stdout)
    (cluster,) = found["clusters"]
    assert {cluster["keeper"]["key"], cluster["others"][0]["picture"]["key"]} == {make_image_id("test", "s1/p1"), COPY}
    assert (found["pictures"], found["radius"], found["decisions"]) == (17, 8, [])


@pytest.fixture
def posts(records: Any, write_dataset: Any, tmp_path: Path) -> OffsideDataset:
    """The retain pictures of two subjects are posts of one template."""
    shown = {"s1/p1": post("Fee: 35 million"), "s2/p1": post("Fee: 53 million")}
    images = {make_image_id("test", key): EncodedImage(bytes=data, path=f"{key}.png") for key, data in shown.items()}
    changed = [
        dataclasses.replace(r, image=images[r.image_id]) if r.image and r.image_id in images else r for r in records
    ]
    dataset: OffsideDataset = write_dataset(tmp_path / "posts", changed)
    with change_dataset(dataset) as change:
        files = {make_image_id("test", key): f"claims:{key.replace('/', '-')}.png" for key in shown}
        rows = [{**row, "source": files.get(row["image_id"])} for row in change.table_rows("images")]
        change.set_table("images", rows)
    return open_dataset(dataset.path)


def post(text: str) -> bytes:
    picture = Image.new("RGB", (300, 200), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 300, 24), fill=(30, 120, 220))
    for number, line in enumerate((text, "Posted by transfer news")):
        pen.text((14, 60 + 40 * number), line, font=ImageFont.load_default(18), fill="black")
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def test_look_alikes_are_told_apart_by_file_name_once_for_all(posts: OffsideDataset) -> None:
    found = run("dedup", posts.path, "--apply")
    assert "0 clusters, 1 pairs of look-alikes" in found.stdout
    assert "s1-p1.png" in found.stdout
    assert "differ, most likely in the text they show" in found.stdout
    assert open_dataset(posts.path).verify() == posts.digest
    result = run("dedup", posts.path, "--not-duplicates", "s1-p1.png", "s2-p1.png", "--reason", "another fee")
    assert result.exit_code == 0
    assert "s1-p1.png and s2-p1.png are different" in result.stdout
    assert "0 pairs of look-alikes" in run("dedup", posts.path).stdout
    decision = result.stdout.split()[1].removesuffix(":")
    assert run("undo", posts.path, decision).exit_code == 0
    assert "1 pairs of look-alikes" in run("dedup", posts.path).stdout


def test_a_person_merges_a_cluster_and_says_what_to_keep(twice: OffsideDataset) -> None:
    (cluster,) = json.loads(run("dedup", twice.path, "--json").stdout)["clusters"]
    keep = cluster["others"][0]["picture"]["key"]
    result = run("dedup", twice.path, "--merge", cluster["cluster"], "--keep", keep, "--json")
    (decision,) = json.loads(result.stdout)["decisions"]
    assert decision["what"]["kept"] == keep
    assert decision["what"]["dropped"] == [cluster["keeper"]["key"]]
    assert f"--merge {cluster['cluster']} --keep {keep}" in decision["who"]
    assert run("undo", twice.path, decision["id"]).exit_code == 0
    assert open_dataset(twice.path).verify() == twice.digest
    assert run("dedup", twice.path, "--merge", COPY).exit_code == 0  # The only cluster that it is in.


def test_a_cluster_that_cannot_be_merged_says_why(posts: OffsideDataset) -> None:
    result = run("dedup", posts.path, "--merge", "s1-p1.png")
    assert result.exit_code == 2
    assert "can't be merged: different subjects: s1, s2" in result.stderr
    assert open_dataset(posts.path).verify() == posts.digest


def test_turned_copies_are_found_when_asked_for(
    records: Any, write_dataset: Any, make_scene: Any, tmp_path: Path
) -> None:
    pictures = {make_image_id("test", "s1/p1"): make_scene(1), COPY: make_scene(1).transpose(Image.Transpose.ROTATE_90)}
    kept = [r for r in records if r.image_id in pictures and r.image]
    kept += [
        dataclasses.replace(r, record_id=make_record_id("test", "s1", "copy", r.attribute, r.modality), image_id=COPY)
        for r in kept
    ]
    shown = []
    for r in kept:
        stream = io.BytesIO()
        pictures[r.image_id].save(stream, "PNG")
        shown.append(dataclasses.replace(r, image=EncodedImage(bytes=stream.getvalue(), path="x.png")))
    dataset = write_dataset(tmp_path / "turned", shown)
    assert "0 clusters" in run("dedup", dataset.path).stdout
    result = run("dedup", dataset.path, "--turned", "--apply")
    assert "2 pictures, 1 clusters" in result.stdout
    assert "a quarter turned" in result.stdout
    assert len(open_dataset(dataset.path).frame("images")) == 1


def test_nothing_found(fresh: OffsideDataset) -> None:
    result = run("dedup", fresh.path)
    assert result.stdout.startswith("16 pictures, 0 clusters")
    assert "sheet" not in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "ray"], "allowed: local"),
        (["--hash", "md5"], "unknown hash 'md5'"),
        (["--radius", "-2"], "radius -2"),
        (["--radius", "64"], "phash has 64 bits"),
        (["--against", "./nowhere"], "no such dataset folder"),
        (["--merge", "c0", "--apply"], "are different things to do"),
        (["--keep", "a.png"], "give the cluster with --merge"),
        (["--merge", "c0"], "unknown cluster 'c0'"),
        (["--merge", "c0", "--keep", "a.png"], "unknown picture 'a.png'"),
        (["--not-duplicates", "a.png", "b.png"], "unknown picture 'a.png'"),
        (["--reason", "so"], "--reason goes with"),
    ],
)
def test_wrong_use(fresh: OffsideDataset, options: list[str], message: str) -> None:
    result = run("dedup", fresh.path, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
