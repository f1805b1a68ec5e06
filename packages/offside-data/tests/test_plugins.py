from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from offside_data import plugins
from offside_data.errors import PluginError
from offside_data.plugins import Registry, unknown_name_message


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A package with two plugins and a private module, under a name of this test's own."""
    package = f"plugged_{abs(hash(request.node.nodeid))}"
    (tmp_path / package).mkdir()
    for name, text in {
        "__init__": "",
        "alpha": "NAME = 'alpha'",
        "beta": "raise RuntimeError('imported')",
        "_base": "",
    }.items():
        (tmp_path / package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return package


def offer(monkeypatch: pytest.MonkeyPatch, group: str, **points: str) -> None:
    found = [EntryPoint(name, value, group) for name, value in points.items()]
    monkeypatch.setattr(plugins, "installed_entry_points", lambda group: found)


def test_the_folder_is_the_registry(folder: str) -> None:
    registry = Registry(folder, "thing")
    assert registry.names() == ["alpha", "beta"]
    assert f"{folder}.alpha" not in sys.modules  # Listing imports nothing.
    assert registry.load("alpha").NAME == "alpha"


def test_a_file_dropped_into_the_folder_is_found(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder / "gamma.py").write_text("")
    assert Registry(folder, "thing").names() == ["alpha", "beta", "gamma"]


def test_third_parties_add_theirs(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, folder, delta="json.decoder")
    registry = Registry(folder, "thing")
    assert registry.names() == ["alpha", "beta", "delta"]
    assert registry.load("delta").__name__ == "json.decoder"


def test_a_clash_is_an_error(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, folder, alpha="json.decoder")
    with pytest.raises(PluginError, match=r"thing 'alpha' is defined twice: entry point 'json.decoder'"):
        Registry(folder, "thing").names()


def test_two_third_parties_clash(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [EntryPoint("delta", "json.decoder", folder), EntryPoint("delta", "json.encoder", folder)]
    monkeypatch.setattr(plugins, "installed_entry_points", lambda group: found)
    with pytest.raises(PluginError, match="defined twice"):
        Registry(folder, "thing").names()


def test_the_same_entry_point_listed_twice_is_no_clash(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # An editable install beside a normal one lists its entry points twice.
    monkeypatch.setattr(
        plugins, "installed_entry_points", lambda group: [EntryPoint("delta", "json.decoder", folder)] * 2
    )
    assert "delta" in Registry(folder, "thing").names()


def test_an_entry_point_must_name_a_module(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, folder, delta="json.decoder:JSONDecoder")
    with pytest.raises(PluginError, match=r"must name a module, got type: write `delta = \"package.module\"`"):
        Registry(folder, "thing").load("delta")


@pytest.mark.parametrize("name", ["alpa", "_base", "nothing"])
def test_unknown_names_are_told_what_there_is(folder: str, name: str) -> None:
    with pytest.raises(PluginError, match=f"unknown thing '{name}'.*Known: alpha, beta"):
        Registry(folder, "thing").load(name)


def test_the_nearest_name_is_suggested() -> None:
    assert unknown_name_message("method", "grad_accent", ["grad_ascent", "npo"]) == (
        "unknown method 'grad_accent'. Did you mean 'grad_ascent'? Known: grad_ascent, npo."
    )
    assert unknown_name_message("method", "x", []) == "unknown method 'x'. Known: none."
