from __future__ import annotations

from pathlib import Path

import pytest

from offside_data.takedown.names import Traces, name_traces
from offside_data.takedown.proof import judge_by
from offside_data.takedown.readers._base import READERS, Blob
from offside_data.takedown.search import FolderSearch

NAME = "Orlo Vantis"
TRACES = Traces.of(name_traces(NAME))


@pytest.mark.parametrize("name", READERS.names())
def test_a_reader_finds_what_stands_in_its_example(name: str, tmp_path: Path) -> None:
    if name == "pdf":
        pytest.importorskip("pypdf")
    reader = READERS.load(name)
    for text, sorts in ((f"By {NAME}.", {"left"}), ("By somebody.", set())):
        file, content = reader.example(text)
        (tmp_path / file).write_bytes(content)
        assert reader.recognises(Blob(name=file, path=tmp_path / file))
        assert reader.recognises(Blob(name="unnamed", data=content))
        search = FolderSearch(TRACES, judge_by(TRACES))
        assert {finding.sort for finding in search.folder(tmp_path)} == sorts
        assert search.searched.kinds[name] >= 1


@pytest.mark.parametrize("name", READERS.names())
@pytest.mark.parametrize("cut", [0, 0.3, 0.9])
def test_a_reader_says_what_it_can_not_read(name: str, cut: float, tmp_path: Path) -> None:
    """Half a file is read as far as it goes, or listed; nothing else is raised."""
    file, content = READERS.load(name).example("x " * 400)
    (tmp_path / file).write_bytes(content[: int(len(content) * cut)])
    assert {finding.sort for finding in FolderSearch(TRACES, judge_by(TRACES)).folder(tmp_path)} <= {"unread"}


def test_a_pdf_without_its_library_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = READERS.load("pdf")

    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(reader.importlib, "import_module", missing)
    (piece,) = reader.read(Blob(name="a.pdf", data=reader.example("x")[1]))
    assert "pip install 'offside-data[pdf]'" in piece.why
