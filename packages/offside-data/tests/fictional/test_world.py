from __future__ import annotations

import pytest

from offside_data.errors import PluginError
from offside_data.fictional.world import load_world
from offside_data.fictional.worlds import WORLDS


def test_worlds_are_found_by_listing_their_folder() -> None:
    assert {"football", "office"} <= set(WORLDS.names())


def test_an_unknown_world_is_refused_with_the_nearest_and_all_known() -> None:
    with pytest.raises(PluginError, match=r"unknown fictional world 'ofice'\. Did you mean 'office'\? Known: football"):
        load_world("ofice")


def test_a_module_without_a_world_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(WORLDS), "load", lambda self, name: pytest)
    with pytest.raises(PluginError, match=r"fictional world 'empty': pytest must define `WORLD = World\(...\)`"):
        load_world("empty")
