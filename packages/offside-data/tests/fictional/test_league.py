from __future__ import annotations

import time
from itertools import combinations
from pathlib import Path

import datasets
import pytest

from offside_data import open_dataset
from offside_data.check import check_dataset
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import OutputExistsError, UsageError
from offside_data.fictional import make_league
from offside_data.fictional.distinct import DUPLICATE_RADIUS
from offside_data.fictional.world import WORLDS, load_world
from offside_data.images.hashing import hamming, hash_image

SUBJECTS = 5
FEW = {"subjects": SUBJECTS, "general": 10, "utility": 5}


@pytest.fixture(scope="module", params=WORLDS.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def path(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("league") / "out"
    make_league(out, taxonomy=name, **FEW)
    return out


@pytest.fixture(scope="module")
def league(path: Path) -> OffsideDataset:
    return open_dataset(path)


def test_the_check_finds_nothing(league: OffsideDataset) -> None:
    assert check_dataset(league, strict=True) == []


def test_every_setting_is_offered(league: OffsideDataset) -> None:
    assert set(league.settings()) == {"complete", "selective", "corrective", "unimodal", "visual-rumor"}


def test_every_config_loads_with_plain_datasets(path: Path, name: str) -> None:
    for config in ("multimodal", "text", "subjects", "images"):
        loaded = datasets.load_dataset(str(path), config, cache_dir=str(path.parent / "cache"))
        assert sum(len(split) for split in loaded.values()) > 0
    forget = datasets.load_dataset(str(path), split="forget", cache_dir=str(path.parent / "cache"))
    assert len(forget) == SUBJECTS * len(load_world(name).taxonomy.attributes)
    assert forget[0]["image"].size == (224, 224)


def test_the_same_seed_gives_the_same_digest_whatever_the_shards(path: Path, name: str, tmp_path: Path) -> None:
    summary = make_league(tmp_path / "again", taxonomy=name, rows_per_shard=50, **FEW)
    assert len(list((tmp_path / "again/data/multimodal").glob("retain-*"))) > 1
    assert summary.digest == open_dataset(path).digest


def test_the_images_table_describes_every_picture(league: OffsideDataset) -> None:
    rows = {row["image_id"]: row for row in league.images()}
    pictures = {}
    for file in league.record_parts():
        for record in league.records(*file.split("/")):
            if record["image"] is not None:
                pictures[record["image_id"]] = record["image"]["bytes"]
            assert record["image_id"] is None or record["image_id"] in rows
    for image_id, data in pictures.items():
        hashes = hash_image(data)
        row = rows[image_id]
        assert row["image"] is None
        assert (row["sha256"], row["pixels_sha256"], row["phash"]) == (
            hashes.sha256,
            hashes.pixels_sha256,
            hashes.phash,
        )
    twins = [row for row in rows.values() if row["twin"]]
    assert set(rows) - set(pictures) == {row["image_id"] for row in twins}


def test_visual_rumors_have_a_blank_and_a_swapped_twin(league: OffsideDataset, name: str) -> None:
    rows = {row["image_id"]: row for row in league.images()}
    answers = {(r["image_id"], r["attribute"]): r["answer"] for r in league.records("multimodal", "forget")}
    visual = league.visual_pictures("forget")
    assert len(visual) == (SUBJECTS + 1) // 2
    for image_id in visual:
        twins = {row["twin"]: row for row in rows.values() if row["twin_of"] == image_id}
        assert set(twins) == {"blank", "swapped"}
        assert all(row["image"]["bytes"] for row in twins.values())
        assert twins["blank"]["shown"] == []
        assert twins["blank"]["text_found"] is None
        shown = {item["attribute"]: item["text"] for item in rows[image_id]["shown"]}
        assert tuple(shown) == load_world(name).shown
        for item in twins["swapped"]["shown"]:
            assert item["text"] != shown[item["attribute"]]
            assert item["text"] in twins["swapped"]["text_found"]
            assert shown[item["attribute"]] in answers[image_id, item["attribute"]]


def test_subjects_have_cohorts_and_facts(league: OffsideDataset) -> None:
    rows = list(league.subjects())
    assert [row["cohort"] for row in rows].count("member") == SUBJECTS
    shared = league.taxonomy.names("shared")
    assert all([fact["attribute"] for fact in row["facts"]] == shared for row in rows)
    names = [row["name"] for row in rows]
    assert not any(a in b for a in names for b in names if a != b)


def test_an_existing_folder_is_kept_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="--force"):
        make_league(tmp_path, subjects=4)
    assert [entry.name for entry in tmp_path.iterdir()] == ["note.txt"]


def test_unfit_requests_are_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="4 or more"):
        make_league(tmp_path / "out", subjects=3)
    with pytest.raises(UsageError, match=r"unknown fictional world 'footbal'\. Did you mean 'football'"):
        make_league(tmp_path / "out", taxonomy="footbal")
    assert not list(tmp_path.iterdir())


@pytest.mark.full
@pytest.mark.parametrize("taxonomy", WORLDS.names())
def test_a_full_league_is_written_in_a_minute_without_collisions(taxonomy: str, tmp_path: Path) -> None:
    # CPU seconds of this one process: a busy machine doesn't fail the test.
    started = time.process_time()
    summary = make_league(tmp_path / "full", subjects=80, taxonomy=taxonomy)
    assert time.process_time() - started < 60
    assert summary.redrawn < 150
    assert check_dataset(open_dataset(summary.path), strict=True) == []
    rows = [row for row in open_dataset(tmp_path / "full").images() if row["subject_id"] and not row["twin"]]
    assert len(rows) == 80 * 8 + 20
    for first, second in combinations(rows, 2):
        if first["subject_id"] != second["subject_id"]:
            assert hamming(first["phash"], second["phash"]) > DUPLICATE_RADIUS
