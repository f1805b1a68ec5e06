"""Servers to annotate on: a fake one for quick tests, a real one for full ones, and what annotators say."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from fake_label_studio import TOKEN, FakeLabelStudio
from faulty_proxy import FaultyProxy

from offside_data.annotation import project as project_module
from offside_data.annotation import server as server_module
from offside_data.annotation.interface import result_of


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between two looks."""
    monkeypatch.setattr(server_module, "_WAIT", 0.01)
    monkeypatch.setattr(project_module, "_POLL", 0.01)
    monkeypatch.setattr(project_module, "_SETTLING", 0.01)


@pytest.fixture
def studio(quick: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelStudio]:
    """A fake server that the environment names."""
    fake = FakeLabelStudio()
    monkeypatch.setenv("LABEL_STUDIO_URL", fake.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)
    yield fake
    fake.close()


@pytest.fixture
def proxy(studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """What can fail in front of it; the environment names it instead."""
    faulty = FaultyProxy(studio.url)
    monkeypatch.setenv("LABEL_STUDIO_URL", faulty.url)
    yield faulty
    faulty.close()


def said(**answers: Any) -> list[dict[str, Any]]:
    """Results of an annotation: a choice, a list of choices or a text by control."""
    return [result_of(name, [text] if isinstance(text, str) else text) for name, text in answers.items()]


@pytest.fixture(scope="session")
def results() -> Any:
    return said
