"""Helpers of the tests of releases."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_data.card import Card
from offside_data.contents import Contents
from offside_data.dataset import OffsideDataset
from offside_data.files import write_json
from offside_data.release.releasing import make_release


def write_plain_croissant(folder: Path, card: Card) -> None:
    write_json(folder / "croissant.json", {"name": card.name, "version": card.version, "description": card.body})


@pytest.fixture
def plain_croissant(monkeypatch: pytest.MonkeyPatch) -> None:
    """`croissant.json` without the library that checks it, which takes seconds to import; it has tests of its own."""
    monkeypatch.setattr("offside_data.release.croissant.write_croissant", write_plain_croissant)


Edit = Callable[..., None]


@pytest.fixture(scope="session")
def edit_records() -> Edit:
    """Change fields of the records for which a condition holds, in place."""

    def edit(folder: Path, condition: Callable[[Any], bool], **fields: Any) -> None:
        contents = Contents.read(folder)
        hits = [place for place, record in enumerate(contents.records) if condition(record)]
        assert hits
        for place in hits:
            contents.records[place] = dataclasses.replace(contents.records[place], **fields)
        contents.save(folder)

    return edit


class Killed(BaseException):
    """Stands for `kill -9`: nothing cleans up after it."""


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], Any]], bool]:
    """Run something and kill it at the n-th move of a file; says whether it got that far."""

    def run(at: int, work: Callable[[], Any]) -> bool:
        real, moves = os.replace, 0

        def replace(*args: Any) -> None:
            nonlocal moves
            if moves == at:
                raise Killed
            moves += 1
            real(*args)

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", replace)
            try:
                work()
            except Killed:
                return True
        return False

    return run


@pytest.fixture(scope="session")
def first_release(small: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small dataset, released as 1.0.0; don't change its files."""
    folder = shutil.copytree(small.path, tmp_path_factory.mktemp("released") / "data")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("offside_data.release.croissant.write_croissant", write_plain_croissant)
        make_release(folder, bump="major", note="The first one.")
    return folder


@pytest.fixture
def released(first_release: Path, tmp_path: Path) -> Path:
    """A copy of that release of this test's own."""
    return shutil.copytree(first_release, tmp_path / "released")
