from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from raw_card import edit_block

from offside_data.dataset.card import Card, read_raw, write_raw
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import CardError, DatasetError, DatasetReferenceError
from offside_data.release import migration
from offside_data.release.migration import STEPS, migrate


def at_schema(folder: Path, version: object) -> None:
    edit_block(folder, schema_version=version)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put steps in place of those that are there."""

    def install(**found: Callable[[Path], None]) -> None:
        registry = SimpleNamespace(names=lambda: sorted(found), load=lambda name: SimpleNamespace(run=found[name]))
        monkeypatch.setattr(migration, "STEPS", registry)

    return install


def test_every_step_that_there_is_can_be_run() -> None:
    for name in STEPS.names():
        assert migration._NAME.fullmatch(name)
        assert callable(STEPS.load(name).run)


def test_an_up_to_date_dataset_stays_as_it_is(fresh: OffsideDataset) -> None:
    before = {path: path.read_bytes() for path in fresh.path.rglob("*") if path.is_file()}
    assert migrate(fresh.path).steps == ()
    assert {path: path.read_bytes() for path in fresh.path.rglob("*") if path.is_file()} == before


def test_steps_follow_each_other(fresh: OffsideDataset, steps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(old: str, new: str) -> Callable[[Path], None]:
        def run(folder: Path) -> None:
            front, body = read_raw(folder)
            assert front["pretty_name"] == old
            write_raw(folder, {**front, "pretty_name": new}, body)

        return run

    card = Card.load(fresh.path)
    card.data["pretty_name"] = "zero"
    card.save(fresh.path)
    at_schema(fresh.path, 0)
    monkeypatch.setattr(migration, "SCHEMA_VERSION", 1)
    steps(v0_to_v1=rename("zero", "one"), v1_to_v2=rename("never", "run"))
    report = migrate(fresh.path)
    assert (report.before, report.after, report.steps) == (0, 1, ("v0_to_v1",))
    dataset = open_dataset(fresh.path)
    assert dataset.card.data["pretty_name"] == "one"
    assert dataset.verify() == fresh.digest
    (decision,) = read_decisions(fresh.path)
    assert (decision["kind"], decision["what"]["steps"]) == ("migrated", ["v0_to_v1"])
    assert migrate(fresh.path).steps == ()


def test_a_step_that_fails_changes_nothing(fresh: OffsideDataset, steps: Any) -> None:
    at_schema(fresh.path, 0)
    before = {path: path.read_bytes() for path in fresh.path.rglob("*") if path.is_file()}

    def fail(folder: Path) -> None:
        (folder / "README.md").unlink()
        raise DatasetError("no")

    steps(v0_to_v1=fail)
    with pytest.raises(DatasetError, match="no"):
        migrate(fresh.path)
    assert {path: path.read_bytes() for path in fresh.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (2, "schema_version 2 is newer than 1.*Install a newer offside-data"),
        (0, "schema_version 0 is unknown: no step leads from 0 to 1. Known steps: none, version 1 is the first"),
    ],
)
def test_unknown_versions_are_errors(fresh: OffsideDataset, version: int, message: str) -> None:
    at_schema(fresh.path, version)
    with pytest.raises(DatasetError, match=message):
        migrate(fresh.path)


@pytest.mark.parametrize("version", ["one", None, -1, True])
def test_what_is_no_version_is_an_error(fresh: OffsideDataset, version: object) -> None:
    at_schema(fresh.path, version)
    with pytest.raises(CardError, match=f"malformed card.*'schema_version': .*, got {version!r}. Correct the card"):
        migrate(fresh.path)


def test_what_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetReferenceError):
        migrate(tmp_path / "none")
    with pytest.raises(CardError):
        migrate(tmp_path)
