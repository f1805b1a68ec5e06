from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from offside_data import plugins
from offside_data.adapters._base import ADAPTERS
from offside_data.check import CHECKS
from offside_data.errors import PluginError
from offside_data.exporters._base import EXPORTERS
from offside_data.fictional.world import WORLDS
from offside_data.images.hashing import HASHES
from offside_data.plugins import Registry, unknown_name_message
from offside_data.release.migration import STEPS
from offside_data.splits._base import POLICIES

REGISTRIES = (ADAPTERS, CHECKS, EXPORTERS, HASHES, POLICIES, STEPS, WORLDS)


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


def test_a_module_that_breaks_the_contract_is_refused(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder / "gamma.py").write_text("run = print\nSIZE = 'large'\nTYPE = int\n")
    needs = {"__doc__": str, "run": Callable, "SIZE": int | None, "TYPE": int, "Options": type}
    lacks = rf"thing 'gamma' \({folder}\.gamma\) lacks __doc__ \(str\), SIZE \(int \| None\), Options \(type\); "
    with pytest.raises(PluginError, match=lacks + f"the contract stands in {folder}."):
        Registry(folder, "thing", needs=needs).load("gamma")
    with pytest.raises(PluginError, match=r"the contract stands in elsewhere\."):
        Registry(folder, "thing", needs=needs, contract="elsewhere").load("gamma")
    assert Registry(folder, "thing", needs={"run": Callable, "TYPE": int}).load("gamma").SIZE == "large"


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_a_module_without_anything_is_refused_by_every_kind(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"empty_{registry.kind.replace(' ', '_')}"
    (tmp_path / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    offer(monkeypatch, registry.group, empty=name)
    fresh = dataclasses.replace(registry)  # The one that all share keeps its list of entry points.
    lacks = ", ".join(rf"{need} \(.+\)" for need in registry.needs)
    with pytest.raises(PluginError, match=rf"{registry.kind} 'empty' \({name}\) lacks {lacks}; ") as refused:
        fresh.load("empty")
    contract = importlib.import_module(str(refused.value).split()[-1].rstrip("."))
    assert all(need in (contract.__doc__ or "") for need in registry.needs if need != "__doc__")


def test_the_nearest_name_is_suggested() -> None:
    assert unknown_name_message("method", "grad_accent", ["grad_ascent", "npo"]) == (
        "unknown method 'grad_accent'. Did you mean 'grad_ascent'? Known: grad_ascent, npo."
    )
    assert unknown_name_message("method", "x", []) == "unknown method 'x'. Known: none."
